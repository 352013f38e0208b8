//! The queue in memory: for tests, and for integrations that need no durability
//! (`OCEAN__QUEUE__TYPE=memory`).
//!
//! It gives the same answers in the same order as the embedded store and loses everything with the
//! process. Finished events are kept up to a count.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use jiff::Timestamp;

use super::{
    Action, ActionOutcome, ActionResult, Cached, Change, EventState, Feed, FeedSender, Filter,
    Journal, NewEvent, Pending, Pressure, Queue, QueueError, Receipt, Stored, Story, Summary,
    rate::DrainRate,
};
use crate::{
    clock::Clock,
    event::{EventId, WebhookEvent},
    future::BoxFuture,
    lane::Lanes,
};

/// Settings of a [`MemoryQueue`].
#[derive(Clone, Debug)]
pub struct MemoryOptions {
    /// The bound on the bytes of pending events.
    pub max_pending_bytes: u64,
    /// For how long a repeated delivery is recognised.
    pub dedupe_window: Duration,
    /// How many finished events are kept.
    pub keep_finished: usize,
    /// The time.
    pub clock: Clock,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self {
            max_pending_bytes: 64 << 20,
            dedupe_window: Duration::from_secs(24 * 60 * 60),
            keep_finished: 10_000,
            clock: Clock::system(),
        }
    }
}

/// A [`Queue`] in memory.
#[derive(Clone)]
pub struct MemoryQueue(Arc<Shared>);

struct Shared {
    options: MemoryOptions,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    events: BTreeMap<EventId, Entry>,
    deliveries: HashMap<(Arc<str>, Box<str>), EventId>,
    finished: VecDeque<EventId>,
    last_id: i64,
    pending_bytes: u64,
    drained: (u64, Option<Timestamp>),
    rate: DrainRate,
    // Absent once the queue is closed.
    feed: Option<FeedSender>,
}

struct Entry {
    event: WebhookEvent,
    lanes: Lanes,
    state: EventState,
    story: Story,
    restarts: u32,
    finished_at: Option<Timestamp>,
    next_attempt_at: Option<Timestamp>,
    reason: Option<String>,
    replay_of: Option<EventId>,
    replayed_as: Option<EventId>,
}

impl MemoryQueue {
    /// An empty queue and its feed.
    pub fn new(options: MemoryOptions) -> (Self, Feed) {
        let (sender, feed) = Feed::channel();
        let inner = Inner {
            feed: Some(sender),
            ..Inner::default()
        };
        let shared = Shared {
            options,
            inner: Mutex::new(inner),
        };
        (Self(Arc::new(shared)), feed)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0
            .inner
            .lock()
            .expect("no code panics while holding it")
    }

    fn store(&self, events: Vec<NewEvent>) -> Result<Vec<Receipt>, QueueError> {
        let options = &self.0.options;
        let now = options.clock.now();
        let mut inner = self.lock();
        if inner.feed.is_none() {
            return Err(QueueError::Closed);
        }
        let bytes: u64 = events.iter().map(|new| bytes_of(&new.event)).sum();
        if bytes > options.max_pending_bytes {
            return Err(QueueError::TooLarge {
                bytes,
                limit: options.max_pending_bytes,
            });
        }
        let over = (inner.pending_bytes + bytes).saturating_sub(options.max_pending_bytes);
        if over > 0 {
            return Err(QueueError::Full {
                reason: full(options.max_pending_bytes),
                retry_after: inner.rate.time_for(over),
            });
        }
        let receipts = events
            .into_iter()
            .map(|new| inner.insert(new, now, options))
            .collect();
        inner.trim(options.keep_finished);
        Ok(receipts)
    }
}

fn full(max_pending_bytes: u64) -> String {
    format!("pending events take up the {max_pending_bytes} bytes allowed")
}

fn bytes_of(event: &WebhookEvent) -> u64 {
    let headers: usize = event.headers().iter().map(|(n, v)| n.len() + v.len()).sum();
    (event.body().len() + headers) as u64
}

// === impl Queue for MemoryQueue ===

