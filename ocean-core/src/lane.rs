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

    /// The lane of an ordering key of the source at `path`: its values, as text.
    ///
    /// Lanes are stored with events, so this must give the same number for ever.
    pub fn of_key<'a>(path: &'a str, values: impl IntoIterator<Item = &'a str>) -> Self {
        // FNV-1a: stable by definition, where `std`'s hashers promise nothing between releases.
        // Each part is followed by a byte that UTF-8 never contains, so that parts cannot blend.
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for part in std::iter::once(path).chain(values) {
            for byte in part.bytes().chain([0xff]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        Self(hash)
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
    /// Which processors would run, as a hash of their names, if all of them coalesce. A waiting
    /// entry is superseded by a later one of its lane with the same value.
    pub coalesce: Option<u64>,
}

/// The lanes of an event: one in nearly all cases, so nothing is allocated for them. An event that
/// no processor is for has none.
pub type Lanes = SmallVec<[LaneEntry; 1]>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_key_never_changes() {
        assert_eq!(
            Lane::of_key("/webhook", ["10007"]).to_string(),
            "1778249d202d119f"
        );
    }

    #[test]
    fn parts_do_not_blend() {
        assert_ne!(Lane::of_key("/a", ["bc"]), Lane::of_key("/ab", ["c"]));
        assert_ne!(Lane::of_key("/a", ["b", "c"]), Lane::of_key("/a", ["bc"]));
        assert_ne!(Lane::of_key("/a", []), Lane::of_key("/a", [""]));
    }
}
