//! The outcome of each run after its turn: what goes into the story, and what follows.

use std::{collections::HashMap, time::Duration};

use super::{
    job::Tried,
    verdict::{Verdict, verdict},
    writes::Landed,
};
use crate::{
    error::ProcessorError,
    event::EventId,
    mapping::Origin,
    queue::{Attempt, RunState, Story},
    telemetry::DispatchMetrics,
};

/// Enters outcomes into the story and finds out when the turn is to be repeated.
#[derive(Debug)]
pub(super) struct Settlement<'a> {
    event: EventId,
    metrics: &'a DispatchMetrics,
    landed: HashMap<Origin, Landed>,
    again: Option<Duration>,
}

impl<'a> Settlement<'a> {
    pub(super) fn new(
        event: EventId,
        metrics: &'a DispatchMetrics,
        landed: HashMap<Origin, Landed>,
    ) -> Self {
        Self {
            event,
            metrics,
            landed,
            again: None,
        }
    }

    /// Enters one attempt for each run of the call.
    pub(super) fn settle(&mut self, input: usize, tried: &Tried<'_>, story: &mut Story) {
        let names = tried.call.run_names();
        let places = tried
            .call
            .resources
            .iter()
            .map(|resource| Some(resource.index));
        // An action has one run and no resource.
        let places = places.chain(std::iter::repeat(None));
        for (name, place) in names.iter().zip(places) {
            let origin = place.map(|resource| Origin { input, resource });
            self.settle_run(origin, name.as_deref(), tried, story);
        }
    }

    /// The first failure of the call's writes, if its handler succeeded.
    pub(super) fn write_error(&self, input: usize, tried: &Tried<'_>) -> Option<&ProcessorError> {
        let error = |index| {
            let origin = Origin {
                input,
                resource: index,
            };
            self.landed.get(&origin)?.error.as_ref()
        };
        let mut resources = tried.call.resources.iter();
        resources.find_map(|resource| error(resource.index))
    }

    /// When the turn is to be repeated, if it is: when the last of its runs wants to be.
    pub(super) fn again(&self) -> Option<Duration> {
        self.again
    }

    fn settle_run(
        &mut self,
        origin: Option<Origin>,
        name: Option<&str>,
        tried: &Tried<'_>,
        story: &mut Story,
    ) {
        let registered = tried.call.registered;
        let processor = registered.spec.name;
        let run = story.run_mut(processor, name);
        let mut landed = origin.and_then(|origin| self.landed.get_mut(&origin));
        let (writes, mut notes) = match &mut landed {
            Some(landed) => (
                std::mem::take(&mut landed.writes),
                std::mem::take(&mut landed.notes),
            ),
            None => (Vec::new(), Vec::new()),
        };
        let written = landed.and_then(|landed| landed.error.as_ref());
        let (counts, error) = match &tried.result {
            Ok((results, note)) => {
                notes.extend(note.map(str::to_owned));
                ((results.updated.len(), results.deleted.len()), written)
            }
            Err(error) => ((0, 0), Some(error)),
        };
        let took = tried.began.elapsed();
        let mut attempt = Attempt {
            at: tried.at,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            error: Vec::new(),
            outage: false,
            repeats: 0,
            updated: u32::try_from(counts.0).unwrap_or(u32::MAX),
            deleted: u32::try_from(counts.1).unwrap_or(u32::MAX),
            writes,
            notes,
        };
        let Some(error) = error else {
            run.push(attempt);
            run.state = RunState::Done;
            self.metrics.attempt_done(processor, took);
            return;
        };
        let verdict = verdict(registered, error, run.failures());
        let chain = error.chain().into_iter().map(shortened);
        if verdict == Verdict::Dropped {
            // Not a failure: the reason is a remark.
            attempt.notes.extend(chain);
        } else {
            attempt.error = chain.collect();
            attempt.outage = error.is_outage();
        }
        run.push(attempt);
        let event = self.event;
        match verdict {
            Verdict::Dropped => {
                run.state = RunState::Dropped;
                self.metrics.attempt_dropped(event, processor, error, took);
            }
            Verdict::Again(delay) => {
                run.state = RunState::Waiting;
                self.again = self.again.max(Some(delay));
                self.metrics
                    .attempt_retried(event, processor, error, took, delay);
            }
            Verdict::Dead => {
                run.state = RunState::Dead;
                self.metrics.attempt_dead(event, processor, error, took);
            }
        }
    }
}

/// The longest text of one error in the story, in bytes: some tools answer with whole pages.
const LONGEST_ERROR: usize = 2_000;

fn shortened(mut text: String) -> String {
    if text.len() > LONGEST_ERROR {
        text.truncate(text.floor_char_boundary(LONGEST_ERROR));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_errors_are_cut_between_characters() {
        assert_eq!(shortened("short".to_owned()), "short");
        let cut = shortened(format!("a{}", "é".repeat(LONGEST_ERROR)));
        assert!(cut.len() <= LONGEST_ERROR + '…'.len_utf8() && cut.ends_with("é…"));
    }
}
