use std::{
    collections::{BTreeMap, HashSet},
    sync::atomic::{AtomicUsize, Ordering},
};

use futures_util::StreamExt as _;
use proptest::{collection::vec, prelude::*};
use tokio::time::sleep;

use super::*;
use crate::catalog::{Entity, Identifier, WriteOptions};

/// Writes into memory after a delay, and watches that the rules are kept.
struct Memory {
    delay: fn() -> Duration,
    seen: Mutex<Seen>,
    calls: AtomicUsize,
}

#[derive(Default)]
struct Seen {
    in_flight: HashSet<EntityKey>,
    /// The last text written for each entity.
    entities: BTreeMap<EntityKey, String>,
    batches: Vec<Batch>,
}

impl Memory {
    fn new(delay: fn() -> Duration) -> Self {
        Self {
            delay,
            seen: Mutex::default(),
            calls: AtomicUsize::new(0),
        }
    }
}

impl Sink for Memory {
    fn write(&self, batch: Batch) -> BoxFuture<'_, Report> {
        Box::pin(async move {
            self.calls.fetch_add(1, Ordering::SeqCst);
            for item in &batch.items {
                let is_alone = self.seen.lock().unwrap().in_flight.insert(item.key.clone());
                assert!(is_alone, "two writes of {} are in flight", item.key);
            }
            sleep((self.delay)()).await;
            let mut seen = self.seen.lock().unwrap();
            let fates = batch.items.iter().map(|item| {
                seen.in_flight.remove(&item.key);
                let text = String::from_utf8(item.json.to_vec()).unwrap();
                match &batch.group {
                    GroupKey::Upsert { .. } => seen.entities.insert(item.key.clone(), text.clone()),
                    GroupKey::Delete { .. } => seen.entities.remove(&item.key),
                };
                // The text comes back in the fate, so that callers can tell that it is theirs.
                Err(CatalogError::Permanent {
                    message: text.into(),
                })
            });
            let fates = fates.collect();
            let overloaded = fastrand::u8(..) < 5;
            seen.batches.push(batch);
            Report { fates, overloaded }
        })
    }
}

fn key(blueprint: &str, identifier: usize) -> EntityKey {
    EntityKey {
        blueprint: blueprint.into(),
        identifier: Identifier::Text(identifier.to_string().into()),
    }
}

fn upsert(blueprint: &str, identifier: usize, text: String) -> Entity {
    Entity {
        key: key(blueprint, identifier),
        json: text.into(),
    }
}

fn one(identifier: usize) -> ChangeSet {
    ChangeSet {
        upserts: vec![upsert(
            "issue",
            identifier,
            format!("{{\"id\":{identifier}}}"),
        )],
        ..ChangeSet::default()
    }
}

fn batcher(delay: fn() -> Duration) -> Batcher<Memory> {
    Batcher::new(Memory::new(delay), BatchOptions::default(), Arc::default())
}

