//! The GitHub integration through its binary: every sample event, against stand-ins of GitHub and
//! Port, and who is believed.

use std::fmt::Write as _;

use expect_test::expect;
use ocean_core::{Integration as _, dev::DevKit};
use ocean_github::GitHub;
use ocean_tests::{
    port::Port,
    process::{Ocean, Settings},
    stand_in::StandIn,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::GITHUB;

const PING: &str = r#"{"zen":"Jürgen 王","hook_id":1}"#;
// HMAC-SHA256 of `PING` with `new secret`, `old secret` and another.
const NEW: &str = "sha256=1d2d95da639421b5d84e4863f16d10a2c30ace39dfbe2d42896db89ccf44439a";
const OLD: &str = "sha256=2f5988841865c6c1ba35bb4c8045d57babed05e22484274ffe3da8800e85aa95";
const OTHER: &str = "sha256=0ffe797bc3f34caeadd091911653a891b94ef034176b45c8d397f1a84d6cea6b";

fn kit() -> DevKit {
    GitHub::dev().expect("the integration brings a dev kit")
}

/// A mapping of all kinds that have live events, by what upstream's guides make identifiers of.
fn mapping() -> Value {
    let in_repository = |id: &str| format!(r#".__repository + "/" + ({id} | tostring)"#);
    let kinds = [
        ("repository", ".name".to_owned()),
        ("pull-request", in_repository(".number")),
        ("issue", in_repository(".number")),
        ("release", in_repository(".id")),
        ("branch", in_repository(".name")),
        ("tag", in_repository(".name")),
        ("workflow", in_repository(".id")),
        ("workflow-run", in_repository(".id")),
        ("deployment", in_repository(".id")),
        ("deployment-status", in_repository(".id")),
        ("environment", in_repository(".name")),
        ("team", ".slug".to_owned()),
        ("user", ".login".to_owned()),
        ("collaborator", in_repository(".login")),
        ("dependabot-alert", in_repository(".number")),
        ("code-scanning-alerts", in_repository(".number")),
    ];
    let resources = kinds.map(|(kind, identifier)| {
        json!({
            "kind": kind,
            "selector": {"query": "true"},
            "port": {"entity": {"mappings": {
                "identifier": identifier,
                "blueprint": format!("\"{kind}\""),
            }}},
        })
    });
    json!({"resources": resources})
}

struct Bench {
    port: Port,
    ocean: Ocean,
    _github: StandIn,
    _data: TempDir,
}

impl Bench {
    async fn start(mapping: Value, change: impl FnOnce(Settings) -> Settings) -> Self {
        let github = StandIn::start(kit().api).await.unwrap();
        let port = Port::start(mapping).await.unwrap();
        let data = TempDir::new().unwrap();
        let settings = change(Settings::github(&port, &github, data.path()));
        let ocean = Ocean::start(GITHUB, &[], &settings).await.unwrap();
        Self {
            port,
            ocean,
            _github: github,
            _data: data,
        }
    }

    /// Samples are not signed.
    async fn unverified(mapping: Value) -> Self {
        let config = |settings: Settings| {
            settings
                .with("OCEAN__INTEGRATION__CONFIG__WEBHOOK_SECRET", "")
                .with("OCEAN__ALLOW_UNVERIFIED_SOURCES", "true")
        };
        Self::start(mapping, config).await
    }

    /// Posts a sample and waits for its end: the state it ended in.
    async fn play(&self, name: &str) -> String {
        let sample = kit().samples.iter().find(|sample| sample.name == name);
        let sample = sample.unwrap_or_else(|| panic!("no sample {name:?}"));
        let posted = self
            .ocean
            .post_with(sample.path, sample.headers, sample.body);
        let (status, answer) = posted.await.unwrap();
        assert_eq!(status, 200, "{name}: {answer}");
        let event = format!("/api/events/{}", answer["id"].as_str().unwrap());
        loop {
            let event = self.ocean.admin_get(&event).await.unwrap();
            if event["state"] != "pending" {
                return event["state"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn every_sample_has_its_effect() {
    let bench = Bench::unverified(mapping()).await;
    // What the samples delete is there before, as in life.
    let owner = "port-ocean/github/0.1.0/my-github/exporter";
    for (blueprint, identifier) in [
        ("issue", "shop/8"),
        ("issue", "shop/9"),
        ("repository", "store"),
        ("repository", "attic"),
        ("pull-request", "shop/12"),
        ("release", "shop/302"),
        ("branch", "shop/topic"),
        ("tag", "shop/v0.9.0"),
        ("workflow", "shop/402"),
        ("team", "former"),
        ("user", "cal-reyes"),
        ("collaborator", "shop/cal-reyes"),
        ("dependabot-alert", "shop/2"),
        ("code-scanning-alerts", "shop/2"),
    ] {
        bench.port.put(blueprint, identifier, owner);
    }
    let mut story = String::new();
    for sample in kit().samples {
        let before = bench.port.writes().len();
        let state = bench.play(sample.name).await;
        let mut writes = bench.port.writes()[before..].to_vec();
        // Writes of one event go to Port side by side.
        writes.sort();
        writeln!(story, "{}: {state} {}", sample.name, writes.join(", ")).unwrap();
    }
    expect![[r#"
        a repository changes: done + repository/shop
        an issue is closed: done - issue/shop/8
        an issue is opened: done + issue/shop/7
        an issue gets a label: done + issue/shop/7
        an issue moves to another repository: done - issue/shop/9
        an issue is deleted: done 
        a repository is created: done + repository/shop
        a repository is renamed: done + repository/shop, - repository/store
        a repository is archived: done - repository/shop
        a repository is brought back from the archive: done + repository/shop
        a repository is deleted: done - repository/attic
        a pull request is opened: done + pull-request/shop/11
        a pull request gets commits: done + pull-request/shop/11
        a review is asked for: done + pull-request/shop/11
        a pull request is merged: done - pull-request/shop/12
        a release is published: done + release/shop/301
        a release changes: done + release/shop/301
        a release is deleted: done - release/shop/302
        a branch is created: done + branch/shop/feature/keys
        commits are pushed: done + branch/shop/main
        a branch is deleted: done - branch/shop/topic
        a tag is created: done + tag/shop/v1.2.0
        a tag is deleted: done - tag/shop/v0.9.0
        workflow files are pushed: done + branch/shop/main, + workflow/shop/401, - workflow/shop/402
        a workflow runs: done + workflow-run/shop/60002
        a workflow ends: done + workflow-run/shop/60001
        something is deployed: done + deployment/shop/5001, + environment/shop/production
        a deployment succeeds: done + deployment-status/shop/5101
        a team is created: done + team/core
        a team changes: done + team/core
        a team is deleted: done - team/former
        somebody joins a team: done + team/core
        somebody leaves a team: done + team/core
        somebody joins the organization: done + user/ben-ito
        somebody leaves the organization: done - user/cal-reyes
        somebody is given access: done + collaborator/shop/ben-ito, + repository/shop
        somebody loses access: done + repository/shop, - collaborator/shop/cal-reyes
        a dependency is found vulnerable: done + dependabot-alert/shop/1
        a vulnerable dependency is updated: done - dependabot-alert/shop/2
        code scanning finds something: done + code-scanning-alerts/shop/1
        what code scanning found is dismissed: done - code-scanning-alerts/shop/2
        the webhook is registered: ignored 
    "#]]
    .assert_eq(&story);
}

#[tokio::test]
async fn the_default_mapping_makes_the_pull_request_of_the_documentation() {
    let mapping = ocean_core::mapping::parse_text(GitHub::assets().app_config).unwrap();
    let bench = Bench::unverified(mapping).await;
    bench.play("a pull request is opened").await;
    let entity = bench
        .port
        .until_entity("githubPullRequest", "shop80011")
        .await;
    assert_eq!(
        entity["properties"]["link"],
        "https://github.com/acme/shop/pull/11"
    );
    assert_eq!(entity["relations"]["repository"], "shop");
}

#[tokio::test]
async fn only_signed_deliveries_are_taken_and_each_once() {
    let bench = Bench::start(mapping(), |settings| settings).await;
    let post = async |delivery: &str, signature: &str, body: &str| {
        let headers = [
            ("x-github-event", "ping"),
            ("x-github-delivery", delivery),
            ("x-hub-signature-256", signature),
        ];
        let posted = bench
            .ocean
            .post_with("/webhook", &headers, body.to_owned())
            .await;
        let (status, answer) = posted.unwrap();
        let word = answer["status"].as_str().unwrap_or_default().to_owned();
        (status, word)
    };
    let answered = |status: u16, word: &str| (status, word.to_owned());
    assert_eq!(post("d-1", NEW, PING).await, answered(200, "ignored"));
    assert_eq!(post("d-1", NEW, PING).await, answered(200, "duplicate"));
    assert_eq!(post("d-2", OLD, PING).await, answered(200, "ignored"));
    assert_eq!(post("d-3", OTHER, PING).await, answered(401, "error"));
    assert_eq!(post("d-3", "", PING).await, answered(401, "error"));
    let changed = PING.replace('1', "2");
    assert_eq!(post("d-3", NEW, &changed).await, answered(401, "error"));
}
