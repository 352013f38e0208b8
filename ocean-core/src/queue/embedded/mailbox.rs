//! The mailbox of the writer thread: what callers put in, and what it takes out all at once.

use std::{
    mem,
    sync::{Condvar, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::rows::{ChangeRow, NewRow};
use crate::{
    event::EventId,
    queue::{Action, ActionResult, Change, QueueError, Receipt, Story},
};

/// The events of one request and whoever waits for their receipts.
pub(super) struct Accept {
    pub(super) events: Vec<NewRow>,
    pub(super) bytes: u64,
    pub(super) reply: oneshot::Sender<Result<Vec<Receipt>, QueueError>>,
}

/// An operator's action and whoever waits for its result.
pub(super) struct Command {
    pub(super) action: Action,
    pub(super) reply: Reply,
    /// What was done to the first of its events; a large action takes several transactions.
    pub(super) results: Vec<ActionResult>,
}

impl Command {
    pub(super) fn new(action: Action, reply: Reply) -> Self {
        Self {
            action,
            reply,
            results: Vec::new(),
        }
    }

    /// The events that nothing was done to yet.
    pub(super) fn left(&self) -> &[EventId] {
        &self.action.ids()[self.results.len()..]
    }
}

/// Where the result of an action goes.
pub(super) enum Reply {
    /// To a caller in this process.
    Caller(oneshot::Sender<Result<Vec<ActionResult>, QueueError>>),
    /// To this row of the table `command`, which another process looks at.
    Row(i64),
}

/// What the writer takes out.
#[derive(Default)]
pub(super) struct Mail {
    pub(super) accepts: Vec<Accept>,
    pub(super) changes: Vec<ChangeRow>,
    pub(super) commands: Vec<Command>,
    pub(super) flushes: Vec<oneshot::Sender<()>>,
}

impl Mail {
    fn is_empty(&self) -> bool {
        self.accepts.is_empty()
            && self.changes.is_empty()
            && self.commands.is_empty()
            && self.flushes.is_empty()
    }
}

/// The mailbox. Callers hold its lock for a push, the writer for a swap of buffers.
#[derive(Default)]
pub(super) struct Mailbox {
    inner: Mutex<Inner>,
    wake: Condvar,
}

#[derive(Default)]
struct Inner {
    mail: Mail,
    asleep: bool,
    closed: bool,
}

impl Mailbox {
    /// Puts in whatever `put` pushes; gives it back when the box is closed.
    pub(super) fn put<T>(&self, item: T, push: impl FnOnce(&mut Mail, T)) -> Result<(), T> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(item);
        }
        push(&mut inner.mail, item);
        // A writer at work looks again before it sleeps, so it is woken only from sleep.
        let wake = mem::take(&mut inner.asleep);
        drop(inner);
        if wake {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Swaps what was put in into `mail`, whose buffers must be empty; waits `patience` at most if
    /// there is nothing. Returns whether the box is closed.
    pub(super) fn take(&self, mail: &mut Mail, patience: Duration) -> bool {
        debug_assert!(mail.is_empty());
        let mut inner = self.lock();
        if inner.mail.is_empty() && !inner.closed && !patience.is_zero() {
            inner.asleep = true;
            let deadline = Instant::now() + patience;
            while inner.mail.is_empty() && !inner.closed {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                (inner, _) = self.wake.wait_timeout(inner, left).expect("as in `lock`");
                inner.asleep = true;
            }
            inner.asleep = false;
        }
        mem::swap(&mut inner.mail, mail);
        inner.closed
    }

    /// Puts changes that could not be written back before those that came since.
    pub(super) fn put_back(&self, mut changes: Vec<ChangeRow>, flushes: Vec<oneshot::Sender<()>>) {
        let mut inner = self.lock();
        changes.append(&mut inner.mail.changes);
        inner.mail.changes = changes;
        inner.mail.flushes.extend(flushes);
    }

    /// Waits `patience`, or until the box is closed, whatever is put in meanwhile.
    /// Returns whether it is closed.
    pub(super) fn rest(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut inner = self.lock();
        while !inner.closed {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            (inner, _) = self.wake.wait_timeout(inner, left).expect("as in `lock`");
        }
        true
    }

    /// Whether nothing is waiting.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().mail.is_empty()
    }

    /// The latest story of an event among the changes that are waiting.
    pub(super) fn latest_story(&self, id: EventId) -> Option<Story> {
        let inner = self.lock();
        let mut waiting = inner.mail.changes.iter().rev();
        waiting
            .find_map(|row| (row.id == id).then(|| story_of(&row.change)).flatten())
            .cloned()
    }

    /// Lets nothing more in. Returns whether it was open.
    pub(super) fn close(&self) -> bool {
        let was_open = !mem::replace(&mut self.lock().closed, true);
        self.wake.notify_all();
        was_open
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no code panics while holding it")
    }
}

/// The story that a change carries.
pub(super) fn story_of(change: &Change) -> Option<&Story> {
    match change {
        Change::Resumed => None,
        Change::Done(story)
        | Change::Progress { story, .. }
        | Change::Retry { story, .. }
        | Change::Dead { story, .. }
        | Change::Superseded { story, .. } => Some(story),
    }
}
