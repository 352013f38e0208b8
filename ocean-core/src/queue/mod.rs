//! The queue: makes events durable before the sender hears "ok", and keeps their fate.
//!
//! It owns ids, deduplication, the pending backlog, retry dates, dead letters and history. It
//! knows neither processors nor the catalog: lanes reach it as numbers, fates as [`Change`]s.
//! **An id is given out only with the commit that holds the event; a fate is never lost: what
//! cannot be written is kept and tried again.**

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{
    event::{EventId, WebhookEvent},
    future::BoxFuture,
    lane::Lanes,
};

mod dedupe;
pub mod embedded;
mod feed;
mod journal;
pub mod memory;
mod operate;
mod rate;
mod story;

pub use feed::{Feed, FeedSender};
pub use journal::{EventState, Filter, Journal, Summary};
pub use operate::{Action, ActionOutcome, ActionResult};
pub use story::{Attempt, LaneDate, Run, RunState, Story, Write, WriteKind};

/// Keeps accepted events until they are done.
pub trait Queue: Send + Sync + fmt::Debug + 'static {
    /// Stores the events of one request, all or none; resolves when they are durable. One receipt
    /// for each event, in order.
    ///
    /// # Errors
    /// Nothing was stored; the error says when to try again.
    fn accept(&self, events: Vec<NewEvent>) -> BoxFuture<'_, Result<Vec<Receipt>, QueueError>>;

    /// The event and what happened to it so far; `None` if the queue no longer has it.
    ///
    /// # Errors
    /// The event cannot be read.
    fn load(&self, id: EventId) -> BoxFuture<'_, Result<Option<Stored>, QueueError>>;

    /// Writes down what happened to an event. Never blocks and never fails: while the store cannot
    /// be written, changes wait in memory and are written, in order, when it can.
    fn record(&self, id: EventId, change: Change);

    /// Resolves when all changes recorded so far are durable.
    fn flushed(&self) -> BoxFuture<'_, ()>;

    /// How full and how healthy the queue is.
    fn pressure(&self) -> Pressure;

    /// Read access for operators, if the queue keeps history.
    fn journal(&self) -> Option<Arc<dyn Journal>>;

    /// Does what an operator asks for; resolves when it is durable. One result for each event
    /// named, in order. A large action may be done in parts; what fails then is refused in its
    /// results.
    ///
    /// # Errors
    /// Nothing was done.
    fn operate(&self, action: Action) -> BoxFuture<'_, Result<Vec<ActionResult>, QueueError>>;

    /// Accepts nothing more, writes what is recorded, lets go of the store and ends the feed;
    /// resolves when that is done. Events that are not finished stay for the next start.
    fn close(&self) -> BoxFuture<'_, ()>;
}

// === NewEvent ===

/// An event on its way in.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The event; its id is not yet given.
    pub event: WebhookEvent,
    /// Its lanes; empty if no processor is for it: such an event is kept as ignored and never
    /// dispatched.
    pub lanes: Lanes,
    /// The event this one repeats on an operator's request; it then is exempt from deduplication.
    pub replay_of: Option<EventId>,
    /// Why it must never run, if so: it is only recorded then, whatever its lanes.
    pub refused: Option<Box<str>>,
}

impl NewEvent {
    /// An event that goes to these lanes.
    pub fn new(event: WebhookEvent, lanes: Lanes) -> Self {
        Self {
            event,
            lanes,
            replay_of: None,
            refused: None,
        }
    }

    /// An event that is refused for this reason, and whose sender cannot be told: it is recorded as
    /// [`EventState::Refused`].
    pub fn refused(event: WebhookEvent, reason: impl Into<Box<str>>) -> Self {
        Self {
            refused: Some(reason.into()),
            ..Self::new(event, Lanes::new())
        }
    }
}

// === Receipt ===

/// The queue's answer for one event, once it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It will be dispatched.
    Stored(EventId),
    /// It was recorded, and that is all: no processor is for it.
    Ignored(EventId),
    /// The same delivery was accepted before, under this id.
    Duplicate(EventId),
    /// It was recorded as refused, as [`NewEvent::refused`] asks.
    Refused(EventId),
}

impl Receipt {
    /// The id under which the event is kept.
    pub fn id(self) -> EventId {
        match self {
            Self::Stored(id) | Self::Ignored(id) | Self::Duplicate(id) | Self::Refused(id) => id,
        }
    }
}

// === Pending ===

/// An entry of the [`Feed`].
#[derive(Debug)]
pub struct Pending {
    /// The event's id.
    pub id: EventId,
    /// Its lanes.
    pub lanes: Lanes,
    /// The date before which it must not be tried again.
    pub not_before: Option<Timestamp>,
    /// Whether it was found at start: then an earlier process may have died of it.
    pub resumed: bool,
    /// The event itself while it fits the memory budget; otherwise [`Queue::load`] has it.
    pub cached: Option<Cached>,
}

