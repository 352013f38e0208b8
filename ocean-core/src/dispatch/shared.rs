//! Events that wait in several lanes: their turns are independent, their fate is one.
//!
//! Events of one lane, nearly all, have no entry here. An entry holds the event itself only while
//! one of its turns runs, so that an outage cannot fill the memory with bodies of waiting events.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use smallvec::SmallVec;
use tokio::sync::OnceCell;

use super::takeup::Loaded;
use crate::{
    event::EventId,
    lane::{Lane, Lanes},
    queue::{Change, LaneDate, Story},
};

/// The events that wait in several lanes.
#[derive(Debug, Default)]
pub(super) struct SharedEvents(Mutex<HashMap<EventId, Shared>>);

#[derive(Debug)]
struct Shared {
    lanes: Lanes,
    open: SmallVec<[Lane; 2]>,
    running: usize,
    /// What the running turns know of the event; emptied when none runs.
    copy: Arc<OnceCell<Loaded>>,
    /// The story, with what all ended turns added; empty when none runs.
    story: Option<Story>,
    /// Found at start, and not taken up again yet.
    resumed: bool,
    /// A turn in this process recorded something.
    recorded: bool,
    superseded_by: Option<EventId>,
    /// A lane ended by running.
    ran: bool,
    dead: Option<String>,
}

/// What a turn needs to know of its event.
#[derive(Debug)]
pub(super) struct Entered {
    /// All lanes of the event.
    pub(super) lanes: Lanes,
    /// Where the first of the concurrent turns puts the loaded event.
    pub(super) copy: Arc<OnceCell<Loaded>>,
    /// Whether this turn has to note that the event is taken up again.
    pub(super) resume: bool,
    /// Whether an earlier turn in this process recorded something.
    pub(super) recorded: bool,
}

/// How a turn in one lane ended.
#[derive(Debug)]
pub(super) enum LaneEnd {
    /// All its runs are through.
    Through,
    /// It is tried again at this date.
    Again(jiff::Timestamp),
    /// A newer event of the lane made it pointless.
    Superseded(EventId),
    /// It waits on: a newer event of the lane took effect in part.
    Waits,
    /// It cannot be run at all.
    Dead(String),
}

impl SharedEvents {
    /// Takes note of an event that was put into several lanes.
    pub(super) fn admit(&self, id: EventId, lanes: Lanes, resumed: bool) {
        let shared = Shared {
            open: lanes.iter().map(|entry| entry.lane).collect(),
            lanes,
            running: 0,
            copy: Arc::default(),
            story: None,
            resumed,
            recorded: false,
            superseded_by: None,
            ran: false,
            dead: None,
        };
        self.lock().insert(id, shared);
    }

    /// A turn of the event begins; `runs` unless it is superseded.
    pub(super) fn enter(&self, id: EventId, runs: bool) -> Entered {
        let mut events = self.lock();
        let shared = events.get_mut(&id).expect("admitted and not ended");
        shared.running += 1;
        Entered {
            lanes: shared.lanes.clone(),
            copy: Arc::clone(&shared.copy),
            resume: runs && std::mem::take(&mut shared.resumed),
            recorded: shared.recorded,
        }
    }

    /// A turn ends without having changed anything. If it had to note that the event is taken up
    /// again, the next has to.
    pub(super) fn pause(&self, id: EventId, entered: &Entered) {
        let mut events = self.lock();
        let shared = events.get_mut(&id).expect("it was entered");
        shared.resumed |= entered.resume;
        shared.leave();
    }

