//! Dispatch on the embedded store, interrupted again and again, also at each of its failpoints: everything that was accepted comes
//! to its end, and the events of a key take effect in order.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use ocean_core::{
    Clock, EventContext, EventId, EventParts, Outcome, ProcessorError, RawResults, StateMap,
    WebhookEvent, WebhookProcessor,
    catalog::{Catalog, DryRun},
    dispatch::{self, DispatchOptions, DispatchParts},
    mapping::{Mapping, MappingHandle, MappingOptions},
    processor::{ProcessorSpec, Registry, RetryPolicy, registry::Registered},
    queue::{
        EventState, Filter, NewEvent, Queue, Receipt,
        embedded::{self, Embedded, EmbeddedOptions},
    },
    source::Source,
    supervisor::Supervisor,
    telemetry::Telemetry,
};

const KEYS: i64 = 12;
const EVENTS: i64 = 360;

const ISSUES: ProcessorSpec = ProcessorSpec::new("issues", "/webhook")
    .kinds(&["issue"])
    .key(&["/key"])
    .retry(RetryPolicy {
        max_retries: 3,
        initial_delay: Duration::from_millis(2),
        max_delay: Duration::from_millis(5),
        exponential_base: 2.0,
    });

/// The events that took effect, by key, in order.
type Effects = Arc<Mutex<HashMap<i64, Vec<EventId>>>>;

/// Fails every third attempt and, for every fortieth event, always.
struct Flaky {
    effects: Effects,
}

impl WebhookProcessor for Flaky {
    async fn handle_event(&self, cx: &EventContext<'_>) -> Result<Outcome, ProcessorError> {
        let body: serde_json::Value = serde_json::from_slice(cx.event.body())?;
        let number = body["number"].as_i64().unwrap();
        // Lets others in between, and the interruption hit in the middle.
        tokio::time::sleep(Duration::from_micros(300)).await;
        if number % 40 == 0 {
            return Err(ProcessorError::retry("always fails"));
        }
        if cx.attempt == 1 && number % 3 == 0 {
            return Err(ProcessorError::retry("fails once"));
        }
        let mut effects = self.effects.lock().unwrap();
        let own = effects.entry(body["key"].as_i64().unwrap()).or_default();
        own.push(cx.event.id());
        Ok(Outcome::Results(RawResults::none()))
    }
}

/// A process: queue and dispatch on the folder.
struct Process {
    queue: Arc<Embedded>,
    registry: Arc<Registry>,
    supervisor: Supervisor,
}

impl Process {
    fn start(folder: &Path, effects: &Effects) -> Self {
        let telemetry = Arc::new(Telemetry::default());
        let options = EmbeddedOptions::new(folder);
        let (queue, feed) = embedded::open(options, Arc::clone(&telemetry)).unwrap();
        let flaky = Flaky {
            effects: Arc::clone(effects),
        };
        let state = StateMap::new();
        let registry = Registry::build(
            vec![Registered::new(ISSUES, flaky)],
            &[Source::new("/webhook").unverified("a test")],
            &["issue".to_owned()],
            &state,
        );
        let mapping = MappingHandle::default();
        let config = serde_json::json!({"resources": [{
            "kind": "issue",
            "selector": {"query": "true"},
            "port": {"entity": {"mappings": {"identifier": ".key", "blueprint": "\"issue\""}}},
        }]});
        mapping.set(Arc::new(
            Mapping::compile(&config, &MappingOptions::default()).unwrap(),
        ));
        let (queue, registry) = (Arc::new(queue), Arc::new(registry.unwrap()));
        let catalog: Arc<dyn Catalog> = Arc::new(DryRun::new(None));
        let supervisor = Supervisor::default();
        let parts = DispatchParts {
            registry: registry.clone(),
            queue: queue.clone(),
            feed,
            mapping,
            catalog,
            state,
            clock: Clock::system(),
            telemetry,
            options: DispatchOptions {
                workers: NonZeroUsize::new(8).unwrap(),
                max_attempt_time: Duration::from_secs(90),
                max_restarts: 1_000,
            },
        };
        dispatch::start(parts, &supervisor);
        Self {
            queue,
            registry,
            supervisor,
        }
    }

    async fn accept(&self, number: i64) -> EventId {
        let body = serde_json::json!({"key": number % KEYS, "number": number});
        let event = WebhookEvent::new(EventParts {
            body: body.to_string().into(),
            ..EventParts::default()
        });
        let lanes = self.registry.lanes(&event, &self.registry.route(&event));
        let new = NewEvent::new(event, lanes);
        match self.queue.accept(vec![new]).await.unwrap()[..] {
            [Receipt::Stored(id)] => id,
            ref other => panic!("{other:?}"),
        }
    }

