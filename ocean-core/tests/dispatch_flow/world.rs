//! A small world around dispatch: processors in closures, a mapping, a queue, a catalog, and a
//! clock that moves with tokio's paused time.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use ocean_core::{
    BoxFuture, Clock, EventContext, EventId, EventParts, Outcome, ProcessorError, Raw, RawResults,
    Rejection, StateMap, WebhookEvent, WebhookProcessor,
    dispatch::{self, DispatchOptions, DispatchParts},
    mapping::{Mapping, MappingHandle, MappingOptions},
    processor::{ProcessorSpec, Registry, registry::Registered},
    queue::{Change, Story},
    source::Source,
    supervisor::Supervisor,
    telemetry::Telemetry,
};
use tokio::time::Instant;

use crate::{catalog::FakeCatalog, queue::FakeQueue};

pub(crate) type HandlerResult = Result<Outcome, ProcessorError>;
type Handler = dyn Fn(Call) -> BoxFuture<'static, HandlerResult> + Send + Sync;

/// One call of a handler, as the test sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) processor: &'static str,
    pub(crate) event: EventId,
    pub(crate) key: String,
    pub(crate) resource: Option<String>,
    pub(crate) attempt: u32,
    /// Since the start of the world.
    pub(crate) at: Duration,
}

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Log {
    pub(crate) calls: Arc<Mutex<Vec<Call>>>,
    pub(crate) errors: Arc<Mutex<Vec<String>>>,
    pub(crate) cancelled: Arc<Mutex<Vec<EventId>>>,
}

struct Scripted {
    name: &'static str,
    handler: Box<Handler>,
    authentic: bool,
    log: Log,
    started: Instant,
}

impl WebhookProcessor for Scripted {
    async fn authenticate(&self, _: &WebhookEvent) -> Result<(), Rejection> {
        match self.authentic {
            true => Ok(()),
            false => Err(Rejection::unauthenticated("as the test wants")),
        }
    }

    async fn handle_event(&self, cx: &EventContext<'_>) -> HandlerResult {
        let call = Call {
            processor: self.name,
            event: cx.event.id(),
            key: key(cx.event),
            resource: cx.resource.map(ToString::to_string),
            attempt: cx.attempt,
            at: self.started.elapsed(),
        };
        self.log.calls.lock().unwrap().push(call.clone());
        (self.handler)(call).await
    }

    async fn on_error(&self, _: &EventContext<'_>, error: &ProcessorError) {
        self.log.errors.lock().unwrap().push(error.to_string());
    }

    fn cancel(&self, event: &WebhookEvent) {
        self.log.cancelled.lock().unwrap().push(event.id());
    }
}

/// The value of `key` in the event's body.
fn key(event: &WebhookEvent) -> String {
    let body: serde_json::Value = serde_json::from_slice(event.body()).unwrap();
    body["key"].as_str().unwrap_or_default().to_owned()
}

const KINDS: [&str; 2] = ["issue", "user"];

/// What the world is made of.
pub(crate) struct Setup {
    processors: Vec<Registered>,
    pub(crate) mapping: serde_json::Value,
    pub(crate) queue: FakeQueue,
    pub(crate) catalog: FakeCatalog,
    pub(crate) workers: usize,
    pub(crate) max_attempt_time: Duration,
    pub(crate) log: Log,
    started: Instant,
}

impl Setup {
    /// One resource of kind `issue` that maps `key` to the blueprint `issue`.
    pub(crate) fn new() -> Self {
        Self {
            processors: Vec::new(),
            mapping: serde_json::json!({"resources": [resource("issue", "issue", "true")]}),
            queue: FakeQueue::default(),
            catalog: FakeCatalog::default(),
            workers: 8,
            max_attempt_time: Duration::from_secs(90),
            log: Log::default(),
            started: Instant::now(),
        }
    }

