//! The ends an event can come to, seen from outside: in the catalog, and in its story.

use ocean_tests::stand_in::{Effect, Fault};
use serde_json::{Value, json};

use crate::support::{Bench, probe_config, resources, thing};

fn failing(id: &str, how: &str) -> Value {
    let mut event = thing("thing_updated", id, 1);
    event["fail"] = json!(how);
    event
}

fn errors(event: &Value) -> Vec<String> {
    let runs = event["story"]["runs"].as_array().unwrap();
    let attempts = runs
        .iter()
        .flat_map(|run| run["attempts"].as_array().into_iter().flatten());
    attempts
        .flat_map(|attempt| attempt["error"].as_array().into_iter().flatten())
        .map(|error| error.as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn an_update_becomes_an_entity() {
    let bench = Bench::start().await;
    let id = bench.accept(&thing("thing_updated", "A", 7)).await;
    let entity = bench.port.until_entity("thing", "A").await;
    assert_eq!(
        entity,
        json!({"identifier": "A", "title": "Thing A", "blueprint": "thing", "properties": {"value": 7}})
    );
    bench.until_state(&id, "done").await;
}

#[tokio::test]
async fn a_declared_delete_removes_the_entity() {
    let bench = Bench::start().await;
    bench.accept(&thing("thing_updated", "A", 7)).await;
    bench.port.until_entity("thing", "A").await;
    bench.accept(&thing("thing_deleted", "A", 7)).await;
    bench.port.until_gone("thing", "A").await;
}

#[tokio::test]
async fn a_resource_the_tool_no_longer_has_is_removed() {
    let bench = Bench::start().await;
    bench.accept(&thing("thing_updated", "A", 7)).await;
    bench.port.until_entity("thing", "A").await;
    let mut event = thing("thing_updated", "A", 8);
    event["item"]["gone"] = json!(true);
    bench.accept(&event).await;
    bench.port.until_gone("thing", "A").await;
}

#[tokio::test]
async fn an_item_that_fails_the_selector_is_removed() {
    let bench = Bench::start().await;
    bench.accept(&thing("thing_updated", "A", 7)).await;
    bench.port.until_entity("thing", "A").await;
    let mut event = thing("thing_updated", "A", 8);
    event["item"]["hidden"] = json!(true);
    bench.accept(&event).await;
    bench.port.until_gone("thing", "A").await;
}

#[tokio::test]
async fn an_entity_of_another_owner_is_not_deleted() {
    let bench = Bench::start().await;
    bench
        .port
        .put("thing", "A", "port-ocean/other/1.0.0/my-other/exporter");
    let id = bench.accept(&thing("thing_deleted", "A", 7)).await;
    let event = bench.until_state(&id, "done").await;
    assert_eq!(
        event["story"]["runs"][0]["attempts"][0]["writes"][0]["answer"],
        "absent"
    );
    assert!(bench.port.entity("thing", "A").is_some());
}

#[tokio::test]
async fn two_resources_of_one_kind_both_get_their_entity() {
    let both = resources(&[
        ("thing", "true", "\"first\""),
        ("thing", "true", "\"second\""),
    ]);
    let bench = Bench::start_with(both, |settings| settings).await;
    bench.accept(&thing("thing_updated", "A", 7)).await;
    bench.port.until_entity("first", "A").await;
    bench.port.until_entity("second", "A").await;
}

#[tokio::test]
async fn an_event_is_ignored_and_recorded_when_nobody_is_for_it() {
    let bench = Bench::start().await;
    let (status, answer) = bench
        .ocean
        .post("/open", &json!({"event": "unheard_of"}))
        .await
        .unwrap();
    assert_eq!((status, &answer["status"]), (200, &json!("ignored")));
    bench
        .until_state(answer["id"].as_str().unwrap(), "ignored")
        .await;
}

#[tokio::test]
async fn an_action_runs_without_mapping() {
    let bench = Bench::start().await;
    let id = bench.accept(&json!({"event": "act"})).await;
    let event = bench.until_state(&id, "done").await;
    assert_eq!(event["story"]["runs"][0]["processor"], "act");
}

#[tokio::test]
async fn a_processor_that_panics_hurts_nobody_else() {
    let bench = Bench::start().await;
    let poisoned = bench.accept(&failing("A", "panic")).await;
    bench.accept(&thing("thing_updated", "B", 1)).await;
    bench.port.until_entity("thing", "B").await;
    let event = bench.until_state(&poisoned, "dead").await;
    let errors = errors(&event);
    assert!(
        errors
            .iter()
            .all(|error| error.contains("the event asked for it")),
        "{errors:?}"
    );
    // The server still works after it.
    bench.accept(&thing("thing_updated", "A", 2)).await;
    bench.port.until_entity("thing", "A").await;
}

#[tokio::test]
async fn a_processor_that_hangs_is_cut_off_and_holds_up_only_its_key() {
    let bench = Bench::start().await;
    let hanging = bench.accept(&failing("A", "hang")).await;
    bench.accept(&thing("thing_updated", "B", 1)).await;
    bench.port.until_entity("thing", "B").await;
    let event = bench.until_state(&hanging, "dead").await;
    assert!(
        errors(&event).iter().all(|error| error.contains("1s")),
        "{event}"
    );
}

#[tokio::test]
async fn retries_are_counted_and_end_in_the_dead_letters() {
    let bench = Bench::start().await;
    let id = bench.accept(&failing("A", "retry")).await;
    let event = bench.until_state(&id, "dead").await;
    assert_eq!(
        errors(&event),
        ["the event asked for a retry"; 4],
        "one attempt, three retries"
    );
}

#[tokio::test]
async fn a_failure_that_passes_ends_well() {
    let bench = Bench::start().await;
    let id = bench.accept(&failing("A", "once")).await;
    bench.port.until_entity("thing", "A").await;
    let event = bench.until_state(&id, "done").await;
    assert_eq!(errors(&event), ["only the first time"]);
}

#[tokio::test]
async fn a_permanent_failure_is_a_dead_letter_at_once() {
    let bench = Bench::start().await;
    let id = bench.accept(&failing("A", "permanent")).await;
    let event = bench.until_state(&id, "dead").await;
    assert_eq!(errors(&event), ["the event asked to be given up"]);
}

#[tokio::test]
async fn a_dropped_event_ends_without_effect() {
    let bench = Bench::start().await;
    let id = bench.accept(&failing("A", "drop")).await;
    bench.until_state(&id, "done").await;
    assert!(bench.port.entities().is_empty());
}

#[tokio::test]
async fn a_payload_without_a_required_value_is_a_dead_letter() {
    let bench = Bench::start().await;
    let id = bench
        .accept(&json!({"event": "thing_updated", "item": {}}))
        .await;
    let event = bench.until_state(&id, "dead").await;
    assert!(errors(&event)[0].contains("/item/id"), "{event}");
}

#[tokio::test]
async fn a_payload_of_the_wrong_shape_is_a_dead_letter_with_serdes_words() {
    let bench = Bench::start().await;
    let wrong = json!({"event": "thing_updated", "item": {"id": "A", "gone": "perhaps"}});
    let id = bench.accept(&wrong).await;
    let event = bench.until_state(&id, "dead").await;
    assert!(errors(&event)[0].contains("expected a boolean"), "{event}");
}

#[tokio::test]
async fn of_a_pile_only_the_newest_runs_and_the_others_say_so() {
    let bench = Bench::start().await;
    let server = &bench.port.server;
    server.fail(Fault::effect("/entities/bulk", 1, Effect::Held));
    let mut ids = vec![bench.accept(&thing("latest", "A", 1)).await];
    let is_called = || !server.calls("/entities/bulk").is_empty();
    server.until("the first is being written", is_called).await;
    for value in 2..=5 {
        ids.push(bench.accept(&thing("latest", "A", value)).await);
    }
    server.heal();
    bench.until_state(&ids[4], "done").await;
    assert_eq!(
        bench.port.entity("thing", "A").unwrap()["properties"]["value"],
        5
    );
    bench.until_state(&ids[0], "done").await;
    for id in &ids[1..4] {
        let event = bench.until_state(id, "superseded").await;
        assert!(
            event["reason"].as_str().unwrap().contains(&ids[4]),
            "{event}"
        );
    }
}

#[tokio::test]
async fn events_of_one_key_take_effect_in_order_of_arrival() {
    let bench = Bench::start().await;
    let mut last = String::new();
    for value in 1..=40 {
        last = bench.accept(&thing("thing_updated", "A", value)).await;
        bench.accept(&thing("thing_updated", "B", value)).await;
    }
    bench.until_state(&last, "done").await;
    assert_eq!(
        bench.port.entity("thing", "A").unwrap()["properties"]["value"],
        40
    );
}

#[tokio::test]
async fn a_write_that_port_refuses_for_a_while_is_repeated() {
    let bench = Bench::start().await;
    bench
        .port
        .server
        .fail(Fault::status("/entities/bulk", 3, 503));
    let id = bench.accept(&thing("thing_updated", "A", 7)).await;
    bench.port.until_entity("thing", "A").await;
    bench.until_state(&id, "done").await;
}

#[tokio::test]
async fn a_mapping_that_arrives_late_finds_the_events_waiting() {
    let port_down = |port: &ocean_tests::port::Port| {
        port.server
            .fail(Fault::status("/integration/", 1_000_000, 503));
    };
    let bench = Bench::start_with(probe_config(), |settings| settings).await;
    drop(bench);
    let port = ocean_tests::port::Port::start(probe_config())
        .await
        .unwrap();
    port_down(&port);
    let data = tempfile::TempDir::new().unwrap();
    let settings = crate::support::probe_settings(&port, data.path());
    let ocean = ocean_tests::process::Ocean::start(crate::support::PROBE, &[], &settings)
        .await
        .unwrap();
    let (status, _) = ocean
        .post("/open", &thing("thing_updated", "A", 7))
        .await
        .unwrap();
    assert_eq!(status, 200, "the door does not need Port");
    let (ready, why) = ocean.get("/health/ready").await.unwrap();
    assert_eq!(ready, 503, "{why}");
    port.server.heal();
    port.until_entity("thing", "A").await;
}
