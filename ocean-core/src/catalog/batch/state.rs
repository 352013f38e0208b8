//! The lines: who writes which entity next, and what is ready to be sent.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use smallvec::SmallVec;
use tokio::{sync::oneshot, time::Instant};

use super::{Batch, BatchOptions, Fate, GroupKey, Item, Report, concurrency::Concurrency, lost};
use crate::catalog::{ChangeSet, Entity, EntityKey, WriteOptions};

// What a batch's body has beside the entities and one comma each.
const ENVELOPE_BYTES: usize = r#"{"entities":[]}"#.len();
const MAX_IDLE_GROUPS: usize = 1000;
// How many times the linger a write waits at most while others keep coming.
const LINGERS: u32 = 4;

/// What the caller must do after a change of state.
#[derive(Debug)]
pub(super) enum Next {
    /// Take a batch and send it.
    Send,
    /// Come back at that time.
    WaitUntil(GroupKey, Instant),
}

/// A batch on its way.
#[derive(Debug)]
pub(super) struct Ticket {
    group: GroupKey,
    places: Vec<Place>,
    generation: u64,
}

/// Names a write: the event and its place among the event's writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    event: u64,
    index: usize,
}

/// An event whose writes are not all done.
#[derive(Debug)]
struct Pending {
    writes: Vec<Write>,
    options: WriteOptions,
    /// Writes of later stages wait.
    stage: u32,
    left_in_stage: usize,
    left: usize,
    reply: oneshot::Sender<Vec<Fate>>,
}

#[derive(Debug)]
struct Write {
    key: EntityKey,
    // Empty for a delete, and once the write is on its way.
    json: Bytes,
    stage: u32,
    is_delete: bool,
    fate: Option<Fate>,
}

/// Writes that could share a call.
#[derive(Debug, Default)]
struct Group {
    ready: VecDeque<Place>,
    bytes: usize,
    last_arrival: Option<Instant>,
    /// Since when the ready writes wait for others.
    waits_since: Option<Instant>,
    /// When they have waited long enough.
    deadline: Option<Instant>,
    /// Its last batch had several writes, so that the next write may expect company.
    was_in_company: bool,
    /// A timer will come back for the deadline, or for a later one.
    has_timer: bool,
    is_due: bool,
    /// Its batches on their way.
    in_flight: usize,
}

/// All lines. Only moments of work happen under its lock.
#[derive(Debug)]
pub(super) struct State {
    options: BatchOptions,
    events: HashMap<u64, Pending>,
    last_event: u64,
    /// Per entity: the write that is next or on its way, then those that wait for it.
    lines: HashMap<EntityKey, SmallVec<[Place; 2]>>,
    groups: HashMap<GroupKey, Group>,
    /// Groups with something to send, in the order in which they became so.
    due: VecDeque<GroupKey>,
    concurrency: Concurrency,
    /// Sends that were asked for and have not taken their batch yet.
    promised: usize,
}