impl Queue for MemoryQueue {
    fn accept(&self, events: Vec<NewEvent>) -> BoxFuture<'_, Result<Vec<Receipt>, QueueError>> {
        Box::pin(async move { self.store(events) })
    }

    fn load(&self, id: EventId) -> BoxFuture<'_, Result<Option<Stored>, QueueError>> {
        Box::pin(async move { Ok(self.lock().events.get(&id).map(Entry::stored)) })
    }

    fn record(&self, id: EventId, change: Change) {
        let now = self.0.options.clock.now();
        let mut inner = self.lock();
        inner.apply(id, change, now);
        inner.trim(self.0.options.keep_finished);
    }

    fn flushed(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn pressure(&self) -> Pressure {
        let options = &self.0.options;
        let now = options.clock.now();
        let inner = self.lock();
        let count = |state| inner.events.values().filter(|e| e.state == state).count() as u64;
        let oldest = (inner.events.values()).find(|entry| entry.state == EventState::Pending);
        Pressure {
            pending: count(EventState::Pending),
            pending_bytes: inner.pending_bytes,
            dead: count(EventState::Dead),
            dead_bytes: (inner.events.values())
                .filter(|entry| entry.state == EventState::Dead)
                .map(|entry| bytes_of(&entry.event))
                .sum(),
            refusing: (inner.pending_bytes >= options.max_pending_bytes)
                .then(|| full(options.max_pending_bytes)),
            oldest: oldest.map(|entry| {
                let age = now.duration_since(entry.event.received_at());
                Duration::try_from(age).unwrap_or_default()
            }),
        }
    }

    fn journal(&self) -> Option<Arc<dyn Journal>> {
        Some(Arc::new(self.clone()))
    }

    fn operate(&self, action: Action) -> BoxFuture<'_, Result<Vec<ActionResult>, QueueError>> {
        Box::pin(async move {
            let now = self.0.options.clock.now();
            let mut inner = self.lock();
            if inner.feed.is_none() {
                return Err(QueueError::Closed);
            }
            let act = |id: &EventId| ActionResult {
                id: *id,
                outcome: match action {
                    Action::Replay(_) => inner.replay(*id, now, &self.0.options),
                    Action::Discard(_) => inner.discard(*id),
                },
            };
            Ok(action.ids().iter().map(act).collect())
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.lock().feed = None;
        })
    }
}

impl fmt::Debug for MemoryQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryQueue")
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}

// === impl Journal for MemoryQueue ===

impl Journal for MemoryQueue {
    fn list(&self, filter: &Filter) -> Result<Vec<Summary>, QueueError> {
        let inner = self.lock();
        Ok(inner
            .events
            .iter()
            .rev()
            .map(|(id, entry)| (entry.summary(*id), &entry.lanes))
            .filter(|(summary, lanes)| filter.matches(summary, lanes))
            .map(|(summary, _)| summary)
            .take(filter.limit)
            .collect())
    }

    fn show(&self, id: &str) -> Result<Option<(Summary, Stored)>, QueueError> {
        let inner = self.lock();
        let by_id = id
            .parse()
            .ok()
            .and_then(|id| inner.events.get_key_value(&id));
        let found = by_id.or_else(|| {
            (inner.events.iter().rev()).find(|(_, entry)| entry.event.delivery() == Some(id))
        });
        Ok(found.map(|(id, entry)| (entry.summary(*id), entry.stored())))
    }
}

// === impl Inner ===

impl Inner {
    fn insert(&mut self, new: NewEvent, now: Timestamp, options: &MemoryOptions) -> Receipt {
        let event = &new.event;
        if let (Some(delivery), None) = (event.delivery(), new.replay_of) {
            let key = (Arc::clone(event.path()), delivery.into());
            let first = self.deliveries.get(&key).and_then(|id| self.events.get(id));
            if let Some(first) = first {
                let since = event
                    .received_at()
                    .duration_since(first.event.received_at());
                if Duration::try_from(since).unwrap_or_default() < options.dedupe_window {
                    return Receipt::Duplicate(first.event.id());
                }
            }
        }
        self.last_id = now.as_microsecond().max(self.last_id + 1);
        let id = EventId::new(self.last_id);
        let event = new.event.with_id(id);
        if let (Some(delivery), None) = (event.delivery(), new.replay_of) {
            let key = (Arc::clone(event.path()), delivery.into());
            self.deliveries.insert(key, id);
        }
        let state = match &new.refused {
            Some(_) => EventState::Refused,
            None if new.lanes.is_empty() => EventState::Ignored,
            None => EventState::Pending,
        };
        let bytes = bytes_of(&event);
        self.events.insert(
            id,
            Entry {
                event: event.clone(),
                lanes: new.lanes.clone(),
                state,
                story: Story::default(),
                restarts: 0,
                finished_at: (state != EventState::Pending).then_some(now),
                next_attempt_at: None,
                reason: new.refused.map(Into::into),
                replay_of: new.replay_of,
                replayed_as: None,
            },
        );
        if state != EventState::Pending {
            self.finished.push_back(id);
            return match state {
                EventState::Refused => Receipt::Refused(id),
                _ => Receipt::Ignored(id),
            };
        }
        self.pending_bytes += bytes;
        let pending = Pending {
            id,
            lanes: new.lanes,
            not_before: None,
            resumed: false,
            cached: Some(Cached {
                event,
                permit: None,
            }),
        };
        if let Some(feed) = &self.feed {
            // Nobody listens at shutdown and in tests of the door.
            let _ = feed.send(vec![pending]);
        }
        Receipt::Stored(id)
    }

