//! What a processor returns: raw items to keep and raw items that are gone.

use crate::raw::Raw;

/// The raw results of one processor run.
///
/// ```
/// use ocean_core::{Raw, RawResults};
///
/// let results = RawResults::updated([Raw::new("a")]).and_deleted([Raw::new("b")]);
/// assert_eq!((results.updated.len(), results.deleted.len()), (1, 1));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawResults {
    /// Items whose entities are upserted, or deleted where they fail the selector.
    pub updated: Vec<Raw>,
    /// Items whose entities are deleted.
    pub deleted: Vec<Raw>,
}

impl RawResults {
    /// No change.
    pub fn none() -> Self {
        Self::default()
    }

    /// Items that exist in this state.
    pub fn updated(items: impl IntoIterator<Item = Raw>) -> Self {
        Self {
            updated: items.into_iter().collect(),
            deleted: Vec::new(),
        }
    }

    /// Items that are gone.
    pub fn deleted(items: impl IntoIterator<Item = Raw>) -> Self {
        Self {
            updated: Vec::new(),
            deleted: items.into_iter().collect(),
        }
    }

    /// These results and `items`, which exist in this state.
    #[must_use]
    pub fn and_updated(mut self, items: impl IntoIterator<Item = Raw>) -> Self {
        self.updated.extend(items);
        self
    }

    /// These results and `items`, which are gone.
    #[must_use]
    pub fn and_deleted(mut self, items: impl IntoIterator<Item = Raw>) -> Self {
        self.deleted.extend(items);
        self
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.updated.is_empty() && self.deleted.is_empty()
    }
}

// === Outcome ===

/// What a handler reported, in the one form that dispatch works with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// These items changed.
    Results(RawResults),
    /// The tool no longer has the resource: the item that the processor's `delete` pointer names
    /// is deleted; without such a pointer nothing happens.
    NotFound,
}

/// Types a processor may return.
///
/// `Option<Raw>`: the resource as it is now, or `None` when the tool no longer has it.
/// `Vec<Raw>`: several items, all existing. [`RawResults`]: everything said explicitly.
/// `()`: side effects only.
#[diagnostic::on_unimplemented(
    message = "a webhook processor cannot return `{Self}`",
    label = "not an outcome",
    note = "return `Result<Option<Raw>, E>`, `Result<Vec<Raw>, E>`, `Result<RawResults, E>` or `Result<(), E>`"
)]
pub trait IntoOutcome {
    /// The value as an [`Outcome`].
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}

impl IntoOutcome for RawResults {
    fn into_outcome(self) -> Outcome {
        Outcome::Results(self)
    }
}

impl IntoOutcome for Option<Raw> {
    fn into_outcome(self) -> Outcome {
        self.map_or(Outcome::NotFound, |raw| {
            Outcome::Results(RawResults::updated([raw]))
        })
    }
}

impl IntoOutcome for Vec<Raw> {
    fn into_outcome(self) -> Outcome {
        Outcome::Results(RawResults::updated(self))
    }
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Outcome::Results(RawResults::none())
    }
}
