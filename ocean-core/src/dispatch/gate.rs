//! The gate that holds new turns back while the catalog is out of reach.
//!
//! Without it every waiting event would call its handler, and through it the tool's API, only to
//! learn that its results cannot be written. While the gate is held, single turns are let through
//! to see whether the catalog is back; the first that does not meet the outage opens it.

use std::time::Duration;

use super::lanes::Ready;

/// The least time between two turns that are let through.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// The longest time without a try, whatever the catalog says.
const LONGEST_HOLD: Duration = Duration::from_secs(60);

/// Open unless the catalog is out of reach.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// When the next turn may pass; `None` while the gate is open.
    next: Option<Duration>,
    /// The turns that were let through since.
    probes: Vec<Ready>,
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
            self.probes.push(turn);
        }
    }

    /// A turn ended: `outage` is the wait before the catalog is worth another try, if the turn met
    /// one.
    pub(super) fn ended(&mut self, turn: &Ready, outage: Option<Duration>, now: Duration) {
        let probe = self.probes.iter().position(|probe| probe == turn);
        if let Some(place) = probe {
            self.probes.swap_remove(place);
        }
        match outage {
            Some(wait) => {
                let wait = wait.clamp(PROBE_EVERY, LONGEST_HOLD);
                self.next = self.next.max(Some(now + wait));
            }
            None if probe.is_some() => *self = Self::default(),
            // Started before the outage, it proves nothing.
            None => {}
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
        gate.ended(&turns[0], Some(at(10)), at(1));
        assert!(!gate.lets_through(at(10)));
        assert_eq!(gate.opens_at(), Some(at(11)));
        assert!(gate.lets_through(at(11)));
        gate.passed(turns[1], at(11));
        assert!(!gate.lets_through(at(11)), "one at a time");
        assert!(
            gate.lets_through(at(12)),
            "a probe that hangs blocks nothing"
        );
        gate.ended(&turns[1], Some(at(20)), at(12));
        assert!(!gate.lets_through(at(31)));
    }

    #[test]
    fn the_first_probe_without_outage_opens_the_gate() {
        let turns = turns(3);
        let mut gate = Gate::default();
        gate.ended(&turns[0], Some(at(10)), at(0));
        gate.ended(&turns[1], None, at(1));
        assert!(
            !gate.lets_through(at(1)),
            "that turn began before the outage"
        );
        gate.passed(turns[2], at(10));
        gate.ended(&turns[2], None, at(10));
        assert!(gate.lets_through(at(10)));
        assert_eq!(gate.opens_at(), None);
    }
}