impl State {
    pub(super) fn new(options: BatchOptions) -> Self {
        Self {
            concurrency: Concurrency::new(options.max_in_flight),
            options: BatchOptions {
                max_upserts: options.max_upserts.clamp(1, 20),
                max_deletes: options.max_deletes.clamp(1, 100),
                ..options
            },
            events: HashMap::new(),
            last_event: 0,
            lines: HashMap::new(),
            groups: HashMap::new(),
            due: VecDeque::new(),
            promised: 0,
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.concurrency.limit()
    }

    /// Gives all writes of an event their place in the lines.
    pub(super) fn add(
        &mut self,
        changes: ChangeSet,
        reply: oneshot::Sender<Vec<Fate>>,
        now: Instant,
    ) -> Vec<Next> {
        self.last_event += 1;
        let event = self.last_event;
        let writes = in_stages(changes.upserts, changes.deletes);
        for (index, write) in writes.iter().enumerate() {
            self.lines
                .entry(write.key.clone())
                .or_default()
                .push(Place { event, index });
        }
        let pending = Pending {
            left: writes.len(),
            left_in_stage: 0,
            stage: 0,
            options: changes.options,
            writes,
            reply,
        };
        self.events.insert(event, pending);
        let mut next = Vec::new();
        self.open_stage(event, 0, now, &mut next);
        self.allow_sends(&mut next);
        next
    }

    /// A timer came back.
    pub(super) fn linger_is_over(&mut self, key: &GroupKey, now: Instant) -> Vec<Next> {
        let mut next = Vec::new();
        let Some(group) = self.groups.get_mut(key) else {
            return next;
        };
        match group.deadline {
            // The writes the timer was set for left with a full batch; others have come since.
            Some(deadline) if deadline > now => {
                next.push(Next::WaitUntil(key.clone(), deadline));
            }
            deadline => {
                group.has_timer = false;
                if deadline.is_some() {
                    self.make_due(key);
                }
            }
        }
        self.allow_sends(&mut next);
        next
    }

    /// The batch of the group that has been due longest; keeps what a [`Next::Send`] promised.
    pub(super) fn take_batch(
        &mut self,
        now: Instant,
        next: &mut Vec<Next>,
    ) -> Option<(Batch, Ticket)> {
        self.promised -= 1;
        let mut taken = None;
        while taken.is_none()
            && let Some(key) = self.due.pop_front()
        {
            taken = self.fill(key, now, next);
        }
        self.allow_sends(next);
        taken
    }

    /// Writes down what became of a batch and moves the lines up.
    pub(super) fn finish(&mut self, ticket: Ticket, report: Report, now: Instant) -> Vec<Next> {
        self.concurrency
            .finish(ticket.generation, report.overloaded);
        if let Some(group) = self.groups.get_mut(&ticket.group) {
            group.in_flight -= 1;
        }
        let mut next = Vec::new();
        let mut fates = report.fates.into_iter();
        for place in ticket.places {
            let fate = fates.next().unwrap_or_else(|| Err(lost()));
            self.settle(place, fate, now, &mut next);
        }
        self.allow_sends(&mut next);
        next
    }

    fn open_stage(&mut self, event: u64, stage: u32, now: Instant, next: &mut Vec<Next>) {
        let Some(pending) = self.events.get_mut(&event) else {
            return;
        };
        pending.stage = stage;
        let mut opened = SmallVec::<[Place; 4]>::new();
        for (index, write) in pending.writes.iter().enumerate() {
            if write.stage == stage {
                pending.left_in_stage += 1;
                let place = Place { event, index };
                if self.lines.get(&write.key).and_then(|line| line.first()) == Some(&place) {
                    opened.push(place);
                }
            }
        }
        for place in opened {
            self.make_ready(place, now, next);
        }
    }

    /// `place` is the first of its line and its event's stage is open.
    fn make_ready(&mut self, place: Place, now: Instant, next: &mut Vec<Next>) {
        let pending = &self.events[&place.event];
        let write = &pending.writes[place.index];
        let key = write.group(pending.options);
        let group = self.groups.entry(key.clone()).or_default();
        group.ready.push_back(place);
        group.bytes += write.bytes();
        // A write that came alone goes alone: the last arrival is so long ago that waiting for the
        // next makes no sense, or writes come one after another's answer.
        let is_rare = group
            .last_arrival
            .is_none_or(|last| now.duration_since(last) >= self.options.linger);
        let is_next = group.in_flight == 0 && !group.was_in_company;
        let is_alone = group.ready.len() == 1 && (is_rare || is_next);
        group.last_arrival = Some(now);
        group.wait(now, self.options.linger);
        if is_alone || is_full(group, &key, &self.options) {
            self.make_due(&key);
        } else {
            self.set_timer(key, next);
        }
    }

    fn make_due(&mut self, key: &GroupKey) {
        if let Some(group) = self.groups.get_mut(key)
            && !group.is_due
        {
            group.is_due = true;
            self.due.push_back(key.clone());
        }
    }

    fn set_timer(&mut self, key: GroupKey, next: &mut Vec<Next>) {
        if let Some(group) = self.groups.get_mut(&key)
            && !group.is_due
            && !group.has_timer
            && let Some(deadline) = group.deadline
        {
            group.has_timer = true;
            next.push(Next::WaitUntil(key, deadline));
        }
    }

    fn allow_sends(&mut self, next: &mut Vec<Next>) {
        while self.promised < self.due.len() && self.concurrency.has_room_for(self.promised + 1) {
            self.promised += 1;
            next.push(Next::Send);
        }
    }

    fn fill(
        &mut self,
        key: GroupKey,
        now: Instant,
        next: &mut Vec<Next>,
    ) -> Option<(Batch, Ticket)> {
        let group = self.groups.get_mut(&key)?;
        group.is_due = false;
        let mut items = Vec::new();
        let mut places = Vec::new();
        let mut abandoned = Vec::new();
        let mut body = ENVELOPE_BYTES;
        let limit = max_items(&key, &self.options);
        while let Some(&place) = group.ready.front() {
            let pending = self
                .events
                .get_mut(&place.event)
                .expect("an event stays until its last write is settled");
            let write = &mut pending.writes[place.index];
            let bytes = write.bytes();
            let fits = items.len() < limit && body + bytes <= self.options.max_bytes;
            if !fits && !items.is_empty() {
                break;
            }
            group.ready.pop_front();
            group.bytes -= bytes;
            if pending.reply.is_closed() {
                abandoned.push(place);
                continue;
            }
            body += bytes;
            places.push(place);
            items.push(Item {
                key: write.key.clone(),
                json: std::mem::take(&mut write.json),
            });
        }
        group.waits_since = None;
        group.deadline = None;
        if !group.ready.is_empty() {
            group.wait(now, self.options.linger);
            if is_full(group, &key, &self.options) {
                self.make_due(&key);
            } else {
                self.set_timer(key.clone(), next);
            }
        }
        // Nobody waits for these any more; those behind them move up.
        for place in abandoned {
            self.settle(place, Err(lost()), now, next);
        }
        self.forget_idle_groups();
        if places.is_empty() {
            return None;
        }
        let group = self.groups.entry(key.clone()).or_default();
        group.in_flight += 1;
        group.was_in_company = places.len() > 1;
        let ticket = Ticket {
            group: key.clone(),
            places,
            generation: self.concurrency.start(),
        };
        Some((Batch { group: key, items }, ticket))
    }

    fn settle(&mut self, place: Place, fate: Fate, now: Instant, next: &mut Vec<Next>) {
        let pending = self
            .events
            .get_mut(&place.event)
            .expect("an event stays until its last write is settled");
        let write = &mut pending.writes[place.index];
        write.fate = Some(fate);
        let key = write.key.clone();
        pending.left -= 1;
        pending.left_in_stage -= 1;
        let (left, left_in_stage, stage) = (pending.left, pending.left_in_stage, pending.stage);

        if let Some(successor) = self.leave_line(key, place)
            && self.is_open(successor)
        {
            self.make_ready(successor, now, next);
        }
        if left == 0 {
            if let Some(done) = self.events.remove(&place.event) {
                done.answer();
            }
        } else if left_in_stage == 0 {
            self.open_stage(place.event, stage + 1, now, next);
        }
    }

    /// Takes the first of a line away and returns who is first now.
    fn leave_line(&mut self, key: EntityKey, place: Place) -> Option<Place> {
        let Entry::Occupied(mut line) = self.lines.entry(key) else {
            return None;
        };
        debug_assert_eq!(line.get().first(), Some(&place));
        line.get_mut().remove(0);
        let successor = line.get().first().copied();
        if successor.is_none() {
            line.remove();
        }
        successor
    }

    fn is_open(&self, place: Place) -> bool {
        let pending = &self.events[&place.event];
        // Stages before the current one are done, so equality would do as well.
        pending.writes[place.index].stage <= pending.stage
    }

    // Blueprints may be computed by a mapping program, so the groups must not pile up.
    fn forget_idle_groups(&mut self) {
        if self.groups.len() > MAX_IDLE_GROUPS {
            self.groups.retain(|_, group| {
                group.has_timer || group.is_due || group.in_flight > 0 || !group.ready.is_empty()
            });
        }
    }
}

impl Group {
    /// The ready writes wait for the next, but not for ever.
    fn wait(&mut self, now: Instant, linger: Duration) {
        let since = *self.waits_since.get_or_insert(now);
        self.deadline = Some((now + linger).min(since + linger * LINGERS));
    }
}

impl Write {
    fn group(&self, options: WriteOptions) -> GroupKey {
        if self.is_delete {
            GroupKey::Delete {
                delete_dependents: options.delete_dependents,
            }
        } else {
            GroupKey::Upsert {
                blueprint: self.key.blueprint.clone(),
                merge: options.merge,
                create_missing_related_entities: options.create_missing_related_entities,
            }
        }
    }

