//! What the Port catalog does beside writes: set-up, app config, feature flags, raw mode.

use std::{sync::Arc, time::Duration};

use ocean_core::{
    Raw, RawResults,
    catalog::{Catalog, CatalogError, PortOptions, Processing, RawPart, RawShipment},
};
use serde_json::{Value, json};

mod catalog_support;
#[path = "../src/http/loopback.rs"]
mod loopback;

use catalog_support::{At, FakePort, Fault, words};
use loopback::Reply;

#[tokio::test]
async fn the_app_config_comes_through_faults() {
    let port = FakePort::start().await;
    port.world().integration = Some(json!({"config": {"resources": []}}));
    port.fail_with_status(At::Token, &[503]);
    let limited = Reply::status(429).header("retry-after", 0);
    port.fail(
        At::Integration,
        [500, 502].map(|status| Fault::Instead(Reply::status(status))),
    );
    port.fail(At::Integration, [Fault::Instead(limited)]);
    let catalog = port.catalog();
    let config = catalog.catalog.app_config().await.unwrap();
    assert_eq!(config, json!({"resources": []}));
    assert_eq!(
        port.last(At::Integration).target,
        "/v1/integration/my-jira?oceanCoreVersion=0.48.12&isPolling=false"
    );
    port.fail_with_status(At::Integration, &[503; 4]);
    let error = catalog.catalog.app_config().await.unwrap_err();
    assert!(matches!(error, CatalogError::Retry { .. }), "{error:?}");
    port.world().integration = None;
    let error = catalog.catalog.app_config().await.unwrap_err();
    assert!(error.to_string().contains("has no mapping"), "{error}");
}

#[tokio::test]
async fn wrong_credentials_are_told_and_not_asked_about_by_every_event() {
    let port = FakePort::start().await;
    port.catalog().catalog.probe().await.unwrap();
    port.fail_with_status(At::Token, &[401]);
    let catalog = port.catalog();
    let error = catalog.catalog.probe().await.unwrap_err();
    assert!(matches!(error, CatalogError::Permanent { .. }));
    assert!(
        error.to_string().contains("OCEAN__PORT__CLIENT_ID"),
        "{error}"
    );
    for _ in 0..5 {
        assert_eq!(words(&catalog.upsert(&["a"]).await), ["unavailable"]);
    }
    assert_eq!(port.count(At::Token), 2);
    let trouble = catalog.catalog.trouble().unwrap();
    assert!(trouble.contains("OCEAN__PORT__CLIENT_SECRET"), "{trouble}");
}

#[tokio::test]
async fn raw_items_are_shipped_in_upstreams_form() {
    let port = FakePort::start().await;
    port.world().flags = ["LAKEHOUSE_ELIGIBLE", "DATA_SOURCE_PROCESSOR_ENABLED"]
        .map(str::to_owned)
        .to_vec();
    port.world().integration = Some(json!({"config": {"resources": []}}));
    let catalog = port.catalog();
    assert_eq!(
        catalog.catalog.processing(),
        Processing::Entities,
        "not known yet"
    );
    catalog.catalog.prepare(&assets("[]")).await.unwrap();
    assert_eq!(catalog.catalog.processing(), Processing::Raw);

    let part = |kind: &str, results| RawPart {
        kind: kind.into(),
        resource_index: 0,
        query: " true ".into(),
        results: Arc::new(results),
    };
    let item = |id: u32| Raw::new(&json!({"id": id}));
    let shipment = RawShipment {
        event_id: "77".to_owned(),
        received_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        parts: vec![
            part(
                "issue",
                RawResults::updated([item(1)]).and_deleted([item(2)]),
            ),
            part("project", RawResults::updated([item(3)])),
        ],
    };
    port.fail_with_status(At::Lake, &[503]);
    catalog.catalog.ship(shipment).await.unwrap();
    let calls = port.server.calls();
    let lake: Vec<_> = calls
        .iter()
        .filter(|call| At::of(call) == At::Lake)
        .collect();
    assert_eq!(lake.len(), 3, "two kinds, one fault");
    let path = "/in/lake/write/integration-type/jira/integration/my-jira/sync/77/kind";
    assert_eq!(lake[1].target, format!("{path}/issue"));
    assert_eq!(lake[2].target, format!("{path}/project"));
    // sha256 of `true`.
    let hash = "b5bea41b6c623f7c09f1bf24dcae58ebab3c0cdd90ad966bc43a45b44867e12b";
    let batch = |operation: &str, id: u32| {
        json!({
            "request": {}, "response": {}, "items": [{"id": id}], "environment_data": {},
            "metadata": {"operation": operation, "extractionTimestamp": 1_767_225_600_000_i64,
                         "resourceIndex": 0, "selectorHash": hash},
        })
    };
    assert_eq!(
        lake[1].json(),
        json!({
            "kind": "issue", "eventType": "live-event", "eventId": "77",
            "extractionTimestamp": 1_767_225_600_000_i64,
            "resyncStartTime": "2026-01-01T00:00:00+00:00",
            "data": [batch("upsert", 1), batch("delete", 2)],
        })
    );
}