    /// A turn ends: `runs` holds the runs of its processors. Calls `record` with what this makes of
    /// the event, one turn after the other.
    pub(super) fn leave(
        &self,
        id: EventId,
        lane: Lane,
        end: LaneEnd,
        runs: Story,
        record: impl FnOnce(Change),
    ) {
        let mut events = self.lock();
        let shared = events.get_mut(&id).expect("it was entered");
        let mut story = shared.story.take().unwrap_or_else(|| {
            let loaded = shared.copy.get();
            loaded
                .map(|loaded| loaded.story.clone())
                .unwrap_or_default()
        });
        merge(&mut story, runs);
        let waits = matches!(end, LaneEnd::Again(_) | LaneEnd::Waits);
        let again = match end {
            LaneEnd::Again(at) => Some(at),
            LaneEnd::Waits => None,
            LaneEnd::Through => {
                shared.ran = true;
                None
            }
            LaneEnd::Superseded(by) => {
                shared.superseded_by = shared.superseded_by.max(Some(by));
                None
            }
            LaneEnd::Dead(reason) => {
                shared.dead.get_or_insert(reason);
                None
            }
        };
        story.dates.retain(|date| date.lane != lane.get());
        let lane_date = |at| LaneDate {
            lane: lane.get(),
            at,
        };
        story.dates.extend(again.map(lane_date));
        if !waits {
            shared.open.retain(|open| *open != lane);
        }
        if shared.open.is_empty() {
            let shared = events.remove(&id).expect("it was there");
            record(shared.fate(story));
            return;
        }
        shared.story = Some(story.clone());
        shared.recorded = true;
        shared.leave();
        // One date for the whole event: the first, and none while a lane waits for none.
        let dates: Option<Vec<_>> = shared
            .open
            .iter()
            .map(|lane| story.date_in(*lane))
            .collect();
        let next = dates.and_then(|dates| dates.into_iter().min());
        record(match (again, next) {
            (Some(_), Some(at)) => Change::Retry { at, story },
            _ => Change::Progress { next, story },
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<EventId, Shared>> {
        self.0.lock().expect("no turn panics while holding it")
    }
}

impl Shared {
    fn leave(&mut self) {
        self.running -= 1;
        if self.running == 0 {
            self.copy = Arc::default();
            self.story = None;
        }
    }

    /// The fate of an event that has left all its lanes.
    fn fate(self, story: Story) -> Change {
        match (self.dead, self.superseded_by) {
            (Some(reason), _) => Change::Dead { reason, story },
            (None, Some(by)) if !self.ran => Change::Superseded { by, story },
            (None, _) => ended(story),
        }
    }
}

/// The fate of an event all runs of which are through.
pub(super) fn ended(story: Story) -> Change {
    match dead_reason(&story) {
        Some(reason) => Change::Dead { reason, story },
        None => Change::Done(story),
    }
}

/// Why the event is a dead letter, in a line, if one of its runs was given up.
fn dead_reason(story: &Story) -> Option<String> {
    use std::fmt::Write as _;

    use crate::queue::RunState;

    let dead = |run: &&crate::queue::Run| run.state == RunState::Dead;
    let mut runs = story.runs.iter().filter(dead);
    let first = runs.next()?;
    let mut reason = first.processor.to_string();
    if let Some(resource) = &first.resource {
        write!(reason, " ({resource})").expect("writing to a string does not fail");
    }
    let error = first
        .attempts
        .last()
        .map(|attempt| attempt.error.join(": "));
    let error = error.unwrap_or_default().replace(['\r', '\n'], " ");
    write!(reason, ": {error}").expect("as above");
    let others = runs.count();
    if others > 0 {
        write!(reason, " (and {others} more)").expect("as above");
    }
    Some(reason)
}

fn merge(story: &mut Story, runs: Story) {
    story.notes.extend(runs.notes);
    for run in runs.runs {
        let entry = story.run_mut(&run.processor, run.resource.as_deref());
        *entry = run;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        lane::LaneEntry,
        queue::{Run, RunState},
    };

    const ID: EventId = EventId::new(7);

    fn two_lanes() -> SharedEvents {
        let entry = |lane| LaneEntry {
            lane: Lane::new(lane),
            coalesce: None,
        };
        let events = SharedEvents::default();
        events.admit(ID, [1, 2].into_iter().map(entry).collect(), false);
        events
    }

    fn ran(processor: &str, state: RunState) -> Story {
        let mut run = Run::new(processor, Some("issue-0"));
        run.state = state;
        Story {
            runs: vec![run],
            ..Story::default()
        }
    }

    /// Ends the turn in lane 1 and then the one in lane 2, and gives the two changes.
    fn check(first: (LaneEnd, Story), second: (LaneEnd, Story)) -> (Change, Change) {
        let events = two_lanes();
        let mut changes = Vec::new();
        for _ in 0..2 {
            events.enter(ID, true);
        }
        for (lane, (end, story)) in [(1, first), (2, second)] {
            events.leave(ID, Lane::new(lane), end, story, |change| {
                changes.push(change)
            });
        }
        assert!(events.lock().is_empty());
        let second = changes.pop().unwrap();
        (changes.pop().unwrap(), second)
    }

    #[test]
    fn an_event_is_done_when_all_its_lanes_are() {
        let (first, second) = check(
            (LaneEnd::Through, ran("a", RunState::Done)),
            (LaneEnd::Through, ran("b", RunState::Done)),
        );
        assert!(matches!(first, Change::Progress { story, .. } if story.runs.len() == 1));
        assert!(matches!(second, Change::Done(story) if story.runs.len() == 2));
    }

    #[test]
    fn one_dead_run_makes_a_dead_letter() {
        let (first, second) = check(
            (LaneEnd::Through, ran("a", RunState::Dead)),
            (LaneEnd::Through, ran("b", RunState::Done)),
        );
        assert!(
            matches!(first, Change::Progress { .. }),
            "the other lane still runs"
        );
        let Change::Dead { reason, story } = second else {
            panic!("{second:?}");
        };
        assert_eq!(reason, "a (issue-0): ");
        assert_eq!(story.runs.len(), 2);
    }

    #[test]
    fn only_if_all_lanes_are_superseded_the_event_is() {
        let by = EventId::new(9);
        let (_, second) = check(
            (LaneEnd::Superseded(EventId::new(8)), Story::default()),
            (LaneEnd::Superseded(by), Story::default()),
        );
        assert!(matches!(second, Change::Superseded { by: newest, .. } if newest == by));
        let (_, second) = check(
            (LaneEnd::Superseded(by), ran("a", RunState::Dropped)),
            (LaneEnd::Through, ran("b", RunState::Done)),
        );
        assert!(matches!(second, Change::Done(story) if story.runs.len() == 2));
    }

    #[test]
    fn a_waiting_lane_keeps_the_event() {
        let events = two_lanes();
        events.enter(ID, true);
        let mut changes = Vec::new();
        let end = LaneEnd::Again(jiff::Timestamp::UNIX_EPOCH);
        let waiting = ran("a", RunState::Waiting);
        events.leave(ID, Lane::new(1), end, waiting, |it| changes.push(it));
        assert!(
            matches!(&changes[..], [Change::Progress { next: None, .. }]),
            "the other lane waits for no date"
        );
        let again = events.enter(ID, true);
        assert!(again.recorded, "the story must be read again");
        assert!(
            again.copy.get().is_none(),
            "nothing is held while nothing runs"
        );
    }

    #[test]
    fn the_first_date_of_the_open_lanes_is_that_of_the_event() {
        let events = two_lanes();
        let at = |second| jiff::Timestamp::from_second(second).unwrap();
        for _ in 0..3 {
            events.enter(ID, true);
        }
        let mut changes = Vec::new();
        for (lane, end) in [
            (1, LaneEnd::Again(at(60))),
            (2, LaneEnd::Again(at(30))),
            (2, LaneEnd::Through),
        ] {
            let story = Story::default();
            events.leave(ID, Lane::new(lane), end, story, |it| changes.push(it));
        }
        let [
            Change::Progress { next: None, .. },
            Change::Retry { at: first, .. },
            Change::Progress { next, .. },
        ] = &changes[..]
        else {
            panic!("{changes:?}");
        };
        assert_eq!((*first, *next), (at(30), Some(at(60))));
    }
}