    fn apply(&mut self, id: EventId, change: Change, now: Timestamp) {
        let Some(entry) = self.events.get_mut(&id) else {
            return;
        };
        if entry.state != EventState::Pending {
            return;
        }
        let (state, story) = match change {
            Change::Resumed => {
                entry.restarts += 1;
                return;
            }
            Change::Progress { next, story } => {
                entry.next_attempt_at = next;
                entry.story = story;
                entry.restarts = 0;
                return;
            }
            Change::Retry { at, story } => {
                entry.next_attempt_at = Some(at);
                entry.story = story;
                entry.restarts = 0;
                return;
            }
            Change::Done(story) => (EventState::Done, story),
            Change::Dead { reason, story } => {
                entry.reason = Some(reason);
                (EventState::Dead, story)
            }
            Change::Superseded { by, story } => {
                entry.reason = Some(format!("superseded by {by}"));
                (EventState::Superseded, story)
            }
        };
        entry.state = state;
        entry.story = story;
        entry.finished_at = Some(now);
        entry.next_attempt_at = None;
        let bytes = bytes_of(&entry.event);
        self.pending_bytes -= bytes;
        if state != EventState::Dead {
            self.finished.push_back(id);
        }
        self.drained(bytes, now);
    }

    fn drained(&mut self, bytes: u64, now: Timestamp) {
        let (sum, since) = &mut self.drained;
        *sum += bytes;
        let since = since.get_or_insert(now);
        let elapsed = Duration::try_from(now.duration_since(*since)).unwrap_or_default();
        if elapsed >= Duration::from_secs(1) {
            self.rate.observe(*sum, elapsed);
            self.drained = (0, Some(now));
        }
    }

    fn replay(&mut self, id: EventId, now: Timestamp, options: &MemoryOptions) -> ActionOutcome {
        let Some(entry) = self.events.get(&id) else {
            return ActionOutcome::Refused(super::operate::UNKNOWN.into());
        };
        if entry.state == EventState::Pending {
            return ActionOutcome::Refused(super::operate::STILL_PENDING.into());
        }
        if entry.state == EventState::Superseded
            && let Some(reason) = &entry.reason
            && super::operate::is_replayed(reason)
        {
            return ActionOutcome::Refused(reason.clone());
        }
        if entry.state == EventState::Refused {
            return ActionOutcome::Refused(super::operate::REFUSED.into());
        }
        if self.pending_bytes + bytes_of(&entry.event) > options.max_pending_bytes {
            return ActionOutcome::Refused(full(options.max_pending_bytes));
        }
        let lanes = super::operate::lanes_of_replay(&entry.lanes, id);
        let new = NewEvent {
            replay_of: Some(id),
            ..NewEvent::new(entry.event.clone(), lanes)
        };
        let by = self.insert(new, now, options).id();
        if let Some(entry) = self.events.get_mut(&id) {
            entry.replayed_as = Some(by);
            if entry.state == EventState::Dead {
                entry.state = EventState::Superseded;
                entry.reason = Some(super::operate::replayed_as(by));
                self.finished.push_back(id);
            }
        }
        ActionOutcome::Replayed(by)
    }

    fn discard(&mut self, id: EventId) -> ActionOutcome {
        match self.events.get_mut(&id) {
            None => ActionOutcome::Refused(super::operate::UNKNOWN.into()),
            Some(entry) if entry.state == EventState::Dead => {
                entry.state = EventState::Discarded;
                self.finished.push_back(id);
                ActionOutcome::Discarded
            }
            Some(_) => ActionOutcome::Refused(super::operate::NOT_DEAD.into()),
        }
    }

    fn trim(&mut self, keep: usize) {
        while self.finished.len() > keep {
            let Some(entry) = self
                .finished
                .pop_front()
                .and_then(|id| self.events.remove(&id))
            else {
                continue;
            };
            if let Some(delivery) = entry.event.delivery() {
                let key = (Arc::clone(entry.event.path()), delivery.into());
                if self.deliveries.get(&key) == Some(&entry.event.id()) {
                    self.deliveries.remove(&key);
                }
            }
        }
    }
}

// === impl Entry ===

impl Entry {
    fn stored(&self) -> Stored {
        Stored {
            event: self.event.clone(),
            story: self.story.clone(),
            restarts: self.restarts,
        }
    }

    fn summary(&self, id: EventId) -> Summary {
        Summary {
            id,
            state: self.state,
            path: Arc::clone(self.event.path()),
            name: self.event.name().map(Into::into),
            delivery: self.event.delivery().map(Into::into),
            received_at: self.event.received_at(),
            finished_at: self.finished_at,
            next_attempt_at: self.next_attempt_at,
            attempts: self.story.attempts(),
            body_bytes: self.event.body().len() as u64,
            body_kept: true,
            reason: self.reason.clone(),
            replay_of: self.replay_of,
            replayed_as: self.replayed_as,
        }
    }
}
