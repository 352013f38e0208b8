//! The source at the door: who is believed, and what the door reads from a delivery.

use ocean_core::{
    Clock, Headers, Integration as _, StartError,
    ingress::{Verdict, receive},
    source::{CheckedSource, SourceSettings, check_sources},
};
use serde_json::{Value, json};

use crate::{GitHub, test_support::Site};

const BODY: &str = r#"{"action":"opened","sender":{"login":"Jürgen 王"}}"#;

// HMAC-SHA256 of `BODY` with `new secret`, `old secret` and a secret that is not configured.
const NEW: &str = "sha256=2ad64d1007b0ed84422d8f800130804a7db3a8a35ce9059e74db5eb0fc635603";
const OLD: &str = "sha256=9856d32d582773ffd999e51792a65d6cd6a062a1458a124240451c6fa2901442";
const OTHER: &str = "sha256=81251d9708ed66db00d487d835d3d8277b8456083f28ec553a0587ec7eb5ac25";

fn source(webhook_secret: Value, allow_unverified: bool) -> Result<CheckedSource, StartError> {
    let config = Site::sample().context(json!({})).config;
    let settings = json!({ "webhook_secret": webhook_secret });
    let settings = SourceSettings {
        config: settings.as_object().unwrap(),
        allow_unverified,
    };
    check_sources(GitHub::sources(&config), &settings).map(|mut sources| sources.remove(0))
}

async fn verdict(source: &CheckedSource, signature: Option<&str>, body: &str) -> Verdict {
    let headers = Headers::new(signature.map(|signature| ("X-Hub-Signature-256", signature)));
    let received = receive(source, headers, body.to_owned().into(), Clock::system()).await;
    received.unwrap().0
}

#[tokio::test]
async fn only_githubs_signature_of_exactly_this_body_is_believed() {
    let source = source(json!("new secret\nold secret"), false).unwrap();
    let changed = BODY.replace("opened", "closed");
    let without_prefix = NEW.strip_prefix("sha256=");
    let truncated = &NEW[..NEW.len() - 2];
    for (signature, body, is_believed) in [
        (Some(NEW), BODY, true),
        (Some(OLD), BODY, true),
        (Some(OTHER), BODY, false),
        (Some(truncated), BODY, false),
        (without_prefix, BODY, false),
        (Some(""), BODY, false),
        (None, BODY, false),
        (Some(NEW), changed.as_str(), false),
    ] {
        let verdict = verdict(&source, signature, body).await;
        assert_eq!(
            verdict == Verdict::Verified,
            is_believed,
            "{signature:?} {body}: {verdict}"
        );
    }
}

#[tokio::test]
async fn githubs_older_sha1_signature_is_no_substitute() {
    let source = source(json!("new secret"), false).unwrap();
    let headers = Headers::new([("X-Hub-Signature", NEW)]);
    let received = receive(&source, headers, BODY.into(), Clock::system()).await;
    assert_ne!(received.unwrap().0, Verdict::Verified);
}

#[tokio::test]
async fn without_a_secret_the_source_starts_only_if_the_operator_agrees() {
    let problem = source(json!(null), false).unwrap_err().to_string();
    for part in [
        "OCEAN__INTEGRATION__CONFIG__WEBHOOK_SECRET",
        "OCEAN__ALLOW_UNVERIFIED_SOURCES",
        "GitHub signs only webhooks that were registered with a secret",
    ] {
        assert!(problem.contains(part), "{problem}");
    }
    let source = source(json!(null), true).unwrap();
    assert_eq!(verdict(&source, None, BODY).await, Verdict::Unverified);
}

#[tokio::test]
async fn name_and_delivery_are_those_of_github_in_both_content_types() {
    let source = source(json!(null), true).unwrap();
    for (content_type, body) in [
        ("application/json", r#"{"action":"opened"}"#),
        (
            "application/x-www-form-urlencoded",
            "payload=%7B%22action%22%3A%22opened%22%7D",
        ),
    ] {
        let headers = Headers::new([
            ("Content-Type", content_type),
            ("X-GitHub-Event", "issues"),
            ("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        ]);
        let received = receive(&source, headers, body.into(), Clock::system()).await;
        let (_, events) = received.unwrap();
        assert_eq!(events[0].name(), Some("issues"));
        assert_eq!(
            events[0].delivery(),
            Some("72d3162e-cc78-11e3-81ab-4c9367dc0958")
        );
        assert_eq!(&**events[0].body(), br#"{"action":"opened"}"#);
    }
}
