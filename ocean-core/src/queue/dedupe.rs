//! Deduplication: which deliveries were accepted within the window, by a hash of path and delivery
//! id.
//!
//! An entry takes 16 bytes and their number is bounded, so that memory is as well: beyond the bound
//! the oldest are forgotten before the window is over. The map answers only "perhaps, look at event N": whoever finds an
//! entry compares the stored event itself. The hash is keyed at random in each process, so that no
//! sender can aim at a collision.

use std::{
    collections::{HashMap, VecDeque, hash_map::RandomState},
    hash::{BuildHasher, BuildHasherDefault, Hash as _, Hasher},
};

/// The bound on deliveries: as many as a table of 2^22 places holds, which takes 71 MB. It is
/// reached at 42 deliveries a second over 24 hours.
pub(super) const MAX_DELIVERIES: usize = (1 << 22) / 8 * 7;
/// The parts of the window, and of the bound, that are forgotten at once.
const STRETCHES: usize = 64;

/// Accepted deliveries of the window, 20 to 40 bytes each.
#[derive(Debug)]
pub(super) struct Dedupe {
    window_micros: i64,
    max: usize,
    keys: RandomState,
    seen: HashMap<u64, i64, BuildHasherDefault<Identity>>,
    // At which id each stretch of time began, so that expiry needs no date for each entry.
    stretches: VecDeque<Stretch>,
}

#[derive(Clone, Copy, Debug)]
struct Stretch {
    first_id: i64,
    began_micros: i64,
    count: usize,
}

/// A delivery's key in [`Dedupe`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(u64);

/// How to take back a [`Dedupe::insert`] whose commit failed.
#[derive(Debug)]
pub(super) struct Undo {
    key: Key,
    before: Option<i64>,
}

impl Dedupe {
    /// Remembers up to `max` deliveries for `window`.
    pub(super) fn new(window: std::time::Duration, max: usize) -> Self {
        Self {
            max,
            window_micros: i64::try_from(window.as_micros()).unwrap_or(i64::MAX),
            keys: RandomState::new(),
            seen: HashMap::default(),
            stretches: VecDeque::new(),
        }
    }

    /// The key of a delivery: qualified by its path, since two tools may count alike.
    pub(super) fn key(&self, path: &str, delivery: &str) -> Key {
        let mut hasher = self.keys.build_hasher();
        path.hash(&mut hasher);
        delivery.hash(&mut hasher);
        Key(hasher.finish())
    }

    /// The event that probably has this key.
    pub(super) fn find(&self, key: Key) -> Option<i64> {
        self.seen.get(&key.0).copied()
    }

    /// Whether something received at `first` and again at `again` is one delivery. A clock that
    /// jumped back makes the difference negative, which is within the window.
    pub(super) fn within_window(&self, first_micros: i64, again_micros: i64) -> bool {
        again_micros.saturating_sub(first_micros) < self.window_micros
    }

    /// Remembers event `id`, received at `received_micros`, under `key`. Ids must grow from call to
    /// call.
    pub(super) fn insert(&mut self, key: Key, id: i64, received_micros: i64) -> Undo {
        if self.seen.len() >= self.max && !self.stretches.is_empty() {
            self.forget(1);
        }
        let (longest_micros, largest) = (
            self.window_micros.unsigned_abs() / STRETCHES as u64,
            self.max / STRETCHES,
        );
        match self.stretches.back_mut() {
            // A clock that jumped back begins a stretch as well, or its entries would stay too long.
            Some(last)
                if received_micros.abs_diff(last.began_micros) <= longest_micros
                    && last.count <= largest =>
            {
                last.count += 1;
            }
            _ => self.stretches.push_back(Stretch {
                first_id: id,
                began_micros: received_micros,
                count: 1,
            }),
        }
        Undo {
            key,
            before: self.seen.insert(key.0, id),
        }
    }

    /// Takes back an insert; the latest first.
    pub(super) fn undo(&mut self, undo: Undo) {
        match undo.before {
            Some(id) => self.seen.insert(undo.key.0, id),
            None => self.seen.remove(&undo.key.0),
        };
    }

    /// Forgets what fell out of the window; cheap unless a stretch of time ended.
    pub(super) fn expire(&mut self, now_micros: i64) {
        // A stretch ends where the next begins, so the oldest goes when the second is too old.
        let old = self.stretches.iter().skip(1);
        let gone = old
            .take_while(|next| !self.within_window(next.began_micros, now_micros))
            .count();
        self.forget(gone);
    }

    fn forget(&mut self, stretches: usize) {
        if stretches == 0 {
            return;
        }
        self.stretches.drain(..stretches);
        let first_kept = self.stretches.front().map_or(i64::MAX, |s| s.first_id);
        self.seen.retain(|_, id| *id >= first_kept);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.seen.len()
    }
}

/// The keys are hashes already.
#[derive(Debug, Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("the map's keys are u64")
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn entries_expire_with_the_window_and_not_before() {
        let mut dedupe = Dedupe::new(Duration::from_secs(64), usize::MAX);
        for second in 0..200 {
            let key = dedupe.key("/webhook", &second.to_string());
            dedupe.insert(key, second, second * SECOND);
            dedupe.expire(second * SECOND);
        }
        let known =
            |second: i64| dedupe.find(dedupe.key("/webhook", &second.to_string())) == Some(second);
        assert!((199 - 63..200).all(known), "all of the window is known");
        assert!(!(0..199 - 70).any(known), "older ones take no memory");
    }

    #[test]
    fn a_clock_that_jumps_back_does_not_keep_entries_for_ever() {
        let mut dedupe = Dedupe::new(Duration::from_secs(64), usize::MAX);
        let key = dedupe.key("/webhook", "before the jump");
        dedupe.insert(key, 1, 1_000_000 * SECOND);
        for second in 0..200 {
            let key = dedupe.key("/webhook", &second.to_string());
            dedupe.insert(key, 2 + second, second * SECOND);
            dedupe.expire(second * SECOND);
        }
        assert!(dedupe.len() < 80, "{} entries", dedupe.len());
    }

    #[test]
    fn the_number_of_entries_is_bounded_and_the_newest_are_kept() {
        let mut dedupe = Dedupe::new(Duration::from_secs(1000), 640);
        for id in 0..5000 {
            let key = dedupe.key("/webhook", &id.to_string());
            dedupe.insert(key, id, 0);
            assert!(dedupe.len() <= 640);
        }
        let known = |id: i64| dedupe.find(dedupe.key("/webhook", &id.to_string())) == Some(id);
        assert!((5000 - 600..5000).all(known));
    }

    #[test]
    fn the_path_is_part_of_the_key() {
        let dedupe = Dedupe::new(Duration::from_secs(1), usize::MAX);
        assert_ne!(dedupe.key("/a", "1"), dedupe.key("/b", "1"));
        assert_ne!(dedupe.key("/a", "b1"), dedupe.key("/ab", "1"));
    }

    #[test]
    fn undo_restores_what_was_there() {
        let mut dedupe = Dedupe::new(Duration::from_secs(1), usize::MAX);
        let key = dedupe.key("/a", "1");
        dedupe.insert(key, 1, 0);
        let undo = dedupe.insert(key, 2, 0);
        dedupe.undo(undo);
        assert_eq!(dedupe.find(key), Some(1));
        let other = dedupe.key("/a", "2");
        let undo = dedupe.insert(other, 3, 0);
        dedupe.undo(undo);
        assert_eq!(dedupe.find(other), None);
    }
}
