//! The story of an event: what its processors did, attempt by attempt.
//!
//! It serves two readers: dispatch, which repeats only what is not through yet, and operators, who
//! see the whole life of an event in it. Stored as JSON, so it only ever gains optional fields.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What happened to an event so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// One entry for each processor and resource that had to do with it.
    #[serde(default)]
    pub runs: Vec<Run>,
}

impl Story {
    /// The run of this processor for this resource, added if there is none.
    pub fn run_mut(&mut self, processor: &str, resource: Option<&str>) -> &mut Run {
        let found = self
            .runs
            .iter()
            .position(|run| &*run.processor == processor && run.resource.as_deref() == resource);
        let index = found.unwrap_or_else(|| {
            self.runs.push(Run::new(processor, resource));
            self.runs.len() - 1
        });
        &mut self.runs[index]
    }

    /// The most attempts of any run.
    pub fn attempts(&self) -> u32 {
        let longest = self
            .runs
            .iter()
            .map(|run| run.attempts.len())
            .max()
            .unwrap_or(0);
        u32::try_from(longest).unwrap_or(u32::MAX)
    }
}

/// What one processor did for one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The processor's name.
    pub processor: Box<str>,
    /// The resource as `kind-index`; none for actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Box<str>>,
    /// Whether it is through.
    pub state: RunState,
    /// What was tried, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
}

impl Run {
    /// A run that was not tried yet.
    pub fn new(processor: &str, resource: Option<&str>) -> Self {
        Self {
            processor: processor.into(),
            resource: resource.map(Into::into),
            state: RunState::Waiting,
            attempts: Vec::new(),
        }
    }
}

/// Whether a run is through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// Not yet.
    Waiting,
    /// Its writes are confirmed.
    Done,
    /// The processor said that the event does not concern it.
    Dropped,
    /// Given up.
    Dead,
}

/// One attempt of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The error and its sources, outermost first, if it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub error: Vec<String>,
    /// Raw items that the processor reported as existing.
    #[serde(default)]
    pub updated: u32,
    /// Raw items that the processor reported as gone.
    #[serde(default)]
    pub deleted: u32,
    /// What was written to the catalog; long lists are cut.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<Write>,
    /// What the mapping complained about: fields without value, items without identifier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One write to the catalog and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Write {
    /// What was done.
    pub kind: WriteKind,
    /// The entity's blueprint.
    pub blueprint: Box<str>,
    /// The entity's identifier.
    pub identifier: Box<str>,
    /// The catalog's answer in a word or a sentence: `created`, `updated`, `deleted`, `absent`, or
    /// an error.
    pub answer: Box<str>,
}

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WriteKind {
    /// Creates or updates the entity.
    Upsert,
    /// Removes the entity.
    Delete,
}
