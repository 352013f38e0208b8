//! The writer thread: owns the only connection that writes, commits in groups, and keeps what it
//! cannot write.
//!
//! There is no timer for groups: while one transaction is being synced the next one's events
//! gather in the mailbox.

use std::{
    collections::VecDeque,
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot, watch};

use super::{
    EmbeddedOptions, OpenError,
    backlog::{self, Survey},
    carrier::Carrier,
    command,
    failure::{self, Remedy},
    gate::{Gate, Level, Refusal},
    group::GROUP_OPERATIONS,
    lock::FolderLock,
    mailbox::{Command, Mail, Mailbox, Reply},
    maintenance,
    retention::{self, Trimmer},
    schema,
    space::Space,
};
use crate::{
    queue::{FeedSender, QueueError, Receipt, dedupe::Dedupe, operate},
    telemetry::Telemetry,
};

/// How often the writer looks after what is not urgent.
const TICK: Duration = Duration::from_secs(1);
/// The pauses between attempts while the store fails.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Dead letters that lose their bodies in one transaction.
const DEAD_BATCH: u32 = 256;

/// What callers and the writer share.
pub(super) struct Shared {
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) gate: Gate,
    pub(super) ended: watch::Sender<bool>,
}

pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) options: EmbeddedOptions,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) feed: FeedSender,
    // What operators asked for and is not done yet.
    pub(super) commands: VecDeque<Command>,
    pub(super) cache: Arc<Semaphore>,
    pub(super) space: Space,
    pub(super) level: Level,
    pub(super) dedupe: Dedupe,
    pub(super) trimmer: Trimmer,
    pub(super) last_id: i64,
    // Absent while the store fails and has to be opened anew.
    pub(super) connection: Option<Connection>,
    pub(super) carrier: Carrier,
    pub(super) failing: Option<Failing>,
    pub(super) work: Work,
    pub(super) _lock: FolderLock,
}

/// How long the store has been failing, so to speak.
pub(super) struct Failing {
    next_try: Instant,
    pause: Duration,
}

/// What one round reuses or passes to the next.
pub(super) struct Work {
    pub(super) acks: Vec<Ack>,
    pub(super) drained_bytes: u64,
    ticked: Instant,
    oldest_id: i64,
    // Dead letters up to this one have no bodies.
    dead_cursor: i64,
    data_version: Option<i64>,
    // Whether pages at the end of the file are free and still there.
    uncut: bool,
}

/// The answer to one request.
pub(super) struct Ack {
    pub(super) reply: oneshot::Sender<Result<Vec<Receipt>, QueueError>>,
    pub(super) receipts: Vec<Receipt>,
}

impl Default for Work {
    fn default() -> Self {
        Self {
            acks: Vec::new(),
            drained_bytes: 0,
            ticked: Instant::now(),
            oldest_id: i64::MIN,
            dead_cursor: i64::MIN,
            data_version: None,
            uncut: false,
        }
    }
}

impl Writer {
    pub(super) fn run(mut self) {
        let ended = Ended(Arc::clone(&self.shared));
        let mailbox = Arc::clone(&self.shared.mailbox);
        let mut mail = Mail::default();
        self.tick();
        loop {
            let patience = match &self.failing {
                Some(failing) => {
                    mailbox.rest(failing.next_try.saturating_duration_since(Instant::now()));
                    Duration::ZERO
                }
                None if !self.commands.is_empty() => Duration::ZERO,
                None => TICK.saturating_sub(self.work.ticked.elapsed()),
            };
            let closed = mailbox.take(&mut mail, patience);
            self.write(&mut mail);
            if self.work.ticked.elapsed() >= TICK {
                self.tick();
            }
            let finished = mailbox.is_empty() && self.commands.is_empty();
            if closed && (finished || self.failing.is_some()) {
                break;
            }
        }
        if self.failing.is_some() {
            tracing::error!(
                "The event store still cannot be written; events whose fate is not on disk run \
                 again after the next start."
            );
        }
        self.carrier.stop();
        if let Some(connection) = &self.connection
            && let Err(error) = maintenance::checkpoint(connection)
        {
            tracing::debug!(%error, "The log stays; the next start reads it.");
        }
        // The folder is free and the feed has ended before anyone hears that the queue is closed.
        drop(self);
        drop(ended);
    }

