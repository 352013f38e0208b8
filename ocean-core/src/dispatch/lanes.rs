//! Lanes: which event may start next.
//!
//! A pure data structure without clock, tasks or IO: the time is a [`Duration`] since an origin of
//! the caller's choice. An event waits in each of its lanes; the head of a lane may start when its
//! date has come, whatever happens in other lanes. Lanes start in the order in which they became
//! ready, so a lane with a long backlog takes its turn like every other. **In a lane one event runs
//! at a time, in order of arrival; a lane whose head waits for a date holds up only itself.**
//!
//! Events that follow one another in a lane and have the same coalesce value are a block, of which
//! the newest runs first. Only if it took effect do those before it leave with it; else it leaves
//! alone and the newest of the rest is next. So a newer event that turns out to be of no use does
//! not cost the good one before it, and nothing ever runs after something newer that took effect.
//! An event of another value ends a block, because what came before it must not come after it.
//!
//! A million events in as many lanes need about 60 bytes each: lists are threaded through two
//! slabs by 32-bit places, and the index of lanes keeps places rather than keys.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    time::Duration,
};

use hashbrown::HashTable;

use crate::{
    event::EventId,
    lane::{Lane, LaneEntry},
};

#[cfg(test)]
mod tests;

/// All lanes with events in them.
#[derive(Debug, Default)]
pub(super) struct LaneTable {
    entries: Slab<Entry>,
    lanes: Slab<LaneState>,
    /// Places in `lanes`, by lane.
    index: HashTable<u32>,
    /// Lanes whose head may start, in the order in which they became ready.
    ready: VecDeque<u32>,
    /// Lanes whose head waits for a date.
    timers: BinaryHeap<Reverse<(Duration, u32)>>,
    /// The dates of entries that are not next yet: few, so they have no field in each entry.
    dates: HashMap<u32, Duration>,
}

/// An event of a lane that may start. It keeps its place until [`LaneTable::finish`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ready {
    slot: u32,
    place: u32,
    /// The event.
    pub(super) id: EventId,
    /// The lane in which it is its turn.
    pub(super) lane: Lane,
    /// It was found at start and has not run since.
    pub(super) resumed: bool,
    /// Something may have been recorded of it in this process: it ran and is tried again, or a
    /// newer event took effect in part.
    pub(super) retried: bool,
    /// It waits in other lanes, too.
    pub(super) shared: bool,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The event has left the lane, and so have those of its block that came before it.
    Over,
    /// The event has left the lane without effect; those before it are still to run.
    Alone,
    /// It ran, keeps its place and is tried again at this time.
    Again(Duration),
    /// It could not run yet, and is taken up at this time as if for the first time.
    Later(Duration),
}

impl LaneTable {
    /// Lets an event wait in `lanes`, behind all that are there, and not before `date`.
    pub(super) fn push(
        &mut self,
        id: EventId,
        lanes: &[LaneEntry],
        date: Option<Duration>,
        resumed: bool,
    ) {
        let shared = lanes.len() > 1;
        for lane in lanes {
            let entry = Entry {
                id,
                coalesce: lane.coalesce.map_or(0, nonzero),
                next: NONE,
                flags: (u8::from(resumed) * RESUMED) | (u8::from(shared) * SHARED),
            };
            let place = self.entries.insert(entry);
            if let Some(date) = date {
                self.dates.insert(place, date);
            }
            match self.find(lane.lane) {
                Some(slot) => self.append(slot, place),
                None => self.open(lane.lane, place),
            }
        }
    }

    /// The next event that may start.
    pub(super) fn next_ready(&mut self, now: Duration) -> Option<Ready> {
        if !self.has_ready(now) {
            return None;
        }
        let slot = self.ready.pop_front()?;
        Some(self.ready(slot, self.newest(slot)))
    }

