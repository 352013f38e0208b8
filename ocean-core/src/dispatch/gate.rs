//! The gate that holds new turns back while the catalog is out of reach.
//!
//! Without it every waiting event would call its handler, and through it the tool's API, only to
//! learn that its results cannot be written. While the gate is held, single turns are let through
//! to see whether the catalog is back; the first that gets an answer from it opens the gate. One
//! that had nothing to ask the catalog proves nothing, and the next is let through in its place.

use std::time::Duration;

use super::lanes::Ready;

/// The least time between two turns that are let through.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// The longest time without a try, whatever the catalog says.
const LONGEST_HOLD: Duration = Duration::from_secs(60);

/// What a turn learned about the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing: it did not ask, or learned neither.
    Nothing,
    /// It answered: something was written or refused.
    Answer,
    /// It is out of reach, and not worth another try before this time is over.
    Outage(Duration),
}

/// Open unless the catalog is out of reach.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// When the next turn may pass; `None` while the gate is open.
    next: Option<Duration>,
    /// The turns that were let through since, and when the next may pass because of them.
    probes: Vec<(Ready, Duration)>,
}

impl Gate {
    /// Whether a turn may start.
    pub(super) fn lets_through(&self, now: Duration) -> bool {
        self.next.is_none_or(|next| next <= now)
    }

    /// When a turn may start, if that is not now or always.
    pub(super) fn opens_at(&self) -> Option<Duration> {
        self.next
    }

    /// A turn starts.
    pub(super) fn passed(&mut self, turn: Ready, now: Duration) {
        if let Some(next) = &mut self.next {
            *next = now + PROBE_EVERY;
            self.probes.push((turn, *next));
        }
    }

    /// A turn ended and saw this of the catalog.
    pub(super) fn ended(&mut self, turn: &Ready, seen: Seen, now: Duration) {
        let place = self.probes.iter().position(|(probe, _)| probe == turn);
        let probe = place.map(|place| self.probes.swap_remove(place));
        match (seen, probe) {
            (Seen::Outage(wait), _) => {
                let wait = wait.clamp(PROBE_EVERY, LONGEST_HOLD);
                self.next = self.next.max(Some(now + wait));
            }
            (Seen::Answer, Some(_)) => *self = Self::default(),
            // Unless another turn has met the outage or passed since.
            (Seen::Nothing, Some((_, next))) if self.next == Some(next) => self.next = Some(now),
            // Started before the outage, it proves nothing.
            (Seen::Answer | Seen::Nothing, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dispatch::lanes::LaneTable,
        event::EventId,
        lane::{Lane, LaneEntry},
    };

    fn turns(count: i64) -> Vec<Ready> {
        let mut table = LaneTable::default();
        for id in 0..count {
            let entry = LaneEntry {
                lane: Lane::new(id as u64),
                coalesce: None,
            };
            table.push(EventId::new(id), &[entry], None, false);
        }
        std::iter::from_fn(|| table.next_ready(Duration::ZERO)).collect()
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn while_held_single_turns_pass() {
        let turns = turns(4);
        let mut gate = Gate::default();
        assert!(gate.lets_through(at(0)));
        gate.passed(turns[0], at(0));
        gate.ended(&turns[0], Seen::Outage(at(10)), at(1));
        assert!(!gate.lets_through(at(10)));
        assert_eq!(gate.opens_at(), Some(at(11)));
        assert!(gate.lets_through(at(11)));
        gate.passed(turns[1], at(11));
        assert!(!gate.lets_through(at(11)), "one at a time");
        assert!(
            gate.lets_through(at(12)),
            "a probe that hangs blocks nothing"
        );
        gate.ended(&turns[1], Seen::Outage(at(20)), at(12));
        assert!(!gate.lets_through(at(31)));
    }

    #[test]
    fn the_first_probe_that_gets_an_answer_opens_the_gate() {
        let turns = turns(3);
        let mut gate = Gate::default();
        gate.ended(&turns[0], Seen::Outage(at(10)), at(0));
        gate.ended(&turns[1], Seen::Answer, at(1));
        assert!(
            !gate.lets_through(at(1)),
            "that turn began before the outage"
        );
        gate.passed(turns[2], at(10));
        gate.ended(&turns[2], Seen::Answer, at(10));
        assert!(gate.lets_through(at(10)));
        assert_eq!(gate.opens_at(), None);
    }
    #[test]
    fn a_probe_that_did_not_ask_only_frees_its_place() {
        let turns = turns(4);
        let mut gate = Gate::default();
        gate.ended(&turns[0], Seen::Outage(at(10)), at(0));
        gate.passed(turns[1], at(10));
        gate.ended(&turns[1], Seen::Nothing, at(10));
        assert!(gate.lets_through(at(10)), "the next in its place");
        gate.passed(turns[2], at(10));
        assert!(!gate.lets_through(at(10)), "still held");
        gate.ended(&turns[3], Seen::Outage(at(10)), at(10));
        gate.ended(&turns[2], Seen::Nothing, at(11));
        assert!(!gate.lets_through(at(19)), "an outage met since counts");
    }
}