    /// Writes all of `mail` and the next of what operators asked for, or puts the changes back and
    /// answers everyone else.
    fn write(&mut self, mail: &mut Mail) {
        self.commands.extend(mail.commands.drain(..));
        if self.failing.is_some() {
            self.turn_away(mail);
        }
        if self.connection.is_none()
            && let Err(error) = self.reopen()
        {
            self.fail(Remedy::Reopen, error.to_string(), mail.changes.len());
            self.give_up(mail, 0);
            return;
        }
        let mut accepts = VecDeque::from(mem::take(&mut mail.accepts));
        let (mut done, mut operated) = (0, false);
        loop {
            let end = mail.changes.len().min(done + GROUP_OPERATIONS);
            let changes = &mail.changes[done..end];
            // The rest of a large action waits for the next round: others may have come meanwhile.
            let operates = !self.commands.is_empty() && !operated;
            if accepts.is_empty() && changes.is_empty() && !operates {
                break;
            }
            match self.commit(&mut accepts, changes) {
                Ok(()) => {
                    if let Some(connection) = &self.connection {
                        self.carrier.after_commit(connection);
                    }
                    (done, operated) = (end, true);
                }
                Err(error) => {
                    let waiting = mail.changes.len() - done;
                    self.fail(failure::remedy(&error), failure::describe(&error), waiting);
                    mail.accepts = accepts.into();
                    self.give_up(mail, done);
                    return;
                }
            }
        }
        mail.changes.clear();
        for flush in mail.flushes.drain(..) {
            // Whoever asked may have gone.
            let _ = flush.send(());
        }
        if self.failing.is_some() {
            self.try_again();
        }
    }

    // === Failure ===

    fn fail(&mut self, remedy: Remedy, reason: String, waiting: usize) {
        self.telemetry.queue.commit_failed(&reason, waiting);
        if remedy == Remedy::Reopen {
            self.connection = None;
        }
        self.refuse(Some(match remedy {
            Remedy::Room => Refusal::NoRoom(reason),
            Remedy::Patience | Remedy::Reopen => Refusal::Failing(reason),
        }));
        let pause = match &self.failing {
            Some(failing) => (failing.pause * 2).min(LONGEST_PAUSE),
            None => FIRST_PAUSE,
        };
        self.failing = Some(Failing {
            next_try: Instant::now() + pause,
            pause,
        });
    }

    /// Answers everyone in `mail`; changes from `done` on are kept, in order.
    fn give_up(&mut self, mail: &mut Mail, done: usize) {
        self.turn_away(mail);
        let changes = mail.changes.split_off(done);
        mail.changes.clear();
        let flushes = mem::take(&mut mail.flushes);
        self.shared.mailbox.put_back(changes, flushes);
    }

    /// Answers everyone who waits for a receipt or a result.
    fn turn_away(&mut self, mail: &mut Mail) {
        let error = self.shared.gate.refusal().unwrap_or(QueueError::Closed);
        for ack in self.work.acks.drain(..) {
            let _ = ack.reply.send(Err(error.clone()));
        }
        for accept in mail.accepts.drain(..) {
            self.shared.gate.withdraw(accept.bytes);
            let _ = accept.reply.send(Err(error.clone()));
        }
        for mut command in self.commands.drain(..) {
            let Reply::Caller(reply) = command.reply else {
                // The row stays unanswered; it is found again because the table is looked at anew.
                self.work.data_version = None;
                continue;
            };
            let left = &command.action.ids()[command.results.len()..];
            let answer = if command.results.is_empty() {
                Err(error.clone())
            } else {
                let refused = operate::all_refused(left, &error.to_string());
                command.results.extend(refused);
                Ok(command.results)
            };
            let _ = reply.send(answer);
        }
    }

