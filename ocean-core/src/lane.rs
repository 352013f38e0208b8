//! Lanes: what is kept in order, and what may be skipped.

use std::fmt;

use smallvec::SmallVec;

/// Events of one lane take effect in order of arrival; different lanes are independent.
///
/// The number is a hash of the source's path and the values of the ordering key. Two keys that
/// collide share a lane, which costs a little parallelism and no correctness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane(u64);

impl Lane {
    /// The lane with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number of the lane.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

// === LaneEntry ===

/// An event's place in one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneEntry {
    /// The lane.
    pub lane: Lane,
    /// Which processors would run, as a hash of their names, if all of them coalesce. Of waiting
    /// entries that follow one another with the same value only the last runs, and supersedes the
    /// others once it took effect.
    pub coalesce: Option<u64>,
}

/// The lanes of an event: one in nearly all cases, so nothing is allocated for them. An event that
/// no processor is for has none.
pub type Lanes = SmallVec<[LaneEntry; 1]>;
