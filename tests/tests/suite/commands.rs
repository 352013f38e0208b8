//! The commands, as a person or a script runs them.

use expect_test::expect;
use ocean_tests::{
    port::Port,
    process::{Settings, finish},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Bench, JIRA, PROBE, probe_config, probe_settings, thing};

#[tokio::test]
async fn missing_settings_are_all_listed_at_once_with_a_hint_at_dev() {
    let finished = finish(JIRA, &["run"], &Settings::default()).await.unwrap();
    assert_eq!(finished.code, 2);
    for name in [
        "OCEAN__PORT__CLIENT_ID",
        "OCEAN__PORT__CLIENT_SECRET",
        "OCEAN__INTEGRATION__CONFIG__JIRA_HOST",
        "OCEAN__INTEGRATION__CONFIG__ATLASSIAN_USER_EMAIL",
        "OCEAN__INTEGRATION__CONFIG__ATLASSIAN_USER_TOKEN",
        "ocean-jira dev",
    ] {
        assert!(
            finished.stderr.contains(name),
            "{name} is not in {}",
            finished.stderr
        );
    }
}

#[tokio::test]
async fn a_source_without_secret_does_not_start_unless_the_operator_agrees() {
    let port = Port::start(probe_config()).await.unwrap();
    let data = TempDir::new().unwrap();
    let settings = probe_settings(&port, data.path())
        .without("OCEAN__ALLOW_UNVERIFIED_SOURCES")
        .without("OCEAN__INTEGRATION__CONFIG__SECRET");
    let finished = finish(PROBE, &["run"], &settings).await.unwrap();
    assert_eq!(finished.code, 2);
    for name in [
        "/signed",
        "OCEAN__INTEGRATION__CONFIG__SECRET",
        "OCEAN__ALLOW_UNVERIFIED_SOURCES",
    ] {
        assert!(
            finished.stderr.contains(name),
            "{name} is not in {}",
            finished.stderr
        );
    }
}

#[tokio::test]
async fn help_lists_every_setting() {
    let finished = finish(JIRA, &["run", "--help"], &Settings::default())
        .await
        .unwrap();
    assert_eq!(finished.code, 0);
    for name in [
        "OCEAN__QUEUE__PATH",
        "OCEAN__INTEGRATION__CONFIG__JIRA_HOST",
        "APPLICATION__PORT",
    ] {
        assert!(
            finished.stdout.contains(name),
            "{name} is not in {}",
            finished.stdout
        );
    }
}

#[tokio::test]
async fn processors_are_listed_with_where_they_are_written() {
    let finished = finish(JIRA, &["processors", "--json"], &Settings::default())
        .await
        .unwrap();
    let all = finished.json();
    let names: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].clone())
        .collect();
    for name in [
        "issue", "project", "user", "version", "board", "sprint", "worklog",
    ] {
        assert!(names.contains(&json!(name)), "{name} is not in {names:?}");
    }
    let issue = all
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "issue")
        .unwrap();
    assert_eq!(issue["kinds"], json!(["issue"]));
    assert!(
        issue["location"]
            .as_str()
            .unwrap()
            .contains("webhooks/issue.rs:"),
        "{issue}"
    );
    let text = finish(JIRA, &["processors"], &Settings::default())
        .await
        .unwrap()
        .stdout;
    assert!(text.contains("jira:issue_"), "{text}");
}

#[tokio::test]
async fn map_prints_what_the_mapping_makes_of_raw_objects() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, value: &Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, value.to_string()).unwrap();
        path.to_string_lossy().into_owned()
    };
    let mapping = file("mapping.json", &probe_config());
    let input = file(
        "input.json",
        &json!([{"id": "A", "value": 1}, {"id": "B", "hidden": true}, {"value": 2}]),
    );
    let arguments = [
        "map",
        "--kind",
        "thing",
        "--input",
        &input,
        "--mapping",
        &mapping,
        "--json",
    ];
    let report = finish(PROBE, &arguments, &Settings::default())
        .await
        .unwrap()
        .json();
    assert_eq!(report["upsert"][0]["identifier"], "A");
    assert_eq!(report["delete"][0]["identifier"], "B");
    assert_eq!(report["upsert"].as_array().unwrap().len(), 1);
    assert!(
        report["misconfigured"]["identifier"].is_string(),
        "{report}"
    );
    let unknown = [
        "map",
        "--kind",
        "nothing",
        "--input",
        &input,
        "--mapping",
        &mapping,
    ];
    let finished = finish(PROBE, &unknown, &Settings::default()).await.unwrap();
    assert_eq!(finished.code, 1);
    assert!(
        finished.stderr.contains("thing"),
        "the kinds there are: {}",
        finished.stderr
    );
}

#[tokio::test]
async fn simulate_shows_processors_and_entities_and_writes_nothing() {
    let folder = TempDir::new().unwrap();
    let body = folder.path().join("event.json");
    std::fs::write(&body, thing("thing_updated", "A", 7).to_string()).unwrap();
    let port = Port::start(probe_config()).await.unwrap();
    let settings = probe_settings(&port, folder.path());
    let body = body.to_string_lossy();
    let arguments = ["simulate", "--path", "/open", "--body", &body, "--json"];
    let report = finish(PROBE, &arguments, &settings).await.unwrap().json();
    assert_eq!(report["events"][0]["matched"], json!(["thing"]));
    assert_eq!(report["events"][0]["upserts"][0]["identifier"], "A");
    assert!(port.entities().is_empty());
    let arguments = ["simulate", "--path", "/signed", "--body", &body];
    let finished = finish(PROBE, &arguments, &settings).await.unwrap();
    assert_eq!(finished.code, 1, "{}{}", finished.stdout, finished.stderr);
    assert!(
        finished.stdout.contains("x-signature"),
        "{}",
        finished.stdout
    );
}

