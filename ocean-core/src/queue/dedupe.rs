//! Deduplication: which deliveries were accepted within the window, by a hash of path and delivery
//! id.
//!
//! An entry takes 16 bytes, so the map answers only "perhaps, look at event N": whoever finds an
//! entry compares the stored event itself. The hash is keyed at random in each process, so that no
//! sender can aim at a collision.

use std::{
    collections::{HashMap, VecDeque, hash_map::RandomState},
    hash::{BuildHasher, BuildHasherDefault, Hash as _, Hasher},
};

/// Accepted deliveries of the window, about 35 bytes each.
#[derive(Debug)]
pub(super) struct Dedupe {
    window_micros: i64,
    keys: RandomState,
    seen: HashMap<u64, i64, BuildHasherDefault<Identity>>,
    // At which id each stretch of time began, so that expiry needs no date for each entry.
    stretches: VecDeque<Stretch>,
}

#[derive(Clone, Copy, Debug)]
struct Stretch {
    first_id: i64,
    began_micros: i64,
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
    /// Remembers deliveries for `window`.
    pub(super) fn new(window: std::time::Duration, capacity: usize) -> Self {
        Self {
            window_micros: i64::try_from(window.as_micros()).unwrap_or(i64::MAX),
            keys: RandomState::new(),
            seen: HashMap::with_capacity_and_hasher(capacity, BuildHasherDefault::default()),
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
        let stretch_micros = self.window_micros / 64;
        let last = self.stretches.back();
        // A clock that jumped back begins a stretch as well, or its entries would stay too long.
        if last
            .is_none_or(|last| received_micros.abs_diff(last.began_micros) as i64 > stretch_micros)
        {
            self.stretches.push_back(Stretch {
                first_id: id,
                began_micros: received_micros,
            });
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
        let mut first_kept = None;
        // A stretch ends where the next begins, so the oldest goes when the second is too old.
        while let Some(next) = self.stretches.get(1).copied() {
            if self.within_window(next.began_micros, now_micros) {
                break;
            }
            self.stretches.pop_front();
            first_kept = Some(next.first_id);
        }
        if let Some(first_kept) = first_kept {
            self.seen.retain(|_, id| *id >= first_kept);
        }
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
        let mut dedupe = Dedupe::new(Duration::from_secs(64), 0);
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
        let mut dedupe = Dedupe::new(Duration::from_secs(64), 0);
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
    fn the_path_is_part_of_the_key() {
        let dedupe = Dedupe::new(Duration::from_secs(1), 0);
        assert_ne!(dedupe.key("/a", "1"), dedupe.key("/b", "1"));
        assert_ne!(dedupe.key("/a", "b1"), dedupe.key("/ab", "1"));
    }

    #[test]
    fn undo_restores_what_was_there() {
        let mut dedupe = Dedupe::new(Duration::from_secs(1), 0);
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