    /// Whether [`next_ready`](Self::next_ready) has something.
    pub(super) fn has_ready(&mut self, now: Duration) -> bool {
        self.wake(now);
        while let Some(slot) = self.ready.front().copied() {
            // Newer events may have arrived since the lane became ready, and wait for a date.
            match self.take_date(slot) {
                Some(date) if date > now => {
                    self.timers.push(Reverse((date, slot)));
                    self.ready.pop_front();
                }
                _ => return true,
            }
        }
        false
    }

    /// The events that leave with this one when its turn is [`Turn::Over`], oldest first.
    pub(super) fn before(&self, turn: &Ready) -> Vec<Ready> {
        let mut before = Vec::new();
        let mut place = self.lanes.get(turn.slot).head;
        while place != turn.place {
            before.push(self.ready(turn.slot, place));
            place = self.entries.get(place).next;
        }
        before
    }

    /// Whether a lane was ready when it was last asked.
    pub(super) fn any_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// When the next waiting lane is ready by itself.
    pub(super) fn next_timer(&self) -> Option<Duration> {
        self.timers.peek().map(|Reverse((date, _))| *date)
    }

    /// Ends the turn of an event that [`next_ready`](Self::next_ready) gave out.
    pub(super) fn finish(&mut self, turn: &Ready, end: Turn) {
        let Ready { slot, place, .. } = *turn;
        debug_assert_eq!(self.entries.get(place).id, turn.id, "one turn a lane");
        match end {
            Turn::Again(date) => {
                let entry = self.entries.get_mut(place);
                entry.flags = (entry.flags & !RESUMED) | RETRIED;
                self.timers.push(Reverse((date, slot)));
            }
            Turn::Later(date) => self.timers.push(Reverse((date, slot))),
            Turn::Over => {
                let mut next = self.lanes.get(slot).head;
                while next != place {
                    next = self.leave(next);
                }
                let next = self.leave(place);
                self.begin_at(slot, next);
            }
            Turn::Alone => {
                let previous = self.previous(slot, place);
                let next = self.leave(place);
                let Some(previous) = previous else {
                    return self.begin_at(slot, next);
                };
                let entry = self.entries.get_mut(previous);
                entry.next = next;
                entry.flags |= RETRIED;
                if next == NONE {
                    self.lanes.get_mut(slot).tail = previous;
                }
                self.enter(slot);
            }
        }
    }

    /// Places of events in lanes: an event in two lanes counts twice.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing waits or runs.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn wake(&mut self, now: Duration) {
        while let Some(Reverse((date, slot))) = self.timers.peek()
            && *date <= now
        {
            self.ready.push_back(*slot);
            self.timers.pop();
        }
    }

    /// The newest entry of the block at the head of the lane.
    fn newest(&self, slot: u32) -> u32 {
        let mut place = self.lanes.get(slot).head;
        let Entry { coalesce, .. } = *self.entries.get(place);
        if coalesce == 0 {
            return place;
        }
        for _ in 1..LONGEST_BLOCK {
            let next = self.entries.get(place).next;
            if next == NONE || self.entries.get(next).coalesce != coalesce {
                break;
            }
            place = next;
        }
        place
    }

    /// The date for which the lane has to wait, taken from the entry that is its next.
    fn take_date(&mut self, slot: u32) -> Option<Duration> {
        if self.dates.is_empty() {
            return None;
        }
        let newest = self.newest(slot);
        self.dates.remove(&newest)
    }

    fn ready(&self, slot: u32, place: u32) -> Ready {
        let entry = self.entries.get(place);
        Ready {
            slot,
            place,
            id: entry.id,
            lane: self.lanes.get(slot).lane,
            resumed: entry.flags & RESUMED != 0,
            retried: entry.flags & RETRIED != 0,
            shared: entry.flags & SHARED != 0,
        }
    }

    fn previous(&self, slot: u32, place: u32) -> Option<u32> {
        let mut previous = self.lanes.get(slot).head;
        if previous == place {
            return None;
        }
        loop {
            let next = self.entries.get(previous).next;
            if next == place {
                return Some(previous);
            }
            previous = next;
        }
    }

    /// Removes an entry and gives the one behind it.
    fn leave(&mut self, place: u32) -> u32 {
        self.dates.remove(&place);
        self.entries.remove(place).next
    }

    fn find(&self, lane: Lane) -> Option<u32> {
        let same = |slot: &u32| self.lanes.get(*slot).lane == lane;
        self.index.find(hash(lane), same).copied()
    }

    fn open(&mut self, lane: Lane, place: u32) {
        let slot = self.lanes.insert(LaneState {
            lane,
            head: place,
            tail: place,
        });
        let lanes = &self.lanes;
        self.index
            .insert_unique(hash(lane), slot, |slot| hash(lanes.get(*slot).lane));
        self.enter(slot);
    }

    fn append(&mut self, slot: u32, place: u32) {
        let lane = self.lanes.get_mut(slot);
        let tail = std::mem::replace(&mut lane.tail, place);
        self.entries.get_mut(tail).next = place;
    }

    /// The lane goes on with this entry, or ends.
    fn begin_at(&mut self, slot: u32, head: u32) {
        if head == NONE {
            return self.close(slot);
        }
        self.lanes.get_mut(slot).head = head;
        self.enter(slot);
    }

    /// The lane has another entry that is next.
    fn enter(&mut self, slot: u32) {
        match self.take_date(slot) {
            Some(date) => self.timers.push(Reverse((date, slot))),
            None => self.ready.push_back(slot),
        }
    }

    fn close(&mut self, slot: u32) {
        let lane = self.lanes.remove(slot).lane;
        let found = self.index.find_entry(hash(lane), |other| *other == slot);
        found.expect("every open lane is in the index").remove();
        // After a large backlog the slabs would keep its memory for good.
        if self.is_empty() && self.entries.capacity() > KEPT_CAPACITY {
            *self = Self::default();
        }
    }
}