/// An event held in memory on the queue's budget, which is released when this is dropped.
#[derive(Debug)]
pub struct Cached {
    /// The event.
    pub event: WebhookEvent,
    /// Returns its bytes to the budget.
    pub permit: Option<tokio::sync::OwnedSemaphorePermit>,
}

impl Cached {
    /// Keeps of the event what was sent, and not what its parsed body takes beside that, which is
    /// several times as much and made again in microseconds.
    pub(crate) fn shrink(&mut self) {
        let freed = usize::try_from(self.event.forget_parsed()).unwrap_or(usize::MAX);
        if let Some(permit) = &mut self.permit {
            drop(permit.split(freed));
        }
    }
}

// === Stored ===

/// An event as the queue keeps it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The event.
    pub event: WebhookEvent,
    /// What happened so far.
    pub story: Story,
    /// How often a process found it unfinished at start and took it up again, since an attempt last
    /// came to its end ([`Change::Progress`], [`Change::Retry`]).
    pub restarts: u32,
}

// === Change ===

/// What happened to an event.
#[derive(Clone, Debug)]
pub enum Change {
    /// Dispatch takes up an event that an earlier process left unfinished; counted, so that an
    /// event that kills the process is found out.
    Resumed,
    /// Some runs are through, others go on: remembered, so that a crash repeats only the others.
    Progress {
        /// The date before which none of the others is tried again, if they all wait for one.
        next: Option<Timestamp>,
        /// What happened so far.
        story: Story,
    },
    /// To be tried again, not before `at`.
    Retry {
        /// The date.
        at: Timestamp,
        /// What happened so far.
        story: Story,
    },
    /// Finished; its writes are confirmed.
    Done(Story),
    /// Given up. The reason stands in the story's runs; `reason` sums it up in a line.
    Dead {
        /// One line for lists.
        reason: String,
        /// What happened.
        story: Story,
    },
    /// Not run: a newer event of its lane made it pointless.
    Superseded {
        /// The newer event.
        by: EventId,
        /// What happened before.
        story: Story,
    },
}

// === Pressure ===

/// How full and how healthy the queue is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pressure {
    /// Events that are neither done nor dead.
    pub pending: u64,
    /// The bytes of their bodies and headers.
    pub pending_bytes: u64,
    /// Dead letters.
    pub dead: u64,
    /// The bytes of their bodies and headers, those that were removed left out.
    pub dead_bytes: u64,
    /// Why nothing can be accepted now, if so.
    pub refusing: Option<String>,
    /// The age of the oldest pending event.
    pub oldest: Option<Duration>,
}

// === QueueError ===

/// Why an event could not be stored or read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The bound on pending bytes is reached, or the disk is about to be full.
    #[error("the queue is full: {reason}")]
    Full {
        /// What is full.
        reason: String,
        /// When there will probably be room.
        retry_after: Duration,
    },
    /// The events of one request are larger than all that may be pending: no waiting helps.
    #[error(
        "the request has {bytes} bytes and all pending events may take up {limit}; \
         raise OCEAN__QUEUE__MAX_PENDING_BYTES"
    )]
    TooLarge {
        /// The size of the request's events.
        bytes: u64,
        /// The bound on pending bytes.
        limit: u64,
    },
    /// The store does not work at the moment.
    #[error("the event store is failing: {reason}")]
    Failing {
        /// What fails.
        reason: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// The process is about to end.
    #[error("shutting down")]
    Closed,
    /// One stored event is damaged.
    #[error("event {id} is damaged: {reason}")]
    Damaged {
        /// The event.
        id: EventId,
        /// What is wrong with it.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;
    use crate::event::EventParts;

    #[test]
    fn a_shrunk_event_returns_to_the_budget_what_was_parsed_and_reads_as_before() {
        let budget = Arc::new(Semaphore::new(10_000));
        let event = WebhookEvent::new(EventParts {
            body: r#"{"issue": {"key": "OPS-7"}}"#.into(),
            ..EventParts::default()
        });
        assert!(event.pointer("/issue/key").is_some());
        let held = 100 + u32::try_from(event.parsed_bytes()).unwrap();
        let permit = Arc::clone(&budget).try_acquire_many_owned(held).ok();
        let mut cached = Cached { event, permit };

        // Somebody else may be reading it.
        let other = cached.event.clone();
        cached.shrink();
        assert_eq!(budget.available_permits(), 10_000 - held as usize);
        drop(other);

        cached.shrink();
        assert_eq!(budget.available_permits(), 10_000 - 100);
        let key = cached.event.pointer("/issue/key");
        assert_eq!(
            key.and_then(|key| key.as_str().map(str::to_owned))
                .as_deref(),
            Some("OPS-7")
        );
        drop(cached);
        assert_eq!(budget.available_permits(), 10_000);
    }
}
