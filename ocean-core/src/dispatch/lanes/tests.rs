use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn entry(lane: u64) -> LaneEntry {
    LaneEntry {
        lane: Lane::new(lane),
        coalesce: None,
    }
}

fn coalescing(lane: u64, value: u64) -> LaneEntry {
    LaneEntry {
        coalesce: Some(value),
        ..entry(lane)
    }
}

fn push(table: &mut LaneTable, id: i64, lanes: &[LaneEntry]) {
    table.push(EventId::new(id), lanes, None, false);
}

const NOW: Duration = Duration::from_secs(100);

/// Takes the next turn and gives the event's number.
fn next(table: &mut LaneTable) -> Option<(i64, Ready)> {
    table.next_ready(NOW).map(|ready| (ready.id.get(), ready))
}

#[test]
fn a_lane_runs_one_event_at_a_time() {
    let mut table = LaneTable::default();
    push(&mut table, 1, &[entry(7)]);
    push(&mut table, 2, &[entry(7)]);
    let (id, turn) = next(&mut table).unwrap();
    assert_eq!(id, 1);
    assert_eq!(next(&mut table), None);
    table.finish(&turn, Turn::Over);
    assert_eq!(next(&mut table).unwrap().0, 2);
}

#[test]
fn a_long_lane_takes_turns_with_the_others() {
    let mut table = LaneTable::default();
    for id in 0..1_000 {
        push(&mut table, id, &[entry(0)]);
    }
    push(&mut table, 1_000, &[entry(1)]);
    let (_, turn) = next(&mut table).unwrap();
    table.finish(&turn, Turn::Over);
    assert_eq!(next(&mut table).unwrap().0, 1_000);
}

#[test]
fn a_lane_that_waits_holds_up_only_itself() {
    let mut table = LaneTable::default();
    push(&mut table, 1, &[entry(1)]);
    push(&mut table, 2, &[entry(1)]);
    push(&mut table, 3, &[entry(2)]);
    let (_, turn) = next(&mut table).unwrap();
    let later = NOW + Duration::from_secs(1);
    table.finish(&turn, Turn::Again(later));
    assert_eq!(next(&mut table).unwrap().0, 3);
    assert_eq!(next(&mut table), None);
    assert_eq!(table.next_timer(), Some(later));
    let again = table.next_ready(later).unwrap();
    assert_eq!((again.id.get(), again.retried), (1, true));
}

#[test]
fn an_event_in_two_lanes_has_a_turn_in_each() {
    let mut table = LaneTable::default();
    push(&mut table, 1, &[entry(1)]);
    push(&mut table, 2, &[entry(1), entry(2)]);
    let turns: Vec<_> = std::iter::from_fn(|| next(&mut table)).collect();
    assert_eq!((turns[0].0, turns[1].0), (1, 2));
    assert!(turns[1].1.shared && !turns[0].1.shared);
    table.finish(&turns[0].1, Turn::Over);
    assert_eq!(next(&mut table).unwrap().1.lane, Lane::new(1));
}

/// The numbers of the events that leave with this one.
fn before(table: &LaneTable, turn: &Ready) -> Vec<i64> {
    let before = table.before(turn);
    before.iter().map(|older| older.id.get()).collect()
}

/// Ends turn after turn, those of `useless` events without effect, and expects these events with
/// those that leave with them.
fn check_blocks(events: &[(i64, LaneEntry)], useless: &[i64], expected: &[(i64, &[i64])]) {
    let mut table = LaneTable::default();
    for (id, entry) in events {
        push(&mut table, *id, &[*entry]);
    }
    let mut seen = Vec::new();
    while let Some((id, turn)) = next(&mut table) {
        seen.push((id, before(&table, &turn)));
        let end = match useless.contains(&id) {
            true => Turn::Alone,
            false => Turn::Over,
        };
        table.finish(&turn, end);
    }
    let expected: Vec<_> = expected.iter().map(|(id, it)| (*id, it.to_vec())).collect();
    assert_eq!(seen, expected);
    assert!(table.is_empty());
}

