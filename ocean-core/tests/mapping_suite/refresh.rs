//! The refresher against a scripted catalog, in paused time.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use ocean_core::{
    Assets, BoxFuture, Clock, StartError,
    catalog::{Catalog, CatalogError, ChangeSet, EntityKey, Processing, RawShipment, Written},
    mapping::{DEFAULT_TTL, MappingHandle, MappingOptions, RefreshParts, Status, refresh},
    supervisor::Supervisor,
    telemetry::Telemetry,
};
use serde_json::{Value, json};
use tokio::{sync::watch, time::Instant};

/// A catalog that answers what it was last told to, and counts the questions.
#[derive(Debug)]
struct Scripted(Mutex<Script>);

#[derive(Debug)]
struct Script {
    answer: Result<Value, CatalogError>,
    asked: Vec<Instant>,
}

impl Catalog for Scripted {
    fn app_config(&self) -> BoxFuture<'_, Result<Value, CatalogError>> {
        let mut script = self.0.lock().unwrap();
        script.asked.push(Instant::now());
        Box::pin(std::future::ready(script.answer.clone()))
    }

    fn apply(&self, _: ChangeSet) -> BoxFuture<'_, Vec<Result<Written, CatalogError>>> {
        unreachable!("the refresher writes nothing")
    }

    fn processing(&self) -> Processing {
        Processing::Entities
    }

    fn ship(&self, _: RawShipment) -> BoxFuture<'_, Result<(), CatalogError>> {
        unreachable!("the refresher ships nothing")
    }

    fn find<'a>(
        &'a self,
        _: &'a EntityKey,
    ) -> BoxFuture<'a, Result<Option<serde_json::Value>, CatalogError>> {
        unreachable!("the refresher looks nothing up")
    }

    fn prepare<'a>(&'a self, _: &'a Assets) -> BoxFuture<'a, Result<(), StartError>> {
        unreachable!("the refresher prepares nothing")
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), CatalogError>> {
        unreachable!("the refresher probes nothing")
    }

    fn trouble(&self) -> Option<String> {
        None
    }
}

/// A running refresher.
struct Room {
    catalog: Arc<Scripted>,
    handle: MappingHandle,
    changes: watch::Receiver<Status>,
    telemetry: Arc<Telemetry>,
    supervisor: Supervisor,
}

impl Room {
    fn start(answer: Result<Value, CatalogError>) -> Self {
        let script = Script {
            answer,
            asked: Vec::new(),
        };
        let catalog = Arc::new(Scripted(Mutex::new(script)));
        let handle = MappingHandle::default();
        let telemetry = Arc::new(Telemetry::default());
        let supervisor = Supervisor::default();
        let parts = RefreshParts {
            handle: handle.clone(),
            catalog: catalog.clone(),
            options: MappingOptions::default(),
            ttl: DEFAULT_TTL,
            clock: Clock::starting_at(jiff::Timestamp::UNIX_EPOCH),
            telemetry: telemetry.clone(),
        };
        let changes = handle.status_changes();
        supervisor.spawn("mapping", refresh(parts, supervisor.shutdown()));
        Self {
            catalog,
            handle,
            changes,
            telemetry,
            supervisor,
        }
    }

    fn answer(&self, answer: Result<Value, CatalogError>) {
        self.catalog.0.lock().unwrap().answer = answer;
    }

    fn asked(&self) -> Vec<Instant> {
        self.catalog.0.lock().unwrap().asked.clone()
    }

    /// The status after the refresher's next look.
    async fn next(&mut self) -> Status {
        self.changes.changed().await.unwrap();
        self.changes.borrow_and_update().clone()
    }

    async fn refreshed(&mut self) -> Status {
        self.handle.refresh_now();
        self.next().await
    }

    async fn stop(self) {
        self.supervisor.stop();
        assert!(self.supervisor.join(Duration::from_secs(5)).await);
    }
}

fn config(kinds: &[(&str, &str)]) -> Value {
    let resources: Vec<_> = kinds
        .iter()
        .map(|(kind, identifier)| {
            json!({
                "kind": kind,
                "selector": {"query": "true"},
                "port": {"entity": {"mappings": {
                    "identifier": identifier, "blueprint": "'b'", "properties": {"p": ".p"},
                }}},
            })
        })
        .collect();
    json!({"resources": resources})
}