    fn bytes(&self) -> usize {
        self.json.len() + 1
    }
}

impl Pending {
    fn answer(self) {
        let fates = self.writes.into_iter().map(|write| {
            write
                .fate
                .expect("the event is answered when every write has its fate")
        });
        // The caller may have given up; then nobody wants to know.
        let _ = self.reply.send(fates.collect());
    }
}

/// Upserts blueprint by blueprint in the order in which the blueprints first appear, as upstream
/// writes them, then all deletes.
fn in_stages(upserts: Vec<Entity>, deletes: Vec<EntityKey>) -> Vec<Write> {
    let mut blueprints: SmallVec<[Arc<str>; 2]> = SmallVec::new();
    let mut writes = Vec::with_capacity(upserts.len() + deletes.len());
    for Entity { key, json } in upserts {
        let known = blueprints.iter().position(|known| *known == key.blueprint);
        let stage = known.unwrap_or_else(|| {
            blueprints.push(key.blueprint.clone());
            blueprints.len() - 1
        });
        writes.push(Write {
            key,
            json,
            stage: stage as u32,
            is_delete: false,
            fate: None,
        });
    }
    let last = blueprints.len() as u32;
    writes.extend(deletes.into_iter().map(|key| Write {
        key,
        json: Bytes::new(),
        stage: last,
        is_delete: true,
        fate: None,
    }));
    writes
}

fn max_items(key: &GroupKey, options: &BatchOptions) -> usize {
    match key {
        GroupKey::Upsert { .. } => options.max_upserts,
        GroupKey::Delete { .. } => options.max_deletes,
    }
}

fn is_full(group: &Group, key: &GroupKey, options: &BatchOptions) -> bool {
    group.ready.len() >= max_items(key, options)
        || group.bytes + ENVELOPE_BYTES >= options.max_bytes
}

#[cfg(test)]
impl State {
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.lines.is_empty() && self.promised == 0
    }
}