    /// All that waited is written; sees whether new events could be as well.
    fn try_again(&mut self) {
        let connection = self.connection.as_mut().expect("it was written to");
        match maintenance::probe(connection) {
            Ok(()) => {
                self.failing = None;
                self.refuse(self.room().err().map(Refusal::NoRoom));
            }
            Err(error) => self.fail(failure::remedy(&error), failure::describe(&error), 0),
        }
    }

    /// Opens the store anew and takes stock again: a commit that was reported as failed may be on
    /// disk all the same, and its events then are as good as accepted.
    fn reopen(&mut self) -> Result<(), OpenError> {
        let file = self.options.folder.join(schema::FILE);
        let connection = schema::open_writer(&file, self.options.max_file_bytes)?;
        let wrap = |error| failure::open_error(&file, &error);
        schema::without_checkpoints(&connection).map_err(wrap)?;
        let now = self.options.clock.now().as_microsecond();
        let window = self.options.dedupe_window;
        let survey = Survey::take(&connection, now, window).map_err(wrap)?;
        let unknown = backlog::pending(&connection, self.last_id, i64::MAX, false, u32::MAX);
        let _ = self.feed.send(unknown.map_err(wrap)?);
        self.level = survey.level;
        self.dedupe = survey.dedupe;
        self.last_id = self.last_id.max(survey.last_id);
        self.trimmer = Trimmer::new(self.options.retention, window, survey.finished_bytes);
        self.work.oldest_id = i64::MIN;
        self.work.dead_cursor = i64::MIN;
        self.connection = Some(connection);
        self.carrier = Carrier::start(&file)?;
        Ok(())
    }

    fn refuse(&self, refusal: Option<Refusal>) {
        if !self.shared.gate.refuse(refusal.clone()) {
            return;
        }
        match refusal {
            Some(Refusal::NoRoom(reason) | Refusal::Failing(reason)) => {
                self.telemetry.queue.refusing(&reason);
            }
            Some(Refusal::Closed) => {}
            None => self.telemetry.queue.recovered(),
        }
    }

    /// What new events may take up, or why nothing.
    pub(super) fn room(&self) -> Result<u64, String> {
        // Bodies are written to the log and from there to the file, both in whole pages.
        let on_disk = self.space.room()? / 3;
        match (&self.connection, self.options.max_file_bytes) {
            (Some(connection), Some(bound)) => {
                Ok(on_disk.min(maintenance::room(connection, bound)? / 2))
            }
            _ => Ok(on_disk),
        }
    }

    // === Housekeeping ===

    /// Once a second: what is not urgent.
    fn tick(&mut self) {
        let elapsed = mem::replace(&mut self.work.ticked, Instant::now()).elapsed();
        let drained = mem::take(&mut self.work.drained_bytes);
        self.shared.gate.observe_drain(drained, elapsed);
        if self.failing.is_none() {
            self.refuse(self.room().err().map(Refusal::NoRoom));
        }
        if let Err(error) = self.housekeeping() {
            // Commands that were not read for that reason must not wait for the next one.
            self.work.data_version = None;
            self.fail(failure::remedy(&error), failure::describe(&error), 0);
        }
        let now = self.options.clock.now();
        let age = (self.level.oldest).map(|oldest| now.duration_since(oldest));
        let age = age
            .and_then(|age| Duration::try_from(age).ok())
            .unwrap_or_default();
        let Level {
            pending,
            pending_bytes,
            dead,
            dead_bytes,
            ..
        } = self.level;
        let metrics = &self.telemetry.queue;
        metrics.level(pending, pending_bytes, age);
        metrics.dead(dead, dead_bytes);
        self.shared.gate.settle(0, self.level);
    }

