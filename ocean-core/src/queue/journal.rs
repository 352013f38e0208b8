//! The journal: read access to events, finished ones included.

use std::{fmt, sync::Arc};

use jiff::Timestamp;

use super::{QueueError, Stored};
use crate::{
    event::EventId,
    lane::{Lane, LaneEntry},
};

/// Read access to events, finished ones included, for commands, the admin API and the dashboard.
/// Implementations do not block writers.
pub trait Journal: Send + Sync + fmt::Debug {
    /// Events that match, newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    fn list(&self, filter: &Filter) -> Result<Vec<Summary>, QueueError>;

    /// One event by the queue's id or by the sender's delivery id.
    ///
    /// # Errors
    /// The store cannot be read.
    fn show(&self, id: &str) -> Result<Option<(Summary, Stored)>, QueueError>;
}

/// Which events to list; the default is the newest hundred.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Only these states; empty means all.
    pub states: Vec<EventState>,
    /// Only events of this path.
    pub path: Option<String>,
    /// Only events with this name.
    pub name: Option<String>,
    /// Only events of this lane.
    pub lane: Option<Lane>,
    /// Received at this time or later.
    pub since: Option<Timestamp>,
    /// Received before this time.
    pub until: Option<Timestamp>,
    /// Whether replays are listed as well. They have the date of the event they repeat, so that a
    /// range of dates holds both.
    pub replays: bool,
    /// Only events with a smaller id, for paging.
    pub before: Option<EventId>,
    /// At most so many.
    pub limit: usize,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            states: Vec::new(),
            path: None,
            name: None,
            lane: None,
            since: None,
            until: None,
            replays: true,
            before: None,
            limit: 100,
        }
    }
}

impl Filter {
    /// Whether an event is one of those asked for; `limit` aside.
    pub(super) fn matches(&self, summary: &Summary, lanes: &[LaneEntry]) -> bool {
        (self.states.is_empty() || self.states.contains(&summary.state))
            && self
                .path
                .as_deref()
                .is_none_or(|path| path == &*summary.path)
            && (self.name.as_deref()).is_none_or(|name| summary.name.as_deref() == Some(name))
            && (self.lane).is_none_or(|lane| lanes.iter().any(|entry| entry.lane == lane))
            && self.since.is_none_or(|since| summary.received_at >= since)
            && self.until.is_none_or(|until| summary.received_at < until)
            && (self.replays || summary.replay_of.is_none())
            && self.before.is_none_or(|before| summary.id < before)
    }
}

/// Where an event is in its life.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum EventState {
    /// Waiting, running or waiting for a retry.
    Pending,
    /// Finished and confirmed.
    Done,
    /// Given up, kept with its reason.
    Dead,
    /// No processor was for it.
    Ignored,
    /// Replaced by a newer event of its lane.
    Superseded,
    /// A dead letter that an operator gave up for good.
    Discarded,
    /// It came without a sender who could be told that it is refused, so it is kept with the reason,
    /// as long as finished events are. It never runs, and is not replayed: nobody vouches for it.
    Refused,
}

/// One line of a list of events.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Summary {
    /// The queue's id.
    pub id: EventId,
    /// Where it is in its life.
    pub state: EventState,
    /// The path of its source.
    pub path: Arc<str>,
    /// Its name.
    pub name: Option<Box<str>>,
    /// The sender's id of the delivery.
    pub delivery: Option<Box<str>>,
    /// When it arrived.
    pub received_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When it will be tried again.
    pub next_attempt_at: Option<Timestamp>,
    /// Attempts so far: the most of any of its runs.
    pub attempts: u32,
    /// The size of its body.
    pub body_bytes: u64,
    /// Whether its body is still there; retention may remove it before the line.
    pub body_kept: bool,
    /// Why it is dead, or what superseded it.
    pub reason: Option<String>,
    /// The event it repeats.
    pub replay_of: Option<EventId>,
    /// The latest event that repeats it.
    pub replayed_as: Option<EventId>,
}