#[tokio::test]
async fn check_lists_all_problems_and_says_so_with_its_exit_code() {
    let mut config = probe_config();
    config["resources"][0]["port"]["entity"]["mappings"]["title"] = json!(".title |");
    config["resources"][1]["port"]["entity"]["mappings"]["title"] = json!("nosuch(1)");
    let port = Port::start(config).await.unwrap();
    let data = TempDir::new().unwrap();
    let settings = probe_settings(&port, data.path());
    let finished = finish(PROBE, &["check", "--json"], &settings)
        .await
        .unwrap();
    assert_eq!(finished.code, 1);
    let report = finished.json();
    let problems: Vec<_> = report["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p.as_str().unwrap())
        .collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("resources[0]") && problems[1].contains("resources[1]"));
    port.set_app_config(probe_config());
    let finished = finish(PROBE, &["check"], &settings).await.unwrap();
    assert_eq!(finished.code, 0, "{}{}", finished.stdout, finished.stderr);
}

#[tokio::test]
async fn operators_see_and_repeat_dead_letters_while_the_server_runs_and_after() {
    let bench = Bench::start().await;
    let mut event = thing("thing_updated", "A", 7);
    event["fail"] = json!("permanent");
    let id = bench.accept(&event).await;
    bench.until_state(&id, "dead").await;
    let settings =
        Settings::default().with("OCEAN__QUEUE__PATH", bench.data.path().to_string_lossy());

    let listed = finish(PROBE, &["dead"], &settings).await.unwrap().stdout;
    assert!(
        listed.contains(&id) && listed.contains("given up"),
        "{listed}"
    );
    let shown = finish(PROBE, &["dead", "show", &id], &settings)
        .await
        .unwrap()
        .stdout;
    assert!(shown.contains("processor thing"), "{shown}");

    let replayed = finish(PROBE, &["dead", "replay", &id], &settings)
        .await
        .unwrap();
    assert_eq!(replayed.code, 0, "{}", replayed.stderr);
    let new: String = replayed
        .stdout
        .trim()
        .rsplit(' ')
        .next()
        .unwrap()
        .to_owned();
    bench.until_state(&new, "dead").await;

    let Bench { ocean, data, port } = bench;
    assert_eq!(ocean.terminate().await.unwrap(), 0);
    let discarded = finish(PROBE, &["dead", "discard", &new], &settings)
        .await
        .unwrap();
    assert_eq!(discarded.code, 0, "{}", discarded.stderr);
    let left = finish(PROBE, &["dead", "list", "--json"], &settings)
        .await
        .unwrap()
        .json();
    assert_eq!(left, json!([]));
    drop((data, port));
}

#[tokio::test]
async fn events_are_found_by_their_ordering_key() {
    let bench = Bench::start().await;
    let wanted = bench.accept(&thing("thing_updated", "A", 1)).await;
    let other = bench.accept(&thing("thing_updated", "B", 1)).await;
    bench.until_state(&other, "done").await;
    let settings =
        Settings::default().with("OCEAN__QUEUE__PATH", bench.data.path().to_string_lossy());
    let arguments = ["events", "list", "--path", "/open", "--key", "A", "--json"];
    let listed = finish(PROBE, &arguments, &settings).await.unwrap().json();
    let ids: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, [wanted]);
}

#[tokio::test]
async fn finished_events_can_be_replayed() {
    let bench = Bench::start().await;
    let id = bench.accept(&thing("thing_updated", "A", 7)).await;
    bench.until_state(&id, "done").await;
    let settings = probe_settings(&bench.port, bench.data.path());
    let dry = ["replay", "--since", "1h", "--dry-run"];
    let preview = async || {
        let dry = finish(PROBE, &dry, &settings).await.unwrap();
        assert_eq!(dry.code, 0, "{}", dry.stderr);
        dry.stdout.replace(&id, "ID")
    };
    expect![[r#"
        ID thing_updated
        matched: thing
        thing (thing-0): 1 updated, 0 deleted
        = thing/A
        1 events would be replayed
    "#]]
    .assert_eq(&preview().await);
    // Somebody edits the entity, so that a replay would change it back.
    bench.port.edit("thing", "A", "value", &json!(8));
    let changed = preview().await;
    assert!(
        changed.contains("~ thing/A\n    properties.value: 8 -> 7\n"),
        "{changed}"
    );
    assert_eq!(bench.port.writes(), ["+ thing/A"]);
    let arguments = ["replay", "--since", "1h", "--kind", "thing"];
    let replayed = finish(PROBE, &arguments, &settings).await.unwrap();
    assert_eq!(replayed.code, 0, "{}", replayed.stderr);
    bench
        .port
        .server
        .until("the write was repeated", || bench.port.writes().len() == 2)
        .await;
    let other = ["replay", "--since", "1h", "--kind", "shadow"];
    let none = finish(PROBE, &other, &settings).await.unwrap();
    expect!["0 events replayed\n"].assert_eq(&none.stdout);
}

#[tokio::test]
async fn a_second_process_on_the_same_folder_is_refused() {
    let bench = Bench::start().await;
    let settings = probe_settings(&bench.port, bench.data.path());
    let finished = finish(PROBE, &["run"], &settings).await.unwrap();
    assert_eq!(finished.code, 1, "{}", finished.stderr);
    let pid = bench.ocean.pid().to_string();
    assert!(
        finished.stderr.contains(&pid),
        "names the owner: {}",
        finished.stderr
    );
}