fn down() -> CatalogError {
    CatalogError::Retry {
        message: "port answered 503".into(),
        after: None,
    }
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_config_is_not_compiled_again() {
    let mut room = Room::start(Ok(config(&[("issue", ".key")])));
    let first = room.handle.ready().await;
    let loaded = room.next().await;
    assert!(loaded.loaded_at.is_some() && loaded.error.is_none());
    let checked = room.next().await;
    assert_eq!(checked.loaded_at, loaded.loaded_at);
    assert_eq!(room.asked()[1] - room.asked()[0], DEFAULT_TTL);
    assert_eq!(
        checked
            .checked_at
            .unwrap()
            .duration_since(loaded.checked_at.unwrap())
            .as_secs(),
        60
    );
    assert!(Arc::ptr_eq(&first, &room.handle.current().unwrap()));
    room.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_config_is_taken_into_use_on_demand() {
    let mut room = Room::start(Ok(config(&[("issue", ".key")])));
    room.next().await;
    room.answer(Ok(config(&[("issue", ".key"), ("project", ".id")])));
    let asked_at = Instant::now();
    let status = room.refreshed().await;
    assert_eq!(asked_at, Instant::now());
    assert_eq!(status.error, None);
    assert_eq!(room.handle.current().unwrap().resources().len(), 2);
    room.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_catalog_that_is_down_at_the_start_is_asked_until_it_answers() {
    let mut room = Room::start(Err(down()));
    let status = room.next().await;
    assert_eq!(
        status.error.as_deref(),
        Some("the mapping cannot be fetched: port answered 503")
    );
    for _ in 0..5 {
        room.next().await;
    }
    let waits: Vec<_> = room
        .asked()
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs_f64().round())
        .collect();
    for (wait, nominal) in waits.iter().zip([1.0, 2.0, 4.0, 8.0, 16.0]) {
        assert!((wait - nominal).abs() <= 0.1 * nominal + 0.5, "{waits:?}");
    }
    room.answer(Ok(config(&[("issue", ".key")])));
    assert_eq!(room.next().await.error, None);
    assert!(room.handle.current().is_some());
    room.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_wait_that_the_catalog_names_is_kept() {
    let after = Duration::from_secs(300);
    let mut room = Room::start(Err(CatalogError::Unavailable {
        message: "paused".into(),
        after,
    }));
    room.next().await;
    room.next().await;
    assert_eq!(room.asked()[1] - room.asked()[0], after);
    room.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_keeps_the_last_good_mapping() {
    let mut room = Room::start(Ok(config(&[("issue", ".key")])));
    room.next().await;
    let good = room.handle.current().unwrap();
    room.answer(Err(down()));
    let status = room.refreshed().await;
    assert!(status.error.unwrap().contains("503") && status.loaded_at.is_some());
    assert!(Arc::ptr_eq(&good, &room.handle.current().unwrap()));
    // Back, with the config that is in use: nothing to complain about any more.
    room.answer(Ok(config(&[("issue", ".key")])));
    assert_eq!(room.refreshed().await.error, None);
    assert!(Arc::ptr_eq(&good, &room.handle.current().unwrap()));
    room.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_breaks_a_working_kind_is_refused() {
    let mut room = Room::start(Ok(config(&[("issue", ".key"), ("project", ".id")])));
    room.next().await;
    let good = room.handle.current().unwrap();
    for (worse, reason) in [
        (json!({}), "the mapping is empty"),
        (
            json!({"resources": [{"kind": "issue"}]}),
            "`selector` is missing",
        ),
        (
            config(&[("issue", ".key |"), ("project", ".id")]),
            "no resource of kind `issue` can work: resources[0] (issue) \
             `port.entity.mappings.identifier`",
        ),
    ] {
        room.answer(Ok(worse));
        let error = room.refreshed().await.error.unwrap();
        assert!(
            error.starts_with("the newest mapping is refused: "),
            "{error}"
        );
        assert!(error.contains(reason), "{error}");
        assert!(Arc::ptr_eq(&good, &room.handle.current().unwrap()));
    }
    let text = room.telemetry.encode();
    assert!(
        text.contains(r#"ocean_mapping_refreshes_total{outcome="Refused"} 3"#),
        "{text}"
    );
    room.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_version_stays_refused_through_an_outage() {
    let mut room = Room::start(Ok(config(&[("issue", ".key")])));
    room.next().await;
    room.answer(Ok(json!({})));
    let refused = room.refreshed().await.error;
    room.answer(Err(down()));
    assert_ne!(room.refreshed().await.error, refused);
    room.answer(Ok(json!({})));
    assert_eq!(room.refreshed().await.error, refused);
    room.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_bad_program_in_one_field_or_a_new_kind_is_no_reason_to_refuse() {
    let mut room = Room::start(Ok(config(&[("issue", ".key")])));
    room.next().await;
    let mut next = config(&[("issue", ".key"), ("project", ".id |")]);
    next["resources"][0]["port"]["entity"]["mappings"]["properties"]["p"] = json!("nonsense(");
    room.answer(Ok(next));
    let status = room.refreshed().await;
    assert_eq!(status.error, None);
    let paths: Vec<_> = status
        .problems
        .iter()
        .map(|problem| &*problem.path)
        .collect();
    assert_eq!(
        paths,
        [
            "port.entity.mappings.properties.p",
            "port.entity.mappings.identifier"
        ]
    );
    // The kind is gone, which a team may want.
    room.answer(Ok(json!({"resources": []})));
    assert_eq!(room.refreshed().await.error, None);
    assert_eq!(room.handle.current().unwrap().resources().len(), 0);
    room.stop().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_that_works_is_refused_at_the_start_too() {
    let mut room = Room::start(Ok(config(&[("issue", ".key |")])));
    assert!(room.next().await.error.unwrap().contains("can work"));
    assert!(room.handle.current().is_none());
    // Half of it working is better than nothing.
    room.answer(Ok(config(&[("issue", ".key |"), ("project", ".id")])));
    assert_eq!(room.refreshed().await.error, None);
    assert!(room.handle.current().is_some());
    room.stop().await;
}
