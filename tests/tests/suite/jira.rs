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
    expect![[r#"
        an issue gets another status: done + issue/OPS-7
        an issue is created: done + issue/WEB-3
        an issue moves to another project: done + issue/WEB-4
        an issue is deleted: done - issue/OPS-9
        a project is created: done + project/WEB
        a project changes: done + project/OPS
        a project is moved to the bin: done - project/OLD
        a project is brought back from the bin: done + project/WEB
        a project is archived: done + project/WEB
        a project is brought back from the archive: done + project/WEB
        a project is deleted for good: done 
        a user joins: done + user/712020:3c1f4a52-9f0e-4a7b-8d55-0f6f2a1f7c11
        a user changes: done + user/5b10a2844c20165700ede21a
        a user is deleted: done - user/557058:6b7f2c1e-2f0b-4c8e-9a56-1d2e3f405162
        a version is created: done + release/1003
        a version changes: done + release/1002
        a version is released: done + release/1001
        a release is taken back: done + release/1002
        a version moves in the list: done + release/1002
        a version is deleted: done - release/1004
        a version is merged into another: done + release/1003
        a board is created: done + board/6
        a board changes: done + board/5
        a board is deleted: done - board/7
        a sprint is planned: done 
        a sprint changes: done + sprint/9
        a sprint starts: done + sprint/9
        a sprint ends: done 
        a sprint is deleted: done - sprint/11
        work is logged: done + worklog/77
        logged work changes: done + worklog/78
        logged work is deleted: done - worklog/79
    "#]]
    .assert_eq(&story);
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
    expect![[r#"
        {
          "identifier": "OPS-7",
          "blueprint": "jiraIssue",
          "title": "Rotate the signing keys",
          "properties": {
            "url": "https://ocean-demo.atlassian.net/browse/OPS-7",
            "status": "In Progress",
            "issueType": "Task",
            "components": [
              {
                "self": "https://ocean-demo.atlassian.net/rest/api/3/component/10100",
                "id": "10100",
                "name": "Secrets"
              }
            ],
            "creator": "ann@example.com",
            "priority": "High",
            "labels": [
              "infra",
              "security"
            ],
            "created": "2026-01-05T10:00:00.000+0000",
            "updated": "2026-01-15T09:30:00.000+0000",
            "resolutionDate": null
          },
          "relations": {
            "project": "OPS",
            "parentIssue": "OPS-1",
            "subtasks": [
              "OPS-8"
            ],
            "assignee": "5b10a2844c20165700ede21a",
            "reporter": "712020:3c1f4a52-9f0e-4a7b-8d55-0f6f2a1f7c11"
          }
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&entity).unwrap());
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