#[test]
fn of_a_block_the_newest_runs_and_the_others_leave_with_it() {
    let [a, b] = [5, 6].map(|value| coalescing(1, value));
    check_blocks(&[(1, a), (2, a), (3, a)], &[], &[(3, &[1, 2])]);
    check_blocks(
        &[(1, a), (2, a), (3, b), (4, a), (5, a)],
        &[],
        &[(2, &[1]), (3, &[]), (5, &[4])],
    );
    check_blocks(&[(1, entry(1)), (2, entry(1))], &[], &[(1, &[]), (2, &[])]);
}

#[test]
fn an_event_without_effect_leaves_alone() {
    let [a, b] = [5, 6].map(|value| coalescing(1, value));
    check_blocks(&[(1, a), (2, a), (3, a)], &[3], &[(3, &[1, 2]), (2, &[1])]);
    check_blocks(
        &[(1, a), (2, a), (3, b)],
        &[1, 2, 3],
        &[(2, &[1]), (1, &[]), (3, &[])],
    );
}

#[test]
fn what_arrives_meanwhile_is_the_newest_of_what_is_left() {
    let mut table = LaneTable::default();
    push(&mut table, 1, &[coalescing(1, 5)]);
    push(&mut table, 2, &[coalescing(1, 5)]);
    let (_, turn) = next(&mut table).unwrap();
    push(&mut table, 3, &[coalescing(1, 5)]);
    table.finish(&turn, Turn::Alone);
    let (id, turn) = next(&mut table).unwrap();
    assert_eq!((id, before(&table, &turn)), (3, vec![1]));
    assert!(table.before(&turn)[0].retried, "its story may have changed");
    table.finish(&turn, Turn::Again(NOW));
    push(&mut table, 4, &[coalescing(1, 5)]);
    let (id, turn) = next(&mut table).unwrap();
    assert_eq!((id, before(&table, &turn)), (4, vec![1, 3]));
}

#[test]
fn a_block_waits_for_the_date_of_its_newest_event() {
    let mut table = LaneTable::default();
    let date = NOW + Duration::from_secs(5);
    push(&mut table, 1, &[coalescing(1, 5)]);
    table.push(EventId::new(2), &[coalescing(1, 5)], Some(date), true);
    assert_eq!(next(&mut table), None);
    assert_eq!(table.next_timer(), Some(date));
    let turn = table.next_ready(date).unwrap();
    assert_eq!((turn.id.get(), before(&table, &turn)), (2, vec![1]));
}

#[test]
fn an_event_that_could_not_run_yet_is_still_the_same() {
    let mut table = LaneTable::default();
    table.push(EventId::new(1), &[entry(1)], None, true);
    let (_, turn) = next(&mut table).unwrap();
    table.finish(&turn, Turn::Later(NOW));
    let (_, again) = next(&mut table).unwrap();
    assert_eq!(again, turn);
    table.finish(&turn, Turn::Again(NOW));
    let (_, again) = next(&mut table).unwrap();
    assert!(again.retried && !again.resumed);
}

#[test]
fn the_date_of_an_event_counts_once_it_is_the_head() {
    let mut table = LaneTable::default();
    let date = NOW + Duration::from_secs(5);
    push(&mut table, 1, &[entry(1)]);
    table.push(EventId::new(2), &[entry(1)], Some(date), true);
    let (_, turn) = next(&mut table).unwrap();
    table.finish(&turn, Turn::Over);
    assert_eq!(next(&mut table), None);
    assert!(table.next_ready(date).unwrap().resumed);
}

#[test]
fn an_event_in_a_lane_of_its_own_needs_less_than_eighty_bytes() {
    // An eighth of a million: all capacities double, so a million fills them to the same degree.
    let mut table = LaneTable::default();
    for id in 0..125_000 {
        push(&mut table, id, &[coalescing(id as u64, 1)]);
    }
    let bytes = table.heap_bytes();
    assert!(bytes < 125_000 * 80, "{bytes} bytes");
    while let Some((_, turn)) = next(&mut table) {
        table.finish(&turn, Turn::Over);
    }
    assert_eq!(
        table.heap_bytes(),
        0,
        "an empty table gives its memory back"
    );
}

