//! What callers hand to the writer: events and changes, with their JSON written out already. All of
//! them share one writer, so its time is spent on nothing that they can do.

use super::{codec, mailbox::story_of};
use crate::{
    event::EventId,
    queue::{Change, NewEvent},
};

/// An event that is to be stored.
pub(super) struct NewRow {
    pub(super) new: NewEvent,
    /// Those that may be kept, as JSON.
    pub(super) headers: String,
    /// Whether the body is UTF-8.
    pub(super) is_text: bool,
}

impl From<NewEvent> for NewRow {
    fn from(new: NewEvent) -> Self {
        Self {
            headers: codec::encode_headers(new.event.headers()),
            is_text: std::str::from_utf8(new.event.body()).is_ok(),
            new,
        }
    }
}

/// What happened to an event.
pub(super) struct ChangeRow {
    pub(super) id: EventId,
    pub(super) change: Change,
    /// The change's story as JSON; empty if it has none.
    pub(super) story: String,
}

impl ChangeRow {
    pub(super) fn new(id: EventId, change: Change) -> Self {
        let story = story_of(&change)
            .map(|story| serde_json::to_string(story).expect("a story has a JSON form"));
        Self {
            id,
            change,
            story: story.unwrap_or_default(),
        }
    }
}
