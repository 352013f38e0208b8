//! The story of an event: what its processors did, attempt by attempt.
//!
//! It serves two readers: dispatch, which repeats only what is not through yet, and operators, who
//! see the whole life of an event in it. Stored as JSON, so it only ever gains optional fields.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lane::Lane;

/// What happened to an event so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// One entry for each processor and resource that had to do with it.
    #[serde(default)]
    pub runs: Vec<Run>,
    /// What concerns the event as a whole: why a lane of it is given up, or why it never
    /// ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Of an event in several lanes: when its turns in those that wait for a retry are to come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dates: Vec<LaneDate>,
}

impl Story {
    /// The date for which the event waits in this lane, if it does in that one and not in all.
    pub fn date_in(&self, lane: Lane) -> Option<Timestamp> {
        let waits = |date: &&LaneDate| date.lane == lane.get();
        self.dates.iter().find(waits).map(|date| date.at)
    }

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
        self.runs.iter().map(Run::tried).max().unwrap_or(0)
    }
}

/// The date for which an event waits in one of its lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneDate {
    /// The number of the lane.
    pub lane: u64,
    /// The date.
    pub at: Timestamp,
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

    /// How often it was tried.
    pub fn tried(&self) -> u32 {
        self.attempts.iter().fold(0, |sum: u32, attempt| {
            sum.saturating_add(attempt.repeats).saturating_add(1)
        })
    }

    /// How many of its attempts failed for another reason than an outage: those that use up
    /// retries.
    pub fn failures(&self) -> u32 {
        let failed = |attempt: &&Attempt| !attempt.error.is_empty() && !attempt.outage;
        u32::try_from(self.attempts.iter().filter(failed).count()).unwrap_or(u32::MAX)
    }

    /// Adds an attempt. Repeated waits for the same outage are counted rather than listed: an
    /// outage of days would grow the story without telling more.
    pub fn push(&mut self, attempt: Attempt) {
        match self.attempts.last_mut() {
            Some(last) if attempt.outage && last.outage && last.error == attempt.error => {
                *last = Attempt {
                    at: last.at,
                    repeats: last.repeats.saturating_add(1),
                    ..attempt
                };
            }
            _ => self.attempts.push(attempt),
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
    /// Whether it failed because a whole service was out of reach, which uses up no retry.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outage: bool,
    /// How many more attempts right after this one ended in the same outage.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeats: u32,
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(seconds: i64, outage: bool) -> Attempt {
        Attempt {
            at: Timestamp::from_second(seconds).unwrap(),
            took_ms: 1,
            error: vec!["port answered 503".into()],
            outage,
            repeats: 0,
            updated: 0,
            deleted: 0,
            writes: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_long_outage_is_one_entry() {
        let mut run = Run::new("issues", None);
        run.push(failed(1, false));
        for seconds in 2..1_000 {
            run.push(failed(seconds, true));
        }
        run.push(failed(1_000, false));
        assert_eq!(run.attempts.len(), 3);
        assert_eq!((run.tried(), run.failures()), (1_000, 2));
        assert_eq!(run.attempts[1].at.as_second(), 2);
    }

    #[test]
    fn stories_of_older_versions_are_read() {
        let old = r#"{"runs":[{"processor":"a","state":"done","attempts":[
            {"at":"2026-01-01T00:00:00Z","took_ms":3}]}]}"#;
        let story: Story = serde_json::from_str(old).unwrap();
        assert_eq!(story.attempts(), 1);
    }
}