impl LaneTable {
    /// What the table holds on the heap.
    fn heap_bytes(&self) -> usize {
        let map = |capacity: usize, bytes: usize| capacity * (bytes + 1) * 8 / 7;
        self.entries.values.capacity() * size_of::<Entry>()
            + self.lanes.values.capacity() * size_of::<LaneState>()
            + (self.entries.free.capacity() + self.lanes.free.capacity()) * 4
            + self.index.allocation_size()
            + self.ready.capacity() * 4
            + self.timers.capacity() * 24
            + map(self.dates.capacity(), 24)
    }
}

// === Against a naive model ===

/// What happens to the table in a property test.
#[derive(Clone, Debug)]
enum Step {
    /// An event arrives.
    Push {
        lanes: Vec<(u8, Option<u8>)>,
        delay: Option<u8>,
    },
    /// Everything that may start does so, up to this many.
    Start(u8),
    /// A running turn ends: which, and after how long it is tried again; with effect, if not.
    Finish(u8, Option<u8>, bool),
    /// Time passes.
    Pass(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let lane = (0..6u8, proptest::option::weighted(0.6, 0..3u8));
    let step = prop_oneof![
        4 => (proptest::collection::vec(lane, 1..4), proptest::option::weighted(0.2, 0..20u8))
            .prop_map(|(mut lanes, delay)| {
                lanes.sort_by_key(|(lane, _)| *lane);
                lanes.dedup_by_key(|(lane, _)| *lane);
                Step::Push { lanes, delay }
            }),
        3 => (1..5u8).prop_map(Step::Start),
        4 => (any::<u8>(), proptest::option::weighted(0.3, 0..20u8), any::<bool>())
            .prop_map(|(which, delay, effect)| Step::Finish(which, delay, effect)),
        2 => (0..10u8).prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..120)
}

/// The model: a list of events for each lane, searched from the start every time.
#[derive(Default)]
struct Model {
    lanes: BTreeMap<u8, Vec<Waiting>>,
    running: Vec<u8>,
}

#[derive(Clone)]
struct Waiting {
    id: i64,
    coalesce: Option<u8>,
    date: Option<Duration>,
}

impl Model {
    fn push(&mut self, id: i64, lanes: &[(u8, Option<u8>)], date: Option<Duration>) {
        for (lane, coalesce) in lanes {
            self.lanes.entry(*lane).or_default().push(Waiting {
                id,
                coalesce: *coalesce,
                date,
            });
        }
    }

    /// How many events the block at the head of the lane has.
    fn block(&self, lane: u8) -> usize {
        let events = &self.lanes[&lane];
        let Some(value) = events.first().map(|head| head.coalesce) else {
            return 0;
        };
        let same = |event: &&Waiting| value.is_some() && event.coalesce == value;
        events.iter().take_while(same).count().max(1)
    }

