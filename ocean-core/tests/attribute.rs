#![forbid(unsafe_code)]
#![deny(missing_docs, clippy::pedantic)]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
//! What `#[webhook_processor]` generates, run without a server, in a crate that allows nothing.

use std::{sync::Mutex, time::Duration};

use ocean_core::{
    EventParts, StateMap,
    prelude::*,
    processor::{EventMatch, ProcessorType},
};

#[derive(serde::Deserialize)]
struct IssueEvent {
    issue: WithRaw<Issue>,
}

#[derive(serde::Deserialize)]
struct Issue {
    key: String,
}

struct Client {
    seen: Mutex<Vec<String>>,
}

impl Client {
    async fn saw(&self, what: &str) {
        std::future::ready(()).await;
        self.seen.lock().unwrap().push(what.to_owned());
    }
}

/// Keeps issues in step.
///
/// Fetches each anew.
#[webhook_processor(
    path = "/webhook",
    kinds = ["issue"],
    event_prefix = "issue_",
    key = "/issue/id",
    when(header = "X-Tenant", ne = "other"),
    max_retries = 5,
    max_retry_delay = "1m",
    timeout = "20s",
    authenticate = authenticate,
    validate = validate,
    on_error = on_error
)]
async fn issue(
    payload: Payload<IssueEvent>,
    client: State<Client>,
    headers: &Headers,
) -> Result<RawResults, ProcessorError> {
    client.saw(&payload.issue.key).await;
    match headers.get("x-fail") {
        Some(_) => Err(ProcessorError::retry("as the test wants")),
        None => Ok(RawResults::updated([payload.issue.raw()])),
    }
}

fn authenticate(event: &WebhookEvent) -> Result<(), Rejection> {
    match event.headers().get("x-forged") {
        Some(_) => Err(Rejection::unauthenticated("forged")),
        None => Ok(()),
    }
}

async fn validate(event: &WebhookEvent) -> Result<(), Rejection> {
    std::future::ready(()).await;
    match event.headers().get("x-invalid") {
        Some(_) => Err(Rejection::invalid("marked so")),
        None => Ok(()),
    }
}

async fn on_error(cx: &EventContext<'_>, error: &ProcessorError) {
    let client = cx.state.get::<Client>().unwrap();
    client.saw(&error.to_string()).await;
}

#[derive(Default)]
struct Pings;

#[webhook_processor(path = "/pings", action, coalesce, key = "/id")]
impl WebhookProcessor for Pings {
    const MAX_RETRIES: u32 = 0;

    async fn handle_event(&self, _: &EventContext<'_>) -> Result<Outcome, ProcessorError> {
        Ok(RawResults::none().into_outcome())
    }
}

fn event(header: &'static str) -> WebhookEvent {
    WebhookEvent::new(EventParts {
        headers: Headers::new([(header, "yes")]),
        body: r#"{"issue":{"id":1,"key":"OPS-7"}}"#.into(),
        ..EventParts::default()
    })
}

fn client() -> StateMap {
    StateMap::new().with(Client {
        seen: Mutex::default(),
    })
}

fn seen(state: &StateMap) -> Vec<String> {
    state.get::<Client>().unwrap().seen.lock().unwrap().clone()
}

#[test]
fn the_description_says_what_the_attribute_says() {
    let spec = issue::SPEC;
    assert_eq!(spec.name, "issue");
    assert_eq!(spec.path, "/webhook");
    assert_eq!(spec.kinds, ["issue"]);
    assert_eq!(spec.event, EventMatch::Prefix("issue_"));
    assert_eq!(spec.key, ["/issue/id"]);
    assert_eq!(spec.retry.max_retries, 5);
    assert_eq!(spec.retry.initial_delay, Duration::from_secs(1));
    assert_eq!(spec.retry.max_delay, Duration::from_mins(1));
    assert_eq!(spec.timeout, Duration::from_secs(20));
    assert_eq!(spec.docs, "Keeps issues in step.\n\nFetches each anew.");
    assert_eq!(spec.needs.len(), 3);
}

#[test]
fn the_location_is_the_name_of_the_function() {
    let location = issue::SPEC.location;
    assert!(location.file.ends_with("attribute.rs"), "{location}");
    let source = include_str!("attribute.rs");
    let line = source.lines().nth(location.line as usize - 1).unwrap();
    assert_eq!(line, "async fn issue(");
}

#[test]
fn a_block_is_described_by_attribute_and_constants() {
    let spec = Pings::SPEC;
    assert_eq!(
        (spec.name, spec.processor_type),
        ("Pings", ProcessorType::Action)
    );
    assert_eq!(spec.retry.max_retries, 0);
    assert!(spec.coalesce);
}

#[tokio::test]
async fn the_function_stays_callable() {
    let state = client();
    let payload = Payload(serde_json::from_str(r#"{"issue":{"key":"A-1"}}"#).unwrap());
    let client = State(state.get::<Client>().unwrap());
    let results = issue(payload, client, &Headers::default()).await.unwrap();
    assert_eq!(results.updated[0].text(), r#"{"key":"A-1"}"#);
}

#[tokio::test]
async fn arguments_are_read_from_the_event() {
    let (event, state) = (event("x-none"), client());
    let cx = EventContext::new(&event, &state);
    let outcome = issue {}.handle_event(&cx).await.unwrap();
    let Outcome::Results(results) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(results.updated[0].text(), r#"{"id":1,"key":"OPS-7"}"#);
    assert_eq!(seen(&state), ["OPS-7"]);
}

#[tokio::test]
async fn an_argument_that_cannot_be_read_rejects_the_event() {
    let (event, state) = (WebhookEvent::new(EventParts::default()), client());
    let cx = EventContext::new(&event, &state);
    let error = issue {}.handle_event(&cx).await.unwrap_err();
    assert_eq!(error.class(), ocean_core::ErrorClass::Rejected);
    assert!(
        error.to_string().contains("missing field `issue`"),
        "{error}"
    );
    assert_eq!(seen(&state), [""; 0]);
}

#[tokio::test]
async fn the_errors_of_the_function_are_returned() {
    let (event, state) = (event("x-fail"), client());
    let cx = EventContext::new(&event, &state);
    let error = issue {}.handle_event(&cx).await.unwrap_err();
    assert!(error.is_retryable());
    issue {}.on_error(&cx, &error).await;
    assert_eq!(seen(&state), ["OPS-7", "as the test wants"]);
}

#[tokio::test]
async fn hooks_may_answer_at_once_or_later() {
    assert!(issue {}.authenticate(&event("x-none")).await.is_ok());
    assert!(issue {}.authenticate(&event("x-forged")).await.is_err());
    assert!(issue {}.validate_payload(&event("x-none")).await.is_ok());
    assert!(
        issue {}
            .validate_payload(&event("x-invalid"))
            .await
            .is_err()
    );
}

#[test]
fn the_constants_of_the_trait_agree_with_the_description() {
    assert_eq!(<issue as WebhookProcessor>::MAX_RETRIES, 5);
    assert_eq!(
        <issue as WebhookProcessor>::MAX_RETRY_DELAY,
        Duration::from_mins(1)
    );
}
