//! The GitHub integration through its binary: signatures, and every sample event.

use std::fmt::Write as _;

use expect_test::expect;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ocean_core::{
    Integration as _,
    dev::{DevKit, Sample},
};
use ocean_github::GitHub;
use ocean_tests::{
    port::Port,
    process::{Ocean, Settings},
    stand_in::StandIn,
};
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;

const GITHUB: &str = env!("CARGO_BIN_EXE_github-under-test");
/// Two live secrets, as while one replaces the other.
const SECRETS: &str = "new-secret\nold-secret";

fn kit() -> DevKit {
    GitHub::dev().expect("the integration brings a dev kit")
}

fn signature(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
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
    async fn start(mapping: Value) -> Self {
        let github = StandIn::start(kit().api).await.unwrap();
        let port = Port::start(mapping).await.unwrap();
        let data = TempDir::new().unwrap();
        let mut settings = Settings::new()
            .with("OCEAN__PORT__BASE_URL", port.server.url())
            .with("OCEAN__PORT__CLIENT_ID", "id")
            .with("OCEAN__PORT__CLIENT_SECRET", "secret")
            .with("OCEAN__INTEGRATION__IDENTIFIER", "my-github")
            .with("OCEAN__INITIALIZE_PORT_RESOURCES", "false")
            .with("OCEAN__INTEGRATION__CONFIG__WEBHOOK_SECRET", SECRETS)
            .with("OCEAN__QUEUE__PATH", data.path().to_string_lossy());
        for (name, value) in kit().config {
            let name = format!("OCEAN__INTEGRATION__CONFIG__{}", name.to_uppercase());
            settings = settings.with(&name, value.replace("{api}", &github.url()));
        }
        let ocean = Ocean::start(GITHUB, &[], &settings).await.unwrap();
        Self {
            port,
            ocean,
            _github: github,
            _data: data,
        }
    }

    async fn post(&self, sample: &Sample, body: &str, signature: Option<&str>) -> u16 {
        let mut headers = sample.headers.to_vec();
        headers.extend(signature.map(|signature| ("x-hub-signature-256", signature)));
        self.ocean
            .post_with(sample.path, &headers, body.to_owned())
            .await
            .unwrap()
            .0
    }

    /// Posts a sample, signed, and waits for its end: the state it ended in.
    async fn play(&self, sample: &Sample) -> String {
        let mut headers = sample.headers.to_vec();
        let signature = signature("new-secret", sample.body);
        headers.push(("x-hub-signature-256", &signature));
        let posted = self.ocean.post_with(sample.path, &headers, sample.body);
        let (status, answer) = posted.await.unwrap();
        assert_eq!(status, 200, "{}: {answer}", sample.name);
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
async fn only_signed_events_are_let_in() {
    let bench = Bench::start(mapping()).await;
    let sample = &kit().samples[0];
    let body = sample.body;
    let right = signature("new-secret", body);
    let cases = [
        ("right", Some(right.clone()), 200),
        (
            "the other live secret",
            Some(signature("old-secret", body)),
            200,
        ),
        ("another secret", Some(signature("third-secret", body)), 401),
        ("missing", None, 401),
        ("truncated", Some(right[..right.len() - 2].to_owned()), 401),
        (
            "without prefix",
            Some(right["sha256=".len()..].to_owned()),
            401,
        ),
        (
            "of another body",
            Some(signature("new-secret", &format!("{body} "))),
            401,
        ),
    ];
    for (name, signature, expected) in cases {
        let status = bench.post(sample, body, signature.as_deref()).await;
        assert_eq!(status, expected, "{name}");
    }
    let changed = body.replacen('{', "{ ", 1);
    assert_eq!(
        bench.post(sample, &changed, Some(&right)).await,
        401,
        "a byte more"
    );
    let multibyte = json!({"zen": "Grüße 🚀"}).to_string();
    let signed = signature("new-secret", &multibyte);
    assert_eq!(
        bench.post(sample, &multibyte, Some(&signed)).await,
        200,
        "multibyte"
    );
}

#[tokio::test]
async fn a_delivery_counts_once() {
    let bench = Bench::start(mapping()).await;
    let sample = &kit().samples[0];
    let signature = signature("new-secret", sample.body);
    let mut headers = sample.headers.to_vec();
    headers.push(("x-hub-signature-256", &signature));
    headers.push(("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"));
    for expected in ["ok", "duplicate"] {
        let posted = bench.ocean.post_with(sample.path, &headers, sample.body);
        let (status, answer) = posted.await.unwrap();
        assert_eq!((status, &answer["status"]), (200, &json!(expected)));
    }
}

#[tokio::test]
async fn every_sample_has_its_effect() {
    let bench = Bench::start(mapping()).await;
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
        let state = bench.play(sample).await;
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
    let bench = Bench::start(mapping).await;
    let is_opened = |sample: &&Sample| sample.name == "a pull request is opened";
    let opened = kit().samples.iter().find(is_opened).unwrap();
    bench.play(opened).await;
    let entity = bench.port.until_entity("githubPullRequest", "shop80011");
    let entity = entity.await;
    let link = &entity["properties"]["link"];
    assert_eq!(link, "https://github.com/acme/shop/pull/11");
    assert_eq!(entity["relations"]["repository"], "shop");
}