    /// Waits until every event has ended.
    async fn drained(&self) {
        while self.queue.pressure().pending > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.queue.flushed().await;
    }

    /// Ends as by a signal that is not waited for: running handlers are cancelled.
    async fn interrupt(self) {
        self.supervisor.stop();
        self.supervisor.join(Duration::ZERO).await;
        self.queue.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_accepted_comes_to_its_end_in_order_across_interruptions() {
    let folder = tempfile::tempdir().unwrap();
    let effects = Effects::default();
    let mut accepted = Vec::new();
    for part in 0..12 {
        let process = Process::start(folder.path(), &effects);
        let count = EVENTS / 12;
        for number in part * count..(part + 1) * count {
            accepted.push(process.accept(number).await);
        }
        process.interrupt().await;
    }
    let process = Process::start(folder.path(), &effects);
    process.drained().await;
    let journal = process.queue.journal().unwrap();
    let ended = journal
        .list(&Filter {
            limit: 1_000,
            ..Filter::default()
        })
        .unwrap();
    assert_eq!(ended.len(), accepted.len());
    for summary in &ended {
        let number = accepted.iter().position(|id| *id == summary.id).unwrap();
        let expected = match number % 40 {
            0 => (EventState::Dead, 4),
            _ => (EventState::Done, if number % 3 == 0 { 2 } else { 1 }),
        };
        assert_eq!(
            (summary.state, summary.attempts),
            expected,
            "event {number}"
        );
    }
    // Cancelled attempts took effect without being recorded, so an event may be there twice in a
    // row; never may a later one come before an earlier one.
    let effects = effects.lock().unwrap().clone();
    for (key, ids) in &effects {
        assert!(ids.is_sorted(), "key {key}: {ids:?}");
    }
    let done = accepted.len() - accepted.len().div_ceil(40);
    let distinct: std::collections::HashSet<_> = effects.values().flatten().collect();
    assert_eq!(distinct.len(), done);
    process.interrupt().await;
}

// === Failpoints ===

#[cfg(feature = "failpoints")]
mod failpoints {
    use std::{
        env,
        io::{BufRead as _, BufReader, Write as _},
        process::{Command, Stdio},
    };

    use super::*;

    const FOLDER: &str = "OCEAN_DISPATCH_CRASH_FOLDER";
    const POINT: &str = "OCEAN_DISPATCH_CRASH_POINT";

    /// Not a test of its own: the process that aborts. Prints each id that it was given.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn child() {
        let (Ok(folder), Ok(point)) = (env::var(FOLDER), env::var(POINT)) else {
            return;
        };
        // Few events are left to be resumed; one is enough.
        let passes = if point == "dispatch.after_resume" {
            1
        } else {
            20
        };
        ocean_core::failpoint::arm(&point, passes);
        let process = Process::start(Path::new(&folder), &Effects::default());
        for number in 0..EVENTS {
            let id = process.accept(number).await;
            writeln!(std::io::stderr().lock(), "{id}").expect("the parent listens");
        }
        process.drained().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_acknowledged_event_comes_to_its_end_whatever_point_the_process_dies_at() {
        for point in [
            "dispatch.before_handler",
            "dispatch.after_handlers",
            "dispatch.after_writes",
            "dispatch.after_record",
            "dispatch.after_resume",
        ] {
            let folder = tempfile::tempdir().unwrap();
            let mut acknowledged = Vec::new();
            // What one process leaves is what the next resumes.
            let points = match point {
                "dispatch.after_resume" => vec!["dispatch.before_handler", point],
                _ => vec![point],
            };
            for point in points {
                acknowledged.extend(crashed(folder.path(), point));
            }
            assert!(!acknowledged.is_empty(), "{point}");
            let process = Process::start(folder.path(), &Effects::default());
            process.drained().await;
            let journal = process.queue.journal().unwrap();
            for id in acknowledged {
                let (summary, _) = journal.show(&id).unwrap().unwrap();
                let ended = [EventState::Done, EventState::Dead].contains(&summary.state);
                assert!(ended, "{point}: {summary:?}");
            }
            process.interrupt().await;
        }
    }

    /// Runs a process until it aborts at `point`, and gives the ids it was given.
    fn crashed(folder: &Path, point: &str) -> Vec<String> {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["failpoints::child", "--exact", "--nocapture"])
            .env(FOLDER, folder)
            .env(POINT, point)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let numbers = |line: &String| line.parse::<i64>().is_ok();
        let ids = lines.map_while(Result::ok).filter(numbers).collect();
        assert!(!child.wait().unwrap().success(), "{point} was not passed");
        ids
    }
}