// === Set-up ===

fn assets(blueprints: &'static str) -> ocean_core::Assets {
    ocean_core::Assets {
        spec: "",
        app_config: "resources:\n- kind: issue\n  selector:\n    query: 'true'\n",
        blueprints,
        actions: r#"[{"identifier": "close", "trigger": {}}]"#,
        scorecards: r#"[{"blueprint": "issue", "data": [{"identifier": "one"}, {"identifier": "two"}]}]"#,
        pages: "- identifier: overview",
    }
}

/// Where something was created beside blueprints, and its identifier.
fn extras(port: &FakePort) -> Vec<String> {
    let calls = port.server.calls().into_iter();
    let posts = calls.filter(|call| call.method == "POST" && call.path() != "/v1/blueprints");
    let created = posts.filter_map(|call| {
        let identifier = call.json()["identifier"].as_str()?.to_owned();
        Some(format!("{} {identifier}", call.path()))
    });
    created.collect()
}

const EXTRAS: [&str; 4] = [
    "/v1/actions close",
    "/v1/blueprints/issue/scorecards one",
    "/v1/blueprints/issue/scorecards two",
    "/v1/pages overview",
];

const BLUEPRINTS: &str = r#"[
    {"identifier": "project", "title": "Project", "schema": {}},
    {"identifier": "issue", "title": "Issue", "schema": {},
     "relations": {"project": {"target": "project"}},
     "calculationProperties": {"days": {}}}
]"#;

