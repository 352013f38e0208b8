use std::{
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use http::HeaderMap;

use super::*;
use crate::{
    error::{ErrorClass, ProcessorError},
    http::loopback::{Loopback, Reply},
};

fn options() -> HttpOptions {
    HttpOptions {
        base_delay: Duration::from_millis(1),
        max_retries: 3,
        timeout: Duration::from_secs(5),
        ..HttpOptions::default()
    }
}

fn client() -> HttpClient {
    HttpClient::new(options()).unwrap()
}

/// Sends `request` to a server that gives `replies`; expects the status and the number of calls.
async fn check(
    replies: Vec<Reply>,
    request: impl Fn(&str) -> Request,
    status: Option<u16>,
    calls: usize,
) -> Result<Response, HttpError> {
    let server = Loopback::scripted(replies).await;
    let result = client().send(request(&server.url("/x?token=s3cret"))).await;
    let seen = match &result {
        Ok(response) => Some(response.status()),
        Err(error) => error.status(),
    };
    assert_eq!(seen.map(|s| s.as_u16()), status, "{result:?}");
    assert_eq!(server.calls().len(), calls, "{result:?}");
    result
}

#[tokio::test]
async fn idempotent_requests_are_repeated_on_passing_faults() {
    for fault in [408, 429, 500, 502, 503, 504] {
        let replies = vec![Reply::status(fault), Reply::Reset, Reply::status(200)];
        check(replies, Request::get, Some(200), 3).await.unwrap();
    }
    let error = check(vec![Reply::status(503)], Request::put, Some(503), 4)
        .await
        .unwrap_err();
    assert_eq!(ProcessorError::from(error).class(), ErrorClass::Retry);
}

#[tokio::test]
async fn a_401_is_repeated_once() {
    let error = check(vec![Reply::status(401)], Request::get, Some(401), 2)
        .await
        .unwrap_err();
    assert_eq!(ProcessorError::from(error).class(), ErrorClass::Permanent);
    let replies = vec![Reply::status(401), Reply::status(200)];
    check(replies, Request::get, Some(200), 2).await.unwrap();
}

#[tokio::test]
async fn post_and_patch_are_repeated_only_when_flagged() {
    let fault = || vec![Reply::status(503), Reply::status(200)];
    check(fault(), Request::post, Some(503), 1)
        .await
        .unwrap_err();
    check(fault(), Request::patch, Some(503), 1)
        .await
        .unwrap_err();
    let flagged = |url: &str| Request::post(url).repeatable(true);
    check(fault(), flagged, Some(200), 2).await.unwrap();
    check(
        fault(),
        |url| Request::get(url).max_retries(0),
        Some(503),
        1,
    )
    .await
    .unwrap_err();
}

#[tokio::test]
async fn errors_of_the_request_are_permanent_and_name_no_secret() {
    let refused = Reply::json(404, &serde_json::json!({"error": "not_found"}));
    let error = check(vec![refused], Request::get, Some(404), 1)
        .await
        .unwrap_err();
    assert!(error.is_not_found());
    let text = error.to_string();
    assert!(text.ends_with(r#"/x answered 404 Not Found: {"error":"not_found"}"#));
    assert!(!text.contains("s3cret"), "{text}");
    assert_eq!(ProcessorError::from(error).class(), ErrorClass::Permanent);
}

#[tokio::test]
async fn a_long_wait_is_handed_back_instead_of_slept() {
    let reply = Reply::status(429).header("retry-after", 120);
    let error = check(vec![reply], Request::get, Some(429), 1)
        .await
        .unwrap_err();
    let error = ProcessorError::from(error);
    assert_eq!(error.class(), ErrorClass::Retry);
    assert_eq!(error.delay(), Some(Duration::from_secs(120)));
}

#[tokio::test]
async fn a_reset_header_on_an_ordinary_error_is_not_a_wait() {
    let reply = Reply::status(404).header("x-ratelimit-reset", 120);
    let error = check(vec![reply], Request::get, Some(404), 1)
        .await
        .unwrap_err();
    assert_eq!(error.retry_after(), None);
}

#[tokio::test]
async fn a_server_that_hangs_or_is_not_there_is_worth_a_retry() {
    let server = Loopback::scripted(vec![Reply::Hang]).await;
    let request = Request::get(&server.url("/")).timeout(Duration::from_millis(20));
    let error = client().send(request).await.unwrap_err();
    assert!(matches!(error, HttpError::Timeout { .. }), "{error:?}");
    assert_eq!(
        server.calls().len(),
        1,
        "a time-out is not repeated in place"
    );
    assert!(error.is_retryable());

    // A port that was free a moment ago, and that nobody listens on.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let error = client().send(Request::post(&url)).await.unwrap_err();
    assert!(matches!(error, HttpError::Connect { .. }), "{error:?}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn the_request_carries_what_it_was_given() {
    let server = Loopback::scripted(vec![Reply::json(200, &serde_json::json!({"a": 1}))]).await;
    let request = Request::post(&server.url("/p"))
        .query("jql", "key = A&B")
        .basic("me", "secret")
        .json(&[1, 2]);
    let response = client().send(request).await.unwrap();
    assert_eq!(response.raw().unwrap().text(), r#"{"a":1}"#);
    let error = response.json::<Vec<u8>>().unwrap_err();
    assert!(matches!(error, HttpError::Decode { .. }), "{error:?}");
    let call = &server.calls()[0];
    assert_eq!(call.target, "/p?jql=key+%3D+A%26B");
    assert_eq!(call.header("authorization"), Some("Basic bWU6c2VjcmV0"));
    assert_eq!(call.header("content-type"), Some("application/json"));
    let agent = concat!("ocean-rust/", env!("CARGO_PKG_VERSION"));
    assert_eq!(call.header("user-agent"), Some(agent));
    assert_eq!(call.body, b"[1,2]");
}

#[tokio::test]
async fn mistakes_in_a_request_surface_when_it_is_sent() {
    for request in [
        Request::get("no url"),
        Request::get("http://127.0.0.1/").bearer("line\nbreak"),
    ] {
        let error = client().send(request).await.unwrap_err();
        assert!(matches!(error, HttpError::Invalid { .. }), "{error:?}");
        assert!(!error.to_string().contains("break"));
    }
}

#[tokio::test]
async fn a_large_answer_is_refused() {
    let big = serde_json::json!("x".repeat(100_000));
    let server = Loopback::scripted(vec![Reply::json(200, &big)]).await;
    let client = HttpClient::new(HttpOptions {
        max_body_bytes: 50_000,
        ..options()
    })
    .unwrap();
    let error = client
        .send(Request::get(&server.url("/")))
        .await
        .unwrap_err();
    assert!(matches!(error, HttpError::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn no_more_requests_are_in_flight_than_allowed() {
    const ANSWER: Duration = Duration::from_millis(5);
    let arrivals = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&arrivals);
    let server = Loopback::start(move |_| {
        seen.lock().unwrap().push(Instant::now());
        Reply::After(ANSWER, Box::new(Reply::status(200)))
    })
    .await;
    let client = HttpClient::new(HttpOptions {
        max_in_flight: 2,
        ..options()
    })
    .unwrap();
    let sends = (0..12).map(|_| client.send(Request::get(&server.url("/"))));
    for result in futures_util::future::join_all(sends).await {
        result.unwrap();
    }
    // Of the two before it, one was answered by then, and so the first of them had arrived earlier
    // by the time of an answer at least, however busy the machine is.
    let arrivals = arrivals.lock().unwrap();
    for three in arrivals.windows(3) {
        assert!(three[2] - three[0] >= ANSWER, "{arrivals:?}");
    }
}

/// Refuses answers of 403, and lets nothing through for a while after one.
#[derive(Debug, Default)]
struct Refusing {
    asked: AtomicU32,
    wait: Duration,
}

impl Throttle for Refusing {
    fn before(&self, _: &Url) -> Option<Duration> {
        let first = self.asked.fetch_add(1, Ordering::SeqCst) == 0;
        first.then_some(self.wait)
    }

    fn after(&self, _: &Url, status: StatusCode, _: &HeaderMap) -> Option<Duration> {
        (status == StatusCode::FORBIDDEN).then_some(Duration::from_millis(2))
    }
}

#[tokio::test]
async fn a_throttle_delays_requests_and_recognises_refusals() {
    let server = Loopback::scripted(vec![Reply::status(403), Reply::status(200)]).await;
    let throttle = Arc::new(Refusing {
        wait: Duration::from_millis(2),
        ..Refusing::default()
    });
    let client = client().with_throttle(throttle.clone());
    client.send(Request::get(&server.url("/"))).await.unwrap();
    assert_eq!(server.calls().len(), 2);
    assert_eq!(
        throttle.asked.load(Ordering::SeqCst),
        3,
        "asked again after the wait"
    );
}

#[tokio::test]
async fn a_throttle_that_asks_for_too_long_sends_nothing() {
    let server = Loopback::scripted(vec![Reply::status(200)]).await;
    let client = client().with_throttle(Arc::new(Refusing {
        wait: Duration::from_secs(60),
        ..Refusing::default()
    }));
    let error = client
        .send(Request::get(&server.url("/")))
        .await
        .unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
    assert!(server.calls().is_empty());
}
