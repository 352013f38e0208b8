//! The Jira integration through its binary: every sample event, against stand-ins of Jira and Port.

use std::fmt::Write as _;

use expect_test::expect;
use ocean_core::{Integration as _, dev::DevKit};
use ocean_jira::Jira;
use ocean_tests::{
    port::Port,
    process::{Ocean, Settings},
    stand_in::{Fault, StandIn},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::JIRA;

fn kit() -> DevKit {
    Jira::dev().expect("the integration brings a dev kit")
}

/// A mapping of all kinds that have live events.
fn mapping() -> Value {
    let kinds = [
        ("project", ".key"),
        ("issue", ".key"),
        ("user", ".accountId"),
        ("release", ".id"),
        ("board", ".id"),
        ("sprint", ".id"),
        ("worklog", ".id"),
    ];
    let resources: Vec<_> = kinds
        .iter()
        .map(|(kind, id)| {
            json!({
                "kind": kind,
                "selector": {"query": "true"},
                "port": {"entity": {"mappings": {
                    "identifier": format!("{id} | tostring"),
                    "blueprint": format!("\"{kind}\""),
                }}},
            })
        })
        .collect();
    json!({"resources": resources})
}

struct Bench {
    jira: StandIn,
    port: Port,
    ocean: Ocean,
    _data: TempDir,
}

impl Bench {
    async fn start(mapping: Value) -> Self {
        let jira = StandIn::start(kit().api).await.unwrap();
        let port = Port::start(mapping).await.unwrap();
        let data = TempDir::new().unwrap();
        let settings = Settings::jira(&port, &jira, data.path());
        let ocean = Ocean::start(JIRA, &[], &settings).await.unwrap();
        Self {
            jira,
            port,
            ocean,
            _data: data,
        }
    }

    /// Posts a sample and waits for its end: the state it ended in.
    async fn play(&self, name: &str) -> String {
        let sample = kit().samples.iter().find(|sample| sample.name == name);
        let sample = sample.unwrap_or_else(|| panic!("no sample {name:?}"));
        let (status, answer) = self
            .ocean
            .post_with(sample.path, sample.headers, sample.body)
            .await
            .unwrap();
        assert_eq!(status, 200, "{name}: {answer}");
        let id = answer["id"].as_str().unwrap();
        loop {
            let event = self
                .ocean
                .admin_get(&format!("/api/events/{id}"))
                .await
                .unwrap();
            if event["state"] != "pending" {
                return event["state"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn every_sample_has_its_effect() {
    let bench = Bench::start(mapping()).await;
    // What the samples delete is there before, as in life.
    let owner = "port-ocean/jira/0.1.0/my-jira/exporter";
    for (blueprint, identifier) in [
        ("issue", "OPS-9"),
        ("project", "OLD"),
        ("user", "557058:6b7f2c1e-2f0b-4c8e-9a56-1d2e3f405162"),
        ("release", "1004"),
        ("board", "7"),
        ("sprint", "11"),
        ("worklog", "79"),
    ] {
        bench.port.put(blueprint, identifier, owner);
    }
    let mut story = String::new();
    for sample in kit().samples {
        let before = bench.port.writes().len();
        let state = bench.play(sample.name).await;
        let writes = bench.port.writes()[before..].join(", ");
        writeln!(story, "{}: {state} {writes}", sample.name).unwrap();
    }
    expect![[""]].assert_eq(&story);
}

#[tokio::test]
async fn the_default_mapping_makes_the_issue_of_the_documentation() {
    let mapping = ocean_core::mapping::parse_text(Jira::assets().app_config).unwrap();
    let bench = Bench::start(mapping).await;
    let update = kit()
        .samples
        .iter()
        .find(|sample| sample.body.contains("jira:issue_updated"));
    bench.play(update.unwrap().name).await;
    let body: Value = serde_json::from_str(update.unwrap().body).unwrap();
    let key = body["issue"]["key"].as_str().unwrap();
    let entity = bench.port.until_entity("jiraIssue", key).await;
    expect![[""]].assert_eq(&serde_json::to_string_pretty(&entity).unwrap());
}

#[tokio::test]
async fn an_outage_of_jira_is_waited_out() {
    let bench = Bench::start(mapping()).await;
    bench.jira.fail(Fault::status("/search/jql", 2, 503));
    let update = kit()
        .samples
        .iter()
        .find(|sample| sample.body.contains("jira:issue_updated"));
    assert_eq!(bench.play(update.unwrap().name).await, "done");
}

#[tokio::test]
async fn an_issue_that_jira_does_not_have_is_removed() {
    let bench = Bench::start(mapping()).await;
    let gone =
        json!({"webhookEvent": "jira:issue_updated", "issue": {"id": "404", "key": "NONE-404"}});
    bench.ocean.post("/webhook", &gone).await.unwrap();
    bench.port.put(
        "issue",
        "NONE-404",
        "port-ocean/jira/0.1.0/my-jira/exporter",
    );
    bench.ocean.post("/webhook", &gone).await.unwrap();
    bench.port.until_gone("issue", "NONE-404").await;
}
