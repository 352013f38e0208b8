//! What operators can do to stored events.

use serde::{Deserialize, Serialize};

use crate::{
    event::EventId,
    lane::{Lane, LaneEntry, Lanes},
};

/// What an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Runs these events again, as new events at the end of their lanes. A dead letter that is
    /// replayed is no dead letter any more: it is superseded by its replay, and refused from then
    /// on. Replays need room as new events do.
    Replay(Vec<EventId>),
    /// Gives these dead letters up for good.
    Discard(Vec<EventId>),
}

impl Action {
    /// The events named.
    pub fn ids(&self) -> &[EventId] {
        match self {
            Self::Replay(ids) | Self::Discard(ids) => ids,
        }
    }

    /// The same for these events.
    pub(super) fn of(&self, ids: &[EventId]) -> Self {
        match self {
            Self::Replay(_) => Self::Replay(ids.to_vec()),
            Self::Discard(_) => Self::Discard(ids.to_vec()),
        }
    }
}

/// What became of one event of an [`Action`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionResult {
    /// The event.
    pub id: EventId,
    /// What was done.
    pub outcome: ActionOutcome,
}

/// What was done to an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionOutcome {
    /// It runs again under this id.
    Replayed(EventId),
    /// It is no dead letter any more.
    Discarded,
    /// Nothing, for this reason.
    Refused(String),
}

pub(super) const UNKNOWN: &str = "there is no such event";
pub(super) const STILL_PENDING: &str = "it is still pending";
pub(super) const NOT_DEAD: &str = "it is not a dead letter";
pub(super) const REFUSED: &str =
    "it was refused, and nobody vouches for it; mend the cause and have it sent again";
pub(super) const NO_BODY: &str = "its body was removed by retention";
pub(super) const NO_DEAD_BODY: &str =
    "its body was removed because dead letters took up more than is allowed";

/// The reason of a dead letter that was replayed under this id.
pub(super) fn replayed_as(by: EventId) -> String {
    format!("{REPLAYED_AS}{by}")
}

/// Whether a superseded event has this reason because it was replayed: then its replay is what can
/// be replayed.
pub(super) fn is_replayed(reason: &str) -> bool {
    reason.starts_with(REPLAYED_AS)
}

const REPLAYED_AS: &str = "replayed as ";

/// The results of `ids` when nothing could be done to them for this reason.
pub(super) fn all_refused(ids: &[EventId], reason: &str) -> Vec<ActionResult> {
    let refused = |&id: &EventId| ActionResult {
        id,
        outcome: ActionOutcome::Refused(reason.to_owned()),
    };
    ids.iter().map(refused).collect()
}

/// The lanes of a replay: those of the event, or one of its own if no processor was for it when it
/// arrived; perhaps one is now.
pub(super) fn lanes_of_replay(lanes: &Lanes, id: EventId) -> Lanes {
    if !lanes.is_empty() {
        return lanes.clone();
    }
    smallvec::smallvec![LaneEntry {
        lane: Lane::new(id.get().cast_unsigned()),
        coalesce: None,
    }]
}