async fn prepare(port: &FakePort) -> Result<(), String> {
    let prepared = port.catalog().catalog.prepare(&assets(BLUEPRINTS)).await;
    prepared.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_new_integration_gets_record_mapping_and_blueprints_once() {
    let port = FakePort::start().await;
    prepare(&port).await.unwrap();
    let expected = json!({
        "deleteDependentEntities": true, "createMissingRelatedEntities": true,
        "enableMergeEntity": true, "entityDeletionThreshold": 0.9,
        "resources": [{"kind": "issue", "selector": {"query": "true"}}],
    });
    {
        let world = port.world();
        let integration = world.integration.as_ref().unwrap();
        assert_eq!(integration["config"], expected);
        assert_eq!(integration["installationId"], "my-jira");
        assert_eq!(integration["arePortResourcesInitialized"], true);
        assert_eq!(integration["createPortResourcesOrigin"], "Default");
        let all: Vec<Value> = serde_json::from_str(BLUEPRINTS).unwrap();
        assert_eq!(world.blueprints["project"], all[0]);
        assert_eq!(world.blueprints["issue"], all[1]);
    }
    let calls = port.server.calls();
    let first = calls
        .iter()
        .find(|call| At::of(call) == At::Blueprint && call.method == "POST");
    let agent = "port-ocean/jira/0.1.0/my-jira/exporter";
    assert_eq!(first.unwrap().header("user-agent"), Some(agent));
    let stages = |method: &str| {
        let calls = calls.iter();
        calls
            .filter(|call| At::of(call) == At::Blueprint && call.method == method)
            .filter(|call| call.json()["identifier"] == "issue")
            .map(|call| {
                let body = call.json();
                (
                    body["relations"].is_null(),
                    body["calculationProperties"].is_null(),
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(stages("POST"), [(true, true)]);
    assert_eq!(stages("PATCH"), [(false, true), (false, false)]);
    assert_eq!(extras(&port), EXTRAS);

    let before = port.server.calls().len();
    prepare(&port).await.unwrap();
    let again = port.server.calls().split_off(before);
    let changing = again
        .iter()
        .filter(|call| call.method != "GET" && At::of(call) != At::Token);
    let changing: Vec<_> = changing.map(|call| call.json()).collect();
    assert_eq!(
        changing,
        [json!({"processingMode": "dsp", "version": "0.1.0"})]
    );
}

#[tokio::test]
async fn existing_things_are_left_alone() {
    let port = FakePort::start().await;
    port.world().integration = Some(json!({
        "installationType": "OnPrem", "config": {"resources": ["mine"]}, "version": "0.0.1",
    }));
    port.world()
        .blueprints
        .insert("project".to_owned(), json!({"mine": true}));
    prepare(&port).await.unwrap();
    let world = port.world();
    let integration = world.integration.as_ref().unwrap();
    assert_eq!(integration["config"], json!({"resources": ["mine"]}));
    assert_eq!(integration["version"], "0.1.0");
    assert_eq!(world.blueprints["project"], json!({"mine": true}));
    assert!(!world.blueprints.contains_key("issue"), "all or none");
    drop(world);
    assert_eq!(extras(&port), [""; 0]);
}

#[tokio::test]
async fn nothing_is_created_where_the_settings_say_so() {
    let port = FakePort::start().await;
    port.world().integration = Some(json!({"config": {}}));
    let options = PortOptions {
        initialize_resources: false,
        ..port.options()
    };
    let catalog = port.catalog_with(options);
    catalog.catalog.prepare(&assets(BLUEPRINTS)).await.unwrap();
    assert!(port.world().blueprints.is_empty());
    assert_eq!(
        port.world().integration.as_ref().unwrap()["config"],
        json!({})
    );
}

#[tokio::test]
async fn blueprints_that_fail_half_way_are_taken_back() {
    let port = FakePort::start().await;
    let pass = || Fault::Slow(Duration::ZERO);
    // Two look-ups, two creations, one patch, then a refusal.
    let faults = [pass(), pass(), pass(), pass(), pass()];
    port.fail(At::Blueprint, faults);
    port.fail_with_status(At::Blueprint, &[422]);
    prepare(&port).await.unwrap();
    assert!(
        port.world().blueprints.is_empty(),
        "{:?}",
        port.world().blueprints
    );
}

#[tokio::test]
async fn an_outage_at_start_is_made_up_for_in_the_background() {
    let port = FakePort::start().await;
    port.fail_with_status(At::Integration, &[503; 4]);
    let catalog = port.catalog();
    catalog.catalog.prepare(&assets(BLUEPRINTS)).await.unwrap();
    assert!(port.world().integration.is_none());
    let is_done = || {
        let world = port.world();
        let found = world.integration.as_ref();
        found.is_some_and(|found| found["arePortResourcesInitialized"] == true)
    };
    port.server.until(is_done).await;
}

#[tokio::test]
async fn what_settings_must_mend_stops_the_start() {
    let port = FakePort::start().await;
    port.fail_with_status(At::Token, &[401]);
    let problem = prepare(&port).await.unwrap_err();
    assert!(problem.contains("OCEAN__PORT__CLIENT_SECRET"), "{problem}");
    port.world().integration = Some(json!({"installationType": "SaasOauth2"}));
    let problem = prepare(&port).await.unwrap_err();
    assert!(problem.contains("OCEAN__RUNTIME"), "{problem}");
}

#[tokio::test]
async fn what_port_refuses_for_good_is_told_and_tolerated() {
    let port = FakePort::start().await;
    port.world().integration = Some(json!({"config": {"resources": []}}));
    // No provisioning, no flags, no patches: a Port that knows only the essentials.
    port.fail_with_status(At::Provision, &[404]);
    port.fail_with_status(At::Organization, &[404, 404]);
    let pass = || Fault::Slow(Duration::ZERO);
    port.fail(
        At::Integration,
        [pass(), Fault::Instead(Reply::status(405))],
    );
    prepare(&port).await.unwrap();
}

#[tokio::test]
async fn where_port_creates_the_resources_nothing_else_is_created() {
    let port = FakePort::start().await;
    port.world().provisioned = vec!["jira".to_owned()];
    port.world().flags = vec!["USE_PROVISIONED_DEFAULTS".to_owned()];
    prepare(&port).await.unwrap();
    let world = port.world();
    assert!(world.blueprints.is_empty());
    let integration = world.integration.as_ref().unwrap();
    assert_eq!(integration["createPortResourcesOrigin"], "Port");
    assert_eq!(integration["config"], json!({}));
}