fn texts(fates: &[Fate]) -> Vec<String> {
    fates
        .iter()
        .map(|fate| fate.as_ref().unwrap_err().to_string())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_lone_event_waits_for_nobody() {
    let batcher = batcher(|| Duration::ZERO);
    for id in 0..3 {
        let start = Instant::now();
        batcher.apply(one(id)).await;
        assert!(start.elapsed() <= Duration::from_millis(1), "event {id}");
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(batcher.0.sink.calls.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn one_event_right_after_another_does_not_wait() {
    let batcher = batcher(|| Duration::from_millis(1));
    let start = Instant::now();
    for id in 0..100 {
        batcher.apply(one(id)).await;
    }
    assert!(
        start.elapsed() <= Duration::from_millis(250),
        "{:?}",
        start.elapsed()
    );
}

/// As dispatch does it: so many events are worked on, and each is followed by the next.
#[tokio::test(start_paused = true)]
async fn a_thousand_events_of_sixty_four_workers_cost_at_most_sixty_calls() {
    let batcher = batcher(|| Duration::from_millis(1));
    let applied = (0..1000).map(|id| batcher.apply(one(id)));
    let done = futures_util::stream::iter(applied).buffer_unordered(64);
    assert_eq!(done.count().await, 1000);
    let calls = batcher.0.sink.calls.load(Ordering::SeqCst);
    assert!(calls <= 60, "{calls} calls");
}

/// As under load with a catalog that answers at once: when the next events come, no call is in
/// flight.
#[tokio::test(start_paused = true)]
async fn a_stream_fills_its_calls_though_each_is_answered_at_once() {
    for events_a_millisecond in [2, 3, 7] {
        let batcher = batcher(|| Duration::ZERO);
        let mut events = Vec::new();
        for id in 0..1000 {
            let batcher = batcher.clone();
            events.push(tokio::spawn(async move { batcher.apply(one(id)).await }));
            if id % events_a_millisecond == 0 {
                sleep(Duration::from_millis(1)).await;
            }
        }
        futures_util::future::join_all(events).await;
        let calls = batcher.0.sink.calls.load(Ordering::SeqCst);
        assert!(calls <= 60, "{calls} calls");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_company_longer_than_four_lingers() {
    let batcher = batcher(|| Duration::ZERO);
    let applied = (0..30).map(|id| {
        let batcher = &batcher;
        async move {
            sleep(Duration::from_millis(4 * id as u64)).await;
            let start = Instant::now();
            batcher.apply(one(id)).await;
            assert!(start.elapsed() <= Duration::from_millis(22), "event {id}");
        }
    });
    futures_util::future::join_all(applied).await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_events_together_cost_at_most_sixty_calls() {
    let batcher = batcher(|| Duration::from_millis(1));
    let applied = (0..1000).map(|id| batcher.apply(one(id)));
    let fates = futures_util::future::join_all(applied).await;
    for (id, fates) in fates.iter().enumerate() {
        assert_eq!(texts(fates), [format!("{{\"id\":{id}}}")]);
    }
    let calls = batcher.0.sink.calls.load(Ordering::SeqCst);
    assert!(calls <= 60, "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn events_of_one_entity_travel_one_after_another() {
    let batcher = batcher(|| Duration::from_millis(10));
    let start = Instant::now();
    let applied = (0..5).map(|_| batcher.apply(one(7)));
    futures_util::future::join_all(applied).await;
    assert_eq!(batcher.0.sink.calls.load(Ordering::SeqCst), 5);
    assert!(start.elapsed() >= Duration::from_millis(50));
}

#[tokio::test(start_paused = true)]
async fn bodies_stay_below_the_limit_and_large_entities_travel_alone() {
    let batcher = batcher(|| Duration::from_millis(1));
    let sizes = [300, 300, 400, 500, 1100, 10, 10].map(|kib| kib << 10);
    let upserts = sizes
        .iter()
        .enumerate()
        .map(|(id, bytes)| upsert("issue", id, "x".repeat(*bytes)));
    let changes = ChangeSet {
        upserts: upserts.collect(),
        ..ChangeSet::default()
    };
    batcher.apply(changes).await;
    let seen = batcher.0.sink.seen.lock().unwrap();
    let counts: Vec<_> = seen.batches.iter().map(|batch| batch.items.len()).collect();
    assert_eq!(counts, [3, 1, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn blueprints_go_one_after_another_and_deletes_last() {
    let batcher = batcher(|| Duration::from_millis(5));
    let changes = ChangeSet {
        upserts: vec![
            upsert("project", 1, "p1".into()),
            upsert("issue", 1, "i1".into()),
            upsert("project", 2, "p2".into()),
        ],
        deletes: vec![key("user", 1), key("issue", 9)],
        ..ChangeSet::default()
    };
    let fates = batcher.apply(changes).await;
    assert_eq!(texts(&fates), ["p1", "i1", "p2", "", ""]);
    let seen = batcher.0.sink.seen.lock().unwrap();
    let sent: Vec<Vec<String>> = seen
        .batches
        .iter()
        .map(|batch| {
            batch
                .items
                .iter()
                .map(|item| item.key.to_string())
                .collect()
        })
        .collect();
    assert_eq!(
        sent,
        [
            vec!["project/1", "project/2"],
            vec!["issue/1"],
            vec!["user/1", "issue/9"],
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn different_options_do_not_share_a_call() {
    let batcher = batcher(|| Duration::from_millis(1));
    let mut replace = one(2);
    replace.options = WriteOptions {
        merge: false,
        ..WriteOptions::default()
    };
    tokio::join!(batcher.apply(one(1)), batcher.apply(replace));
    assert_eq!(batcher.0.sink.calls.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gave_up_holds_up_nobody() {
    let batcher = batcher(|| Duration::from_millis(50));
    let first = batcher.apply(one(1));
    let given_up = tokio::time::timeout(Duration::from_millis(20), batcher.apply(one(1)));
    let third = batcher.apply(one(1));
    let (_, given_up, third) = tokio::join!(first, given_up, third);
    assert!(given_up.is_err());
    assert_eq!(third.len(), 1);
    assert_eq!(
        batcher.0.sink.calls.load(Ordering::SeqCst),
        2,
        "the second write was never sent"
    );
    assert!(batcher.state().is_empty());
}

#[tokio::test]
async fn a_sink_that_panics_is_a_fault_that_may_pass() {
    struct Panics;
    impl Sink for Panics {
        fn write(&self, _: Batch) -> BoxFuture<'_, Report> {
            Box::pin(async { panic!("as the test wants") })
        }
    }
    let batcher = Batcher::new(Panics, BatchOptions::default(), Arc::default());
    for _ in 0..2 {
        let fates = batcher.apply(one(1)).await;
        assert!(matches!(&fates[..], [Err(CatalogError::Retry { .. })]));
    }
}

/// One event of the property test: writes of few entities, so that they meet.
#[derive(Clone, Debug)]
struct Step {
    upserts: Vec<(usize, usize)>,
    deletes: Vec<(usize, usize)>,
    pause_micros: u64,
    gives_up: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let place = || (0..3usize, 0..6usize);
    (
        vec(place(), 0..6),
        vec(place(), 0..3),
        0..8000u64,
        prop::bool::weighted(0.1),
    )
        .prop_map(|(upserts, deletes, pause_micros, gives_up)| Step {
            upserts,
            deletes,
            pause_micros,
            gives_up,
        })
}

impl Step {
    fn changes(&self, number: usize) -> ChangeSet {
        let blueprint = |index: usize| ["issue", "project", "user"][index];
        let upserts = self.upserts.iter().enumerate().map(|(place, (b, id))| {
            upsert(blueprint(*b), *id, format!("event {number} write {place}"))
        });
        ChangeSet {
            upserts: upserts.collect(),
            deletes: self
                .deletes
                .iter()
                .map(|(b, id)| key(blueprint(*b), *id))
                .collect(),
            options: WriteOptions::default(),
        }
    }
}

async fn play(steps: Vec<Step>) {
    let batcher = batcher(|| Duration::from_micros(fastrand::u64(0..20_000)));
    let mut expected = BTreeMap::new();
    let mut tasks = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        sleep(Duration::from_micros(step.pause_micros)).await;
        let changes = step.changes(number);
        if !step.gives_up {
            for entity in &changes.upserts {
                let text = String::from_utf8(entity.json.to_vec()).unwrap();
                expected.insert(entity.key.clone(), text);
            }
            for key in &changes.deletes {
                expected.remove(key);
            }
        }
        let own: Vec<_> = changes
            .upserts
            .iter()
            .map(|entity| String::from_utf8(entity.json.to_vec()).unwrap())
            .chain(changes.deletes.iter().map(|_| String::new()))
            .collect();
        let gives_up = step.gives_up;
        let batcher = batcher.clone();
        // Polled once here, so that the order of calls is the order of steps.
        let mut applied = Box::pin(async move { batcher.apply(changes).await });
        let first = futures_util::poll!(&mut applied);
        if gives_up {
            continue;
        }
        tasks.push(tokio::spawn(async move {
            let fates = match first {
                std::task::Poll::Ready(fates) => fates,
                std::task::Poll::Pending => applied.await,
            };
            assert_eq!(texts(&fates), own);
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    // What was given up right away is taken back, unless its batch was already formed: the writes
    // of such events may or may not be there, so entities they touched are not compared.
    let doubtful: HashSet<_> = steps
        .iter()
        .enumerate()
        .filter(|(_, step)| step.gives_up)
        .flat_map(|(number, step)| {
            let changes = step.changes(number);
            let upserts = changes.upserts.into_iter().map(|entity| entity.key);
            upserts.chain(changes.deletes).collect::<Vec<_>>()
        })
        .collect();
    sleep(Duration::from_secs(10)).await;
    let mut written = batcher.0.sink.seen.lock().unwrap().entities.clone();
    written.retain(|key, _| !doubtful.contains(key));
    expected.retain(|key, _| !doubtful.contains(key));
    assert_eq!(written, expected);
    assert!(batcher.state().is_empty(), "nothing is left behind");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Order per entity, no loss, never two in flight for one entity (asserted by the sink), each
    /// waiter answered once with its own fates, and nothing left behind.
    #[test]
    fn whatever_arrives_comes_out_in_order(steps in vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(play(steps));
    }
}