    /// Lanes that must start: nothing in their block waits for a date.
    fn startable(&self, now: Duration) -> Vec<u8> {
        let ready = |(lane, events): (&u8, &Vec<Waiting>)| {
            let block = &events[..self.block(*lane)];
            let waits = |event: &Waiting| event.date.is_some_and(|date| date > now);
            let starts =
                !block.is_empty() && !block.iter().any(waits) && !self.running.contains(lane);
            starts.then_some(*lane)
        };
        self.lanes.iter().filter_map(ready).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Order, isolation, no loss, no second turn, coalescing: as the model says, at every step; at
    /// the end everything has left.
    #[test]
    fn lanes_behave_as_the_model(steps in steps()) {
        let mut table = LaneTable::default();
        let mut model = Model::default();
        let mut running: Vec<Ready> = Vec::new();
        let mut now = Duration::ZERO;
        let mut id = 0;
        for step in steps {
            match step {
                Step::Push { lanes, delay } => {
                    id += 1;
                    let date = delay.map(|delay| now + Duration::from_secs(delay.into()));
                    let entries: Vec<_> = lanes
                        .iter()
                        .map(|(lane, value)| LaneEntry {
                            lane: Lane::new((*lane).into()),
                            coalesce: value.map(|value| u64::from(value) + 10),
                        })
                        .collect();
                    table.push(EventId::new(id), &entries, date, false);
                    model.push(id, &lanes, date);
                }
                Step::Start(count) => {
                    for _ in 0..count {
                        start(&mut table, &mut model, &mut running, now)?;
                    }
                }
                Step::Finish(which, delay, effect) if !running.is_empty() => {
                    let turn = running.swap_remove(usize::from(which) % running.len());
                    finish(&mut table, &mut model, turn, delay, effect, now);
                }
                Step::Finish(..) => {}
                Step::Pass(seconds) => now += Duration::from_secs(seconds.into()),
            }
            let waiting: usize = model.lanes.values().map(Vec::len).sum();
            prop_assert_eq!(table.len(), waiting);
        }
        // Drain: whatever is left ends, each within a bounded number of turns.
        let mut rounds = 0;
        while !table.is_empty() {
            rounds += 1;
            prop_assert!(rounds < 1_000, "nothing moves any more");
            now += Duration::from_secs(1);
            while start(&mut table, &mut model, &mut running, now)? {}
            for turn in running.drain(..) {
                finish(&mut table, &mut model, turn, None, rounds % 3 > 0, now);
            }
        }
        prop_assert!(model.lanes.values().all(Vec::is_empty));
        prop_assert!(table.index.is_empty() && table.dates.is_empty());
    }

    /// No lane starves: whatever the lengths of the backlogs, no lane is more than one turn ahead of
    /// another that still waits.
    #[test]
    fn no_lane_starves(lengths in proptest::collection::vec(1..30usize, 1..8)) {
        let mut table = LaneTable::default();
        let mut id = 0;
        for (lane, length) in lengths.iter().enumerate() {
            for _ in 0..*length {
                id += 1;
                push(&mut table, id, &[entry(lane as u64)]);
            }
        }
        let mut turns = vec![0; lengths.len()];
        while let Some((_, turn)) = next(&mut table) {
            turns[turn.lane.get() as usize] += 1;
            table.finish(&turn, Turn::Over);
            let behind = turns.iter().zip(&lengths).filter(|(done, all)| done < all);
            let least = behind.map(|(done, _)| *done).min();
            let most = turns.iter().copied().max().unwrap_or(0);
            prop_assert!(least.is_none_or(|least| most <= least + 1), "turns {turns:?}");
        }
        prop_assert_eq!(turns, lengths);
    }
}

fn start(
    table: &mut LaneTable,
    model: &mut Model,
    running: &mut Vec<Ready>,
    now: Duration,
) -> Result<bool, TestCaseError> {
    let startable = model.startable(now);
    let Some(turn) = table.next_ready(now) else {
        prop_assert!(startable.is_empty(), "lanes {startable:?} may start");
        return Ok(false);
    };
    let lane = turn.lane.get() as u8;
    prop_assert!(!model.running.contains(&lane), "one turn a lane");
    let events = &model.lanes[&lane];
    let newest = model.block(lane) - 1;
    prop_assert_eq!(turn.id.get(), events[newest].id, "order of arrival");
    prop_assert!(
        events[newest].date.is_none_or(|date| date <= now),
        "not before its date"
    );
    let older: Vec<_> = events[..newest].iter().map(|event| event.id).collect();
    let before: Vec<_> = table
        .before(&turn)
        .iter()
        .map(|older| older.id.get())
        .collect();
    prop_assert_eq!(before, older);
    model.running.push(lane);
    running.push(turn);
    Ok(true)
}

fn finish(
    table: &mut LaneTable,
    model: &mut Model,
    turn: Ready,
    delay: Option<u8>,
    effect: bool,
    now: Duration,
) {
    let lane = turn.lane.get() as u8;
    model.running.retain(|running| *running != lane);
    let events = model.lanes.get_mut(&lane).expect("it runs");
    let place = events.iter().position(|event| event.id == turn.id.get());
    let place = place.expect("it runs");
    match delay {
        Some(delay) => {
            let date = now + Duration::from_secs(delay.into());
            events[place].date = Some(date);
            table.finish(&turn, Turn::Again(date));
        }
        None if effect => {
            events.drain(..=place);
            table.finish(&turn, Turn::Over);
        }
        None => {
            events.remove(place);
            table.finish(&turn, Turn::Alone);
        }
    }
}