// === Entry ===

/// An event's place in one lane.
#[derive(Clone, Copy, Debug)]
struct Entry {
    id: EventId,
    /// The coalesce value; 0 for none.
    coalesce: u64,
    next: u32,
    flags: u8,
}

const RESUMED: u8 = 1;
const RETRIED: u8 = 2;
const SHARED: u8 = 4;

/// The most events of a block: bounds the work of a turn, however long a lane is and however many
/// of its events turn out to be of no use.
const LONGEST_BLOCK: usize = 4096;

/// No place.
const NONE: u32 = u32::MAX;

/// The capacity that an empty table may keep.
const KEPT_CAPACITY: usize = 16 * 1024;

/// A coalesce value of 0 shares that of 1: with a hash of names that is as likely as any collision.
fn nonzero(value: u64) -> u64 {
    value.max(1)
}

// === LaneState ===

/// A lane with at least one event.
#[derive(Clone, Copy, Debug)]
struct LaneState {
    lane: Lane,
    head: u32,
    tail: u32,
}

/// Lanes are hashes already, but small numbers would all fall into the same group of the table.
fn hash(lane: Lane) -> u64 {
    lane.get()
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(32)
}

// === Slab ===

/// Values that keep their place, named by 32 bits.
#[derive(Debug)]
struct Slab<T> {
    values: Vec<T>,
    free: Vec<u32>,
}

impl<T: Copy> Slab<T> {
    fn insert(&mut self, value: T) -> u32 {
        if let Some(place) = self.free.pop() {
            self.values[place as usize] = value;
            return place;
        }
        let place = u32::try_from(self.values.len())
            .ok()
            .filter(|place| *place != NONE)
            .expect("memory ends before four thousand million events wait");
        self.values.push(value);
        place
    }

    fn remove(&mut self, place: u32) -> T {
        self.free.push(place);
        self.values[place as usize]
    }

    fn get(&self, place: u32) -> &T {
        &self.values[place as usize]
    }

    fn get_mut(&mut self, place: u32) -> &mut T {
        &mut self.values[place as usize]
    }

    fn len(&self) -> usize {
        self.values.len() - self.free.len()
    }

    fn capacity(&self) -> usize {
        self.values.capacity()
    }
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            free: Vec::new(),
        }
    }
}