    fn housekeeping(&mut self) -> rusqlite::Result<()> {
        let Some(connection) = &self.connection else {
            return Ok(());
        };
        let oldest = backlog::oldest(connection, self.work.oldest_id)?;
        self.level.oldest = oldest.map(|(id, received_at)| {
            self.work.oldest_id = id;
            received_at
        });
        if oldest.is_none() {
            self.work.oldest_id = self.last_id;
        }
        // Changes only when another connection committed, which then may have left a command.
        let version = schema::pragma(connection, "data_version")?;
        if self.work.data_version.replace(version) != Some(version) {
            let now_micros = self.options.clock.now().as_microsecond();
            let in_hand = |row| {
                let mut rows = self.commands.iter().map(|command| &command.reply);
                rows.any(|reply| matches!(reply, Reply::Row(of) if *of == row))
            };
            let mut waiting = command::waiting(connection, now_micros)?;
            waiting.retain(|(row, _)| !in_hand(*row));
            for (row, action) in waiting {
                self.commands
                    .push_back(Command::new(action, Reply::Row(row)));
            }
        }
        self.trimmer.sweep_if_due();
        self.trim_dead()?;
        self.tidy()
    }

    /// Brings dead letters under their bound, in small batches.
    fn trim_dead(&mut self) -> rusqlite::Result<()> {
        let bound = self.options.max_dead_bytes;
        let (mut letters, mut bytes, mut from_start) = (0, 0, false);
        let connection = self.connection.as_mut().expect("checked by `housekeeping`");
        while let Some(excess) = self.level.dead_bytes.checked_sub(bound)
            && excess > 0
        {
            let transaction = schema::immediate(connection)?;
            let trimmed =
                retention::trim_dead(&transaction, self.work.dead_cursor, excess, DEAD_BATCH)?;
            transaction.commit()?;
            match trimmed {
                Some(trimmed) => {
                    self.work.dead_cursor = trimmed.cursor;
                    self.level.dead_bytes = self.level.dead_bytes.saturating_sub(trimmed.bytes);
                    letters += trimmed.letters;
                    bytes += trimmed.bytes;
                }
                // Older events may have died since; they are found from the start, once.
                None if from_start => break,
                None => {
                    self.work.dead_cursor = i64::MIN;
                    from_start = true;
                }
            }
        }
        if letters > 0 {
            self.telemetry.queue.dead_trimmed(letters, bytes, bound);
        }
        Ok(())
    }

    /// Trims a batch, then, as long as nobody waits, more batches and free pages.
    fn tidy(&mut self) -> rusqlite::Result<()> {
        let now_micros = self.options.clock.now().as_microsecond();
        let mailbox = Arc::clone(&self.shared.mailbox);
        let connection = self.connection.as_mut().expect("checked by `housekeeping`");
        loop {
            let transaction = schema::immediate(connection)?;
            let step = self
                .trimmer
                .step(&transaction, now_micros, self.last_id, 256)?;
            transaction.commit()?;
            self.trimmer.settle(0, step);
            self.telemetry.queue.grouped(0, 0, step.rows);
            if !step.moved() || !mailbox.is_empty() {
                break;
            }
        }
        while mailbox.is_empty() && maintenance::give_back_pages(connection)? {
            self.work.uncut = true;
        }
        // The file is cut only when the log that says so is carried over.
        if self.work.uncut && mailbox.is_empty() {
            self.work.uncut = !maintenance::checkpoint(connection)?;
        }
        Ok(())
    }
}

/// Says that the writer is gone, however it went.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.mailbox.close();
        self.0.gate.refuse(Some(if std::thread::panicking() {
            Refusal::Failing("its writer stopped; restart the process".into())
        } else {
            Refusal::Closed
        }));
        self.0.ended.send_replace(true);
    }
}
