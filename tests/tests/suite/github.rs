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
use serde_json::json;
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

struct Bench {
    port: Port,
    ocean: Ocean,
    _github: StandIn,
    _data: TempDir,
}

impl Bench {
    async fn start() -> Self {
        let github = StandIn::start(kit().api).await.unwrap();
        let mapping = ocean_core::mapping::parse_text(GitHub::assets().app_config).unwrap();
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
}

#[tokio::test]
async fn only_signed_events_are_let_in() {
    let bench = Bench::start().await;
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
async fn every_sample_comes_to_its_end() {
    let bench = Bench::start().await;
    let mut story = String::new();
    for sample in kit().samples {
        let before = bench.port.writes().len();
        let mut headers = sample.headers.to_vec();
        let signature = signature("new-secret", sample.body);
        headers.push(("x-hub-signature-256", &signature));
        let posted = bench
            .ocean
            .post_with(sample.path, &headers, sample.body)
            .await
            .unwrap();
        let (status, answer) = posted;
        assert_eq!(status, 200, "{}: {answer}", sample.name);
        let id = answer["id"].as_str().unwrap();
        let state = loop {
            let event = bench
                .ocean
                .admin_get(&format!("/api/events/{id}"))
                .await
                .unwrap();
            if event["state"] != "pending" {
                break event["state"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        };
        let writes = bench.port.writes()[before..].join(", ");
        writeln!(story, "{}: {state} {writes}", sample.name).unwrap();
    }
    expect![[""]].assert_eq(&story);
}
