//! The source at the door: who is believed, and what the door reads from a delivery.

use ocean_core::{
    Clock, Headers, Integration as _, StartError,
    ingress::{Verdict, receive},
    source::{CheckedSource, SourceSettings, check_sources},
};
use serde_json::{Value, json};

use crate::{Jira, test_support::Site};

const BODY: &str =
    r#"{"webhookEvent":"user_updated","user":{"accountId":"a1","displayName":"Jürgen 王"}}"#;

// HMAC-SHA256 of `BODY` with `new secret`, `old secret` and a secret that is not configured.
const NEW: &str = "sha256=2b4bff91cae54132aa78fa747ea9be522bb6efce84ee8ace42a80591c7ecdc37";
const OLD: &str = "sha256=3b75ced10f440c23311ec38d7014c41e3973c8a126527288b63f2ed282d735dc";
const OTHER: &str = "sha256=b0bc481597059080366d4a998bb883544615956bdbbdcb1b9c46740d32585eef";

fn source(webhook_secret: Value, allow_unverified: bool) -> Result<CheckedSource, StartError> {
    let config = Site::sample().context(json!({})).config;
    let settings = json!({ "webhook_secret": webhook_secret });
    let settings = SourceSettings {
        config: settings.as_object().unwrap(),
        allow_unverified,
    };
    check_sources(Jira::sources(&config), &settings).map(|mut sources| sources.remove(0))
}

async fn verdict(source: &CheckedSource, signature: Option<&str>, body: &str) -> Verdict {
    let headers = Headers::new(signature.map(|signature| ("X-Hub-Signature", signature)));
    let received = receive(source, headers, body.to_owned().into(), Clock::system()).await;
    received.unwrap().0
}

#[tokio::test]
async fn only_jiras_signature_of_exactly_this_body_is_believed() {
    let source = source(json!("new secret\nold secret"), false).unwrap();
    let changed = BODY.replace("a1", "a2");
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
async fn without_a_secret_the_source_starts_only_if_the_operator_agrees() {
    let problem = source(json!(null), false).unwrap_err().to_string();
    for part in [
        "OCEAN__INTEGRATION__CONFIG__WEBHOOK_SECRET",
        "OCEAN__ALLOW_UNVERIFIED_SOURCES",
        "Jira Cloud signs only webhooks that were registered with a secret",
    ] {
        assert!(problem.contains(part), "{problem}");
    }
    let source = source(json!(null), true).unwrap();
    assert_eq!(verdict(&source, None, BODY).await, Verdict::Unverified);
}

#[tokio::test]
async fn name_and_delivery_are_those_of_jira() {
    let source = source(json!(null), true).unwrap();
    let headers = Headers::new([
        ("X-Atlassian-Webhook-Identifier", "d-1"),
        ("X-Atlassian-Webhook-Retry", "1"),
    ]);
    let received = receive(&source, headers, BODY.into(), Clock::system()).await;
    let (_, events) = received.unwrap();
    assert_eq!(events[0].name(), Some("user_updated"));
    assert_eq!(events[0].delivery(), Some("d-1"));
}
