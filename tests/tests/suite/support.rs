//! What the tests share: a probe server against a stand-in of Port.

use ocean_tests::{
    port::Port,
    process::{Ocean, Settings},
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The binary of the Jira integration.
pub(crate) const JIRA: &str = env!("CARGO_BIN_EXE_jira-under-test");
/// The binary of the integration made for tests.
pub(crate) const PROBE: &str = env!("CARGO_BIN_EXE_probe-under-test");

/// The app config of the probe: kind `thing` becomes blueprint `thing`.
pub(crate) fn probe_config() -> Value {
    resources(&[
        ("thing", ".hidden != true", "\"thing\""),
        ("shadow", "true", "\"shadow\""),
    ])
}

/// An app config with one resource for each `(kind, query, blueprint)`.
pub(crate) fn resources(resources: &[(&str, &str, &str)]) -> Value {
    let resources: Vec<_> = resources
        .iter()
        .map(|(kind, query, blueprint)| {
            json!({
                "kind": kind,
                "selector": {"query": query},
                "port": {"entity": {"mappings": {
                    "identifier": ".id", "title": ".title", "blueprint": blueprint,
                    "properties": {"value": ".value"},
                }}},
            })
        })
        .collect();
    json!({"resources": resources})
}

/// A probe server and its Port.
pub(crate) struct Bench {
    pub(crate) port: Port,
    pub(crate) ocean: Ocean,
    pub(crate) data: TempDir,
}

impl Bench {
    /// A probe with the usual mapping.
    pub(crate) async fn start() -> Self {
        Self::start_with(probe_config(), |settings| settings).await
    }

    /// A probe with this mapping and changed settings.
    pub(crate) async fn start_with(
        app_config: Value,
        change: impl FnOnce(Settings) -> Settings,
    ) -> Self {
        let port = Port::start(app_config).await.unwrap();
        let data = TempDir::new().unwrap();
        let settings = change(probe_settings(&port, data.path()));
        let ocean = Ocean::start(PROBE, &[], &settings).await.unwrap();
        Self { port, ocean, data }
    }

    /// Posts an event to `/open`, which must be accepted; its id.
    pub(crate) async fn accept(&self, event: &Value) -> String {
        let (status, answer) = self.ocean.post("/open", event).await.unwrap();
        assert_eq!((status, &answer["status"]), (200, &json!("ok")), "{answer}");
        answer["id"].as_str().unwrap().parse().unwrap()
    }

    /// Waits until the event has reached this state; its summary and story.
    pub(crate) async fn until_state(&self, id: &str, state: &str) -> Value {
        let look = async {
            loop {
                let event = self
                    .ocean
                    .admin_get(&format!("/api/events/{id}"))
                    .await
                    .unwrap();
                if event["state"] == state {
                    return event;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(ocean_tests::process::PATIENCE, look)
            .await
            .unwrap_or_else(|_| panic!("event {id} never became {state}"))
    }
}

/// The settings of a probe against this Port.
pub(crate) fn probe_settings(port: &Port, data: &std::path::Path) -> Settings {
    Settings::new()
        .with("OCEAN__PORT__BASE_URL", port.server.url())
        .with("OCEAN__PORT__CLIENT_ID", "id")
        .with("OCEAN__PORT__CLIENT_SECRET", "secret")
        .with("OCEAN__INTEGRATION__IDENTIFIER", "my-probe")
        .with("OCEAN__INTEGRATION__CONFIG__SECRET", "s3cret")
        .with("OCEAN__INITIALIZE_PORT_RESOURCES", "false")
        .with("OCEAN__ALLOW_UNVERIFIED_SOURCES", "true")
        .with("OCEAN__QUEUE__PATH", data.to_string_lossy())
}

/// An event about the thing `id`.
pub(crate) fn thing(event: &str, id: &str, value: i64) -> Value {
    json!({"event": event, "item": {"id": id, "title": format!("Thing {id}"), "value": value}})
}
