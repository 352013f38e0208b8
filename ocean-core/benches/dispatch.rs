//! Events through queue and dispatch, from accept to done, with a handler that does nothing: in
//! memory, which is what dispatch itself costs, and durable, with 64 producers as at the door.
//!
//! `cargo bench -p ocean-core --bench dispatch`

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ocean_core::{
    Assets, BoxFuture, Clock, EventContext, EventParts, Outcome, ProcessorError, RawResults,
    StartError, StateMap, WebhookEvent, WebhookProcessor,
    catalog::{Catalog, CatalogError, ChangeSet, EntityKey, Processing, RawShipment, Written},
    dispatch::{self, DispatchOptions, DispatchParts},
    mapping::{Mapping, MappingHandle, MappingOptions},
    processor::{ProcessorSpec, Registry, registry::Registered},
    queue::{
        Feed, NewEvent, Queue,
        embedded::{self, EmbeddedOptions},
        memory::{MemoryOptions, MemoryQueue},
    },
    source::Source,
    supervisor::Supervisor,
    telemetry::{Fate, Telemetry},
};

/// Events of one iteration.
const EVENTS: u64 = 20_480;

/// Requests under way at the door.
const PRODUCERS: u64 = 64;

const NOTHING: ProcessorSpec = ProcessorSpec::new("nothing", "/webhook")
    .kinds(&["issue"])
    .key(&["/issue/id"]);

struct Nothing;

impl WebhookProcessor for Nothing {
    async fn handle_event(&self, _: &EventContext<'_>) -> Result<Outcome, ProcessorError> {
        Ok(Outcome::Results(RawResults::none()))
    }
}

/// Confirms everything at once.
#[derive(Debug)]
struct Agreeable;

impl Catalog for Agreeable {
    fn apply(&self, changes: ChangeSet) -> BoxFuture<'_, Vec<Result<Written, CatalogError>>> {
        let upserts = changes.upserts.iter().map(|_| Ok(Written::Updated));
        let deletes = changes.deletes.iter().map(|_| Ok(Written::Deleted));
        let answers = upserts.chain(deletes).collect();
        Box::pin(std::future::ready(answers))
    }

    fn processing(&self) -> Processing {
        Processing::Entities
    }

    fn ship(&self, _: RawShipment) -> BoxFuture<'_, Result<(), CatalogError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn app_config(&self) -> BoxFuture<'_, Result<serde_json::Value, CatalogError>> {
        unreachable!("dispatch does not ask")
    }

    fn find<'a>(
        &'a self,
        _: &'a EntityKey,
    ) -> BoxFuture<'a, Result<Option<serde_json::Value>, CatalogError>> {
        unreachable!("dispatch does not ask")
    }

    fn prepare<'a>(&'a self, _: &'a Assets) -> BoxFuture<'a, Result<(), StartError>> {
        unreachable!("dispatch does not ask")
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), CatalogError>> {
        unreachable!("dispatch does not ask")
    }

    fn trouble(&self) -> Option<String> {
        None
    }
}

/// A running dispatch.
struct World {
    registry: Arc<Registry>,
    queue: Arc<dyn Queue>,
    telemetry: Arc<Telemetry>,
    // Its tasks end with it.
    _supervisor: Supervisor,
}

impl World {
    fn start(queue: Arc<dyn Queue>, feed: Feed) -> Self {
        let state = StateMap::new();
        let registry = Registry::build(
            vec![Registered::new(NOTHING, Nothing)],
            &[Source::new("/webhook").unverified("a benchmark")],
            &["issue".to_owned()],
            &state,
        );
        let registry = Arc::new(registry.expect("the one processor is complete"));
        let config = serde_json::json!({"resources": [{
            "kind": "issue",
            "selector": {"query": "true"},
            "port": {"entity": {"mappings": {"identifier": ".key", "blueprint": "\"issue\""}}},
        }]});
        let mapping = MappingHandle::default();
        let compiled = Mapping::compile(&config, &MappingOptions::default());
        mapping.set(Arc::new(compiled.expect("the mapping is complete")));
        let (telemetry, supervisor) = (Arc::new(Telemetry::default()), Supervisor::default());
        let parts = DispatchParts {
            registry: registry.clone(),
            queue: queue.clone(),
            feed,
            mapping,
            catalog: Arc::new(Agreeable),
            state,
            clock: Clock::system(),
            telemetry: telemetry.clone(),
            options: DispatchOptions {
                workers: NonZeroUsize::new(64).expect("64 is not 0"),
                max_attempt_time: Duration::from_secs(90),
                max_restarts: 3,
            },
        };
        dispatch::start(parts, &supervisor);
        Self {
            registry,
            queue,
            telemetry,
            _supervisor: supervisor,
        }
    }

    /// Accepts all events, each in a request of its own, and waits until they are done.
    async fn cycle(self: &Arc<Self>, keys: u64) {
        let wanted = self.done() + EVENTS;
        let mut producers = tokio::task::JoinSet::new();
        for producer in 0..PRODUCERS {
            let world = Arc::clone(self);
            producers.spawn(async move {
                for number in (producer..EVENTS).step_by(PRODUCERS as usize) {
                    world.accept(number % keys).await;
                }
            });
        }
        producers.join_all().await;
        while self.done() < wanted {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn accept(&self, key: u64) {
        let body = format!(r#"{{"issue":{{"id":"{key}","key":"OPS-7"}}}}"#);
        let event = WebhookEvent::new(EventParts {
            body: body.into(),
            ..EventParts::default()
        });
        let lanes = self.registry.lanes(&event, &self.registry.route(&event));
        let new = NewEvent::new(event, lanes);
        let accepted = self.queue.accept(vec![new]).await;
        accepted.expect("the queue has room");
    }

    fn done(&self) -> u64 {
        self.telemetry.dispatch.events_ended(Fate::Done)
    }
}

fn full_cycle(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("the machine has threads");
    let _context = runtime.enter();
    let mut group = criterion.benchmark_group("accept_to_done");
    group
        .throughput(Throughput::Elements(EVENTS))
        .sample_size(10);
    for keys in [1, 64, EVENTS] {
        let (queue, feed) = MemoryQueue::new(MemoryOptions {
            keep_finished: 100,
            ..MemoryOptions::default()
        });
        let world = Arc::new(World::start(Arc::new(queue), feed));
        group.bench_function(BenchmarkId::new("memory", keys), |bencher| {
            bencher.iter(|| runtime.block_on(world.cycle(keys)));
        });
    }
    for keys in [1, 64] {
        let folder = tempfile::tempdir().expect("the machine has a disk");
        let options = EmbeddedOptions::new(folder.path());
        let opened = embedded::open(options, Arc::default());
        let (queue, feed) = opened.expect("the folder is new");
        let world = Arc::new(World::start(Arc::new(queue), feed));
        group.bench_function(BenchmarkId::new("durable", keys), |bencher| {
            bencher.iter(|| runtime.block_on(world.cycle(keys)));
        });
    }
    group.finish();
}

criterion_group!(benches, full_cycle);
criterion_main!(benches);