    pub(crate) fn processor<F: Future<Output = HandlerResult> + Send + 'static>(
        self,
        spec: ProcessorSpec,
        handler: impl Fn(Call) -> F + Send + Sync + 'static,
    ) -> Self {
        self.scripted(spec, true, handler)
    }

    pub(crate) fn unauthentic(self, spec: ProcessorSpec) -> Self {
        self.scripted(spec, false, |call| async move { updated(&call.key) })
    }

    fn scripted<F: Future<Output = HandlerResult> + Send + 'static>(
        mut self,
        spec: ProcessorSpec,
        authentic: bool,
        handler: impl Fn(Call) -> F + Send + Sync + 'static,
    ) -> Self {
        let processor = Scripted {
            name: spec.name,
            handler: Box::new(move |call| Box::pin(handler(call))),
            authentic,
            log: self.log.clone(),
            started: self.started,
        };
        self.processors.push(Registered {
            spec,
            processor: Arc::new(processor),
        });
        self
    }

    pub(crate) fn resources(mut self, resources: &[serde_json::Value]) -> Self {
        self.mapping = serde_json::json!({"resources": resources});
        self
    }

    pub(crate) fn catalog(mut self, catalog: FakeCatalog) -> Self {
        self.catalog = catalog;
        self
    }

    /// Takes over what an earlier world left in its queue.
    pub(crate) fn queue(mut self, queue: &FakeQueue) -> Self {
        self.queue = queue.clone();
        self
    }

    pub(crate) fn registry(&self) -> Registry {
        let sources = [Source::new("/webhook").unverified("a test")];
        let kinds = KINDS.map(str::to_owned);
        Registry::build(self.processors.clone(), &sources, &kinds, &StateMap::new()).unwrap()
    }

    pub(crate) fn mapping(&self, registry: &Registry) -> Mapping {
        let options = MappingOptions {
            selectors: KINDS
                .iter()
                .map(|kind| ((*kind).to_owned(), registry.selector_types(kind)))
                .collect(),
            kinds: KINDS.map(str::to_owned).to_vec(),
            ..MappingOptions::default()
        };
        Mapping::compile(&self.mapping, &options).unwrap()
    }

    pub(crate) fn start(self) -> World {
        let registry = self.registry();
        let mapping = Arc::new(self.mapping(&registry));
        let world = self.start_unmapped();
        world.mapping.set(mapping);
        world
    }

    /// Starts before there is a mapping.
    pub(crate) fn start_unmapped(self) -> World {
        let registry = self.registry();
        let mapping = MappingHandle::default();
        let (registry, catalog) = (Arc::new(registry), Arc::new(self.catalog));
        let telemetry = Arc::new(Telemetry::default());
        let supervisor = Supervisor::default();
        let parts = DispatchParts {
            registry: registry.clone(),
            queue: Arc::new(self.queue.clone()),
            feed: self.queue.open(),
            mapping: mapping.clone(),
            catalog: catalog.clone(),
            state: StateMap::new(),
            clock: Clock::starting_at(Timestamp::from_second(1_700_000_000).unwrap()),
            telemetry: telemetry.clone(),
            options: DispatchOptions {
                workers: NonZeroUsize::new(self.workers).unwrap(),
                max_attempt_time: self.max_attempt_time,
                max_restarts: 3,
            },
        };
        dispatch::start(parts, &supervisor);
        World {
            registry,
            mapping,
            queue: self.queue,
            catalog,
            telemetry,
            supervisor,
            log: self.log,
        }
    }
}

/// A running dispatch.
pub(crate) struct World {
    registry: Arc<Registry>,
    pub(crate) mapping: MappingHandle,
    pub(crate) queue: FakeQueue,
    pub(crate) catalog: Arc<FakeCatalog>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) supervisor: Supervisor,
    pub(crate) log: Log,
}

impl World {
    /// Sends `{"key": key}`.
    pub(crate) fn send(&self, key: &str) -> EventId {
        self.send_named(key, "updated")
    }

    pub(crate) fn send_named(&self, key: &str, name: &str) -> EventId {
        let event = self.event(&serde_json::json!({ "key": key }), name);
        self.put(&event, true)
    }

    pub(crate) fn event(&self, body: &serde_json::Value, name: &str) -> WebhookEvent {
        WebhookEvent::new(EventParts {
            id: self.queue.next_id(),
            name: Some(name.into()),
            body: body.to_string().into(),
            ..EventParts::default()
        })
    }

    pub(crate) fn put(&self, event: &WebhookEvent, cached: bool) -> EventId {
        self.queue.put(event, self.lanes(event), cached)
    }

    pub(crate) fn lanes(&self, event: &WebhookEvent) -> ocean_core::Lanes {
        self.registry.lanes(event, &self.registry.route(event))
    }

    pub(crate) async fn done(&self, id: EventId) -> Story {
        let done = |change: &Change| match change {
            Change::Done(story) => Some(story.clone()),
            Change::Dead { reason, .. } => panic!("dead: {reason}"),
            Change::Superseded { by, .. } => panic!("superseded by {by}"),
            _ => None,
        };
        self.queue.wait(id, done).await
    }

    pub(crate) async fn dead(&self, id: EventId) -> (String, Story) {
        let dead = |change: &Change| match change {
            Change::Dead { reason, story } => Some((reason.clone(), story.clone())),
            Change::Done(_) => panic!("done"),
            Change::Superseded { by, .. } => panic!("superseded by {by}"),
            _ => None,
        };
        self.queue.wait(id, dead).await
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.log.calls.lock().unwrap().clone()
    }

    /// The calls as `processor key`.
    pub(crate) fn called(&self) -> Vec<String> {
        let name = |call: &Call| format!("{} {}", call.processor, call.key);
        self.calls().iter().map(name).collect()
    }

    /// Stops dispatch; whether it ended by itself within `limit`.
    pub(crate) async fn stop(&self, limit: Duration) -> bool {
        self.supervisor.stop();
        self.supervisor.join(limit).await
    }
}

/// A resource that maps the item's `key` to `blueprint`.
pub(crate) fn resource(kind: &str, blueprint: &str, query: &str) -> serde_json::Value {
    serde_json::json!({
        "kind": kind,
        "selector": {"query": query},
        "port": {"entity": {"mappings": {
            "identifier": ".key",
            "blueprint": format!("\"{blueprint}\""),
        }}},
    })
}

pub(crate) fn item(key: &str) -> Raw {
    Raw::new(&serde_json::json!({ "key": key }))
}

pub(crate) fn updated(key: &str) -> HandlerResult {
    Ok(Outcome::Results(RawResults::updated([item(key)])))
}

/// One lane, whatever the processors say.
pub(crate) fn one_lane(lane: u64) -> ocean_core::Lanes {
    std::iter::once(ocean_core::LaneEntry {
        lane: ocean_core::Lane::new(lane),
        coalesce: None,
    })
    .collect()
}
