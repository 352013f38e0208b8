//! The door over real TCP: every status and body of the contract, and hostile clients.

#![allow(clippy::unwrap_used, reason = "it is a test")]

mod door_support;

use std::{io::Write as _, net::Shutdown, num::NonZeroUsize, time::Duration};

use door_support::{Door, JSON, post};
use expect_test::{Expect, expect};
use flate2::{Compression, write::GzEncoder};
use ocean_core::{
    BoxFuture, EventId,
    ingress::Check,
    queue::QueueError,
    source::{Challenge, Locator, RawRequest, Secret, Source, Unverified, Verification, Verify},
};
use serde_json::json;

const URI: &str = "/integration/webhook";

fn open_source() -> Source {
    Source::new("/webhook")
        .event_name(Locator::pointer("/event"))
        .delivery(Locator::header("x-delivery"))
        .unverified("it is a test")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

// === The contract's table ===

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn accepted_duplicate_ignored() {
    let door = Door::open(vec![open_source()]);
    let first = door.post(
        URI,
        &format!("{JSON}x-delivery: d1\r\n"),
        r#"{"event":"push"}"#,
    );
    expect![[r#"200 {"status":"ok","id":"1000"}"#]].assert_eq(&first.line());
    let again = door.post(
        URI,
        &format!("{JSON}x-delivery: d1\r\n"),
        r#"{"event":"push"}"#,
    );
    expect![[r#"200 {"status":"duplicate","id":"1000"}"#]].assert_eq(&again.line());
    let ping = door.post(URI, JSON, r#"{"event":"ping"}"#);
    expect![[r#"200 {"status":"ignored","id":"1002"}"#]].assert_eq(&ping.line());
    assert_eq!(first.header("content-type"), Some("application/json"));
    let events = door.queue.events();
    assert_eq!(events[0].name(), Some("push"));
    assert_eq!(events[0].delivery(), Some("d1"));
    assert_eq!(&**events[0].path(), "/webhook");
    assert_eq!(events[2].name(), Some("ping"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_event_is_kept_as_it_came_but_for_secrets() {
    let door = Door::open(vec![
        Source::new("/webhook").verify(Verification::token("x-knock").secret("secret")),
    ]);
    let body = "{\"summary\": \"Füße 🦀\",\n \"n\": 9007199254740993}\n";
    let headers = format!(
        "{JSON}x-knock: hunter2\r\nAuthorization: Bearer abc\r\nCookie: a=b\r\nX-Tag: one\r\nx-tag: two\r\n"
    );
    let answer = door.post("/integration/webhook?a=1&token=x&b=%20", &headers, body);
    assert_eq!(answer.status, 200);
    let event = &door.queue.events()[0];
    assert_eq!(event.body(), body.as_bytes());
    assert_eq!(event.query(), "a=1&b=%20");
    let kept: Vec<_> = event.headers().iter().collect();
    let length = body.len().to_string();
    assert_eq!(
        kept,
        [
            ("content-length", &*length),
            ("content-type", "application/json"),
            ("host", "door"),
            ("x-tag", "one"),
            ("x-tag", "two"),
        ]
    );
}

#[track_caller]
fn refused(door: &Door, headers: &str, body: impl AsRef<[u8]>, expected: Expect) {
    let before = door.queue.events().len();
    let answer = door.post(URI, headers, body);
    expected.assert_eq(&answer.line());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert!(answer.header("x-request-id").is_some());
    assert_eq!(door.queue.events().len(), before, "nothing was accepted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn bodies_that_are_not_json_objects() {
    let door = Door::open(vec![open_source()]);
    refused(
        &door,
        JSON,
        "",
        expect![[
            r#"400 {"status":"error","error":"bad_json","message":"the body is not JSON: it is empty"}"#
        ]],
    );
    refused(
        &door,
        JSON,
        "[]",
        expect![[
            r#"400 {"status":"error","error":"not_an_object","message":"the body is not a JSON object"}"#
        ]],
    );
    refused(
        &door,
        JSON,
        "\"text\"",
        expect![[
            r#"400 {"status":"error","error":"not_an_object","message":"the body is not a JSON object"}"#
        ]],
    );
    refused(
        &door,
        JSON,
        "null",
        expect![[
            r#"400 {"status":"error","error":"not_an_object","message":"the body is not a JSON object"}"#
        ]],
    );
    for body in [
        &b"{\"a\": 1,}"[..],
        b"{\"a\": 1",
        b"{} {}",
        b"{\"a\": \"\xff\"}",
        b"{'a': 1}",
        b"hello",
        b"<a/>",
    ] {
        let answer = door.post(URI, JSON, body);
        assert_eq!(answer.status, 400, "{}", String::from_utf8_lossy(body));
        assert_eq!(answer.json()["error"], "bad_json");
    }
    let answer = door.post(URI, JSON, "{\"a\": 1,\n  \"b\" 2}");
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("line 2"), "{message}");
    assert_eq!(door.queue.events().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn content_types() {
    let door = Door::open(vec![open_source()]);
    for content_type in [
        "content-type: application/json\r\n",
        "Content-Type: Application/JSON; charset=UTF-8\r\n",
        "content-type: application/cloudevents+json\r\n",
        "content-type: application/vnd.github.v3+JSON;a=b\r\n",
        "content-type: text/json\r\n",
        "",
    ] {
        let answer = door.post(URI, content_type, "{}");
        assert_eq!(answer.status, 200, "{content_type}");
    }
    refused(
        &door,
        "content-type: text/plain\r\n",
        "{}",
        expect![[
            r#"415 {"status":"error","error":"unsupported_media_type","message":"the content type is not application/json"}"#
        ]],
    );
    refused(
        &door,
        "content-type: application/x-www-form-urlencoded\r\n",
        "payload=%7B%7D",
        expect![[
            r#"415 {"status":"error","error":"unsupported_media_type","message":"the content type is not application/json"}"#
        ]],
    );
    refused(
        &door,
        "content-type: json\r\n",
        "{}",
        expect![[
            r#"415 {"status":"error","error":"unsupported_media_type","message":"the content type is not application/json"}"#
        ]],
    );
    refused(
        &door,
        &format!("{JSON}content-encoding: br\r\n"),
        "{}",
        expect![[
            r#"415 {"status":"error","error":"unsupported_encoding","message":"the content encoding is neither gzip nor identity"}"#
        ]],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn unknown_paths_and_methods() {
    let door = Door::open(vec![open_source()]);
    for path in [
        "/",
        "/webhook",
        "/integration",
        "/integration/webhook/",
        "/integration/Webhook",
        "/integration/webhook%2f",
        "/../integration/webhook",
    ] {
        let answer = door.post(path, JSON, "{}");
        assert_eq!(
            answer.line(),
            r#"404 {"status":"error","error":"not_found","message":"nothing is served at this path"}"#,
            "{path}"
        );
    }
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"] {
        let answer = door.send(format!("{method} {URI} HTTP/1.1\r\nhost: door\r\n\r\n"));
        assert_eq!(
            answer.line(),
            r#"405 {"status":"error","error":"method_not_allowed","message":"use POST"}"#,
            "{method}"
        );
        assert_eq!(answer.header("allow"), Some("POST"));
    }
    let mut client = door.connect();
    client.write(format!(
        "HEAD {URI} HTTP/1.1\r\nhost: door\r\nconnection: close\r\n\r\n"
    ));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut client.stream, &mut text).unwrap();
    assert!(
        text.starts_with("HTTP/1.1 405 ") && text.ends_with("\r\n\r\n"),
        "{text}"
    );
    let answer = door.post("/health/live", JSON, "{}");
    assert_eq!(
        (answer.status, answer.header("allow")),
        (405, Some("GET, HEAD"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_way_in_which_the_queue_can_refuse() {
    let door = Door::open(vec![open_source()]);
    let retry_after = Duration::from_millis(2100);
    let reason = || "8 GiB are waiting".to_owned();
    for (error, expected, seconds) in [
        (
            QueueError::Full {
                reason: reason(),
                retry_after,
            },
            r#"503 {"status":"error","error":"queue_full","message":"the queue is full: 8 GiB are waiting"}"#,
            "3",
        ),
        (
            QueueError::Failing {
                reason: "disk I/O error".into(),
                retry_after: Duration::ZERO,
            },
            r#"503 {"status":"error","error":"store_failing","message":"the event store is failing: disk I/O error"}"#,
            "1",
        ),
        (
            QueueError::Closed,
            r#"503 {"status":"error","error":"shutting_down","message":"shutting down"}"#,
            "5",
        ),
        (
            QueueError::Damaged {
                id: EventId::new(1),
                reason: "no body".into(),
            },
            r#"503 {"status":"error","error":"store_failing","message":"event 1 is damaged: no body"}"#,
            "5",
        ),
    ] {
        door.queue.fail(error);
        let answer = door.post(URI, JSON, "{}");
        assert_eq!(answer.line(), expected);
        assert_eq!(answer.header("retry-after"), Some(seconds));
    }
    door.queue.fail(QueueError::TooLarge {
        bytes: 2_000,
        limit: 1_000,
    });
    let answer = door.post(URI, JSON, "{}");
    assert_eq!(
        answer.line(),
        r#"413 {"status":"error","error":"too_large","message":"the request has 2000 bytes and all pending events may take up 1000; raise OCEAN__QUEUE__MAX_PENDING_BYTES"}"#
    );
    assert_eq!(answer.header("retry-after"), None, "waiting does not help");
    *door.queue.failure.lock().unwrap() = None;
    assert_eq!(
        door.post(URI, JSON, "{}").status,
        200,
        "it recovers by itself"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_panicking_filter_costs_its_request_only() {
    let door = Door::open(vec![open_source()]);
    let mut client = door.connect();
    client.write(post(URI, JSON, r#"{"event":"panic"}"#));
    let answer = client.read();
    expect![[r#"500 {"status":"error","error":"internal","message":"internal error"}"#]]
        .assert_eq(&answer.line());
    client.write(post(URI, JSON, "{}"));
    assert_eq!(client.read().status, 200, "the connection lives on");
}

// === Verification over HTTP ===

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn signatures() {
    let hmac = Verification::hmac_sha256("x-hub-signature-256")
        .prefix("sha256=")
        .secret("hmacSecret");
    let door = Door::open(vec![open_source().verify(hmac)]);
    let body = r#"{"summary":"Füße"}"#;
    let right = signature("Jefe", body.as_bytes());
    let header = |signature: &str| format!("{JSON}X-Hub-Signature-256: sha256={signature}\r\n");
    assert_eq!(door.post(URI, &header(&right), body).status, 200);
    refused(
        &door,
        JSON,
        body,
        expect![[
            r#"401 {"status":"error","error":"unauthenticated","message":"no `x-hub-signature-256` header"}"#
        ]],
    );
    refused(
        &door,
        &header(&right),
        r#"{"summary":"Füsse"}"#,
        expect![[
            r#"401 {"status":"error","error":"unauthenticated","message":"`x-hub-signature-256` does not match"}"#
        ]],
    );
    refused(
        &door,
        &header(&signature("other", body.as_bytes())),
        body,
        expect![[
            r#"401 {"status":"error","error":"unauthenticated","message":"`x-hub-signature-256` does not match"}"#
        ]],
    );
    refused(
        &door,
        &header(&right[..62]),
        body,
        expect![[
            r#"401 {"status":"error","error":"unauthenticated","message":"malformed `x-hub-signature-256` header"}"#
        ]],
    );
    // An impostor learns nothing about the body.
    refused(
        &door,
        JSON,
        "not json",
        expect![[
            r#"401 {"status":"error","error":"unauthenticated","message":"no `x-hub-signature-256` header"}"#
        ]],
    );
    // Gzip is signed as sent, not as inflated.
    let zipped = gzip(body.as_bytes());
    let gzipped = |signature: &str| format!("{}content-encoding: gzip\r\n", header(signature));
    assert_eq!(
        door.post(URI, &gzipped(&signature("Jefe", &zipped)), &zipped)
            .status,
        200
    );
    assert_eq!(door.post(URI, &gzipped(&right), &zipped).status, 401);
    assert_eq!(door.queue.events().len(), 2);
    assert_eq!(door.queue.events()[1].body(), body.as_bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_form_is_signed_as_sent() {
    let hmac = Verification::hmac_sha256("x-hub-signature-256")
        .prefix("sha256=")
        .secret("hmacSecret");
    let door = Door::open(vec![open_source().verify(hmac).form_field("payload")]);
    let form = "payload=%7B%22event%22%3A%22push%22%7D";
    let headers = |signature: &str| {
        format!(
            "content-type: application/x-www-form-urlencoded\r\nx-hub-signature-256: sha256={signature}\r\n"
        )
    };
    let decoded = signature("Jefe", br#"{"event":"push"}"#);
    assert_eq!(door.post(URI, &headers(&decoded), form).status, 401);
    let sent = signature("Jefe", form.as_bytes());
    assert_eq!(door.post(URI, &headers(&sent), form).status, 200);
    assert_eq!(door.queue.events()[0].name(), Some("push"));
}

struct Down;

impl Verify for Down {
    fn verify<'a>(
        &'a self,
        request: &'a RawRequest<'a>,
        _: &'a [Secret],
    ) -> BoxFuture<'a, Result<(), Unverified>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            match request.body {
                b"{}" => Ok(()),
                _ => Err(Unverified::Unavailable("no keys yet".into())),
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_sender_that_cannot_be_verified_now_comes_back_later() {
    let door = Door::open(vec![open_source().verify(Verification::custom(Down))]);
    assert_eq!(door.post(URI, JSON, "{}").status, 200);
    let answer = door.post(URI, JSON, "{ }");
    expect![[r#"503 {"status":"error","error":"verifier_unavailable","message":"cannot verify at the moment: no keys yet"}"#]].assert_eq(&answer.line());
    assert_eq!(answer.header("retry-after"), Some("10"));
}

fn signature(secret: &str, body: &[u8]) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

// === Body shapes ===

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn arrays_are_batches_where_the_source_says_so() {
    let door = Door::open(vec![open_source().arrays()]);
    let answer = door.post(
        URI,
        JSON,
        r#" [{"event":"a"}, {"event":"ping"},{"event":"b"}]"#,
    );
    expect![[r#"200 {"status":"ok","id":"1000","ids":["1000","1001","1002"]}"#]]
        .assert_eq(&answer.line());
    let requests = door.queue.requests.lock().unwrap().len();
    assert_eq!(requests, 1, "one durable batch");
    assert_eq!(door.queue.events()[2].body(), r#"{"event":"b"}"#);
    expect![[r#"200 {"status":"ok","id":"1003"}"#]].assert_eq(&door.post(URI, JSON, "{}").line());
    expect![[r#"200 {"status":"ignored","ids":[]}"#]].assert_eq(&door.post(URI, JSON, "[]").line());
    refused(
        &door,
        JSON,
        "[{}, 1]",
        expect![[
            r#"400 {"status":"error","error":"not_an_object","message":"element 1 of the array is not an object"}"#
        ]],
    );
    refused(
        &door,
        JSON,
        "7",
        expect![[
            r#"400 {"status":"error","error":"not_an_object","message":"the body is neither a JSON object nor an array of objects"}"#
        ]],
    );
    let answer = door.post(URI, JSON, "[{}, ");
    assert_eq!(answer.json()["error"], "bad_json");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_million_brackets_are_just_bad_json() {
    let door = Door::open(vec![open_source().arrays()]);
    let deep = "[".repeat(1_000_000);
    for body in [
        deep.clone(),
        format!("{{\"a\":{deep}"),
        format!("[{{\"a\":{deep}"),
    ] {
        let answer = door.post(URI, JSON, &body);
        assert_eq!(
            (answer.status, answer.json()["error"].clone()),
            (400, json!("bad_json"))
        );
    }
    let closed = format!("{{\"a\":{deep}{}}}", "]".repeat(1_000_000));
    let answer = door.post(URI, JSON, &closed);
    assert_eq!(
        (answer.status, answer.json()["error"].clone()),
        (400, json!("bad_json"))
    );
    let answer = door.post(URI, JSON, format!("[{closed}]"));
    assert_eq!(
        (answer.status, answer.json()["error"].clone()),
        (400, json!("bad_json"))
    );
    assert_eq!(
        door.post(URI, JSON, "{}").status,
        200,
        "the door still stands"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_elements_of_a_batch_do_not_pass_for_duplicates_of_each_other() {
    let door = Door::open(vec![open_source().arrays()]);
    let headers = format!("{JSON}x-delivery: d1\r\n");
    let answer = door.post(URI, &headers, "[{}, {}]");
    expect![[r#"200 {"status":"ok","id":"1000","ids":["1000","1001"]}"#]].assert_eq(&answer.line());
    let again = door.post(URI, &headers, "[{}, {}]");
    expect![[r#"200 {"status":"duplicate","id":"1000","ids":["1000","1001"]}"#]]
        .assert_eq(&again.line());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn too_many_elements() {
    let door = Door::with(vec![open_source().arrays()], vec![], |options| {
        options.limits.max_batch_events = 2;
    });
    assert_eq!(door.post(URI, JSON, "[{}, {}]").status, 200);
    refused(
        &door,
        JSON,
        "[{}, {}, {}]",
        expect![[
            r#"413 {"status":"error","error":"too_many_events","message":"the array has more than 2 elements"}"#
        ]],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn too_many_values() {
    let door = Door::with(vec![open_source()], vec![], |options| {
        options.limits.max_json_values = 5;
    });
    assert_eq!(door.post(URI, JSON, r#"{"a":[1,2]}"#).status, 200);
    let body = r#"{"a":[1,2,3]}"#;
    let zipped = format!("{JSON}content-encoding: gzip\r\n");
    for (headers, body) in [(JSON, body.into()), (&*zipped, gzip(body.as_bytes()))] {
        refused(
            &door,
            headers,
            body,
            expect![[
                r#"413 {"status":"error","error":"too_many_values","message":"the body has more than 5 JSON values"}"#
            ]],
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn forms() {
    let door = Door::open(vec![open_source().form_field("payload")]);
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    let answer = door.post(URI, form, "a=1&payload=%7B%22event%22%3A+%22push%22%7D");
    assert_eq!(answer.status, 200);
    assert_eq!(door.queue.events()[0].body(), r#"{"event": "push"}"#);
    assert_eq!(door.queue.events()[0].name(), Some("push"));
    assert_eq!(door.post(URI, JSON, "{}").status, 200, "JSON as well");
    refused(
        &door,
        form,
        "other=%7B%7D",
        expect![[
            r#"400 {"status":"error","error":"bad_encoding","message":"the form lacks the field with the JSON"}"#
        ]],
    );
    refused(
        &door,
        "content-type: text/plain\r\n",
        "{}",
        expect![[
            r#"415 {"status":"error","error":"unsupported_media_type","message":"the content type is not application/json or application/x-www-form-urlencoded"}"#
        ]],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn gzip_is_inflated_within_the_limit() {
    let door = Door::with(vec![open_source()], vec![], |options| {
        options.limits.max_body_bytes = 100_000;
    });
    let gzipped = format!("{JSON}content-encoding: gzip\r\n");
    let fits = format!("{{\"event\":\"{}\"}}", "x".repeat(99_987));
    assert_eq!(fits.len(), 99_999);
    assert_eq!(door.post(URI, &gzipped, gzip(fits.as_bytes())).status, 200);
    let bomb = gzip(&vec![b' '; 50_000_000]);
    assert!(bomb.len() < 100_000);
    refused(
        &door,
        &gzipped,
        &bomb,
        expect![[
            r#"413 {"status":"error","error":"too_large","message":"the body exceeds 100000 bytes"}"#
        ]],
    );
    refused(
        &door,
        &gzipped,
        "{}",
        expect![[
            r#"400 {"status":"error","error":"bad_encoding","message":"the body is not gzip"}"#
        ]],
    );
    let whole = gzip(b"{}");
    refused(
        &door,
        &gzipped,
        &whole[..whole.len() - 4],
        expect![[
            r#"400 {"status":"error","error":"bad_encoding","message":"the body is not gzip"}"#
        ]],
    );
}

// === Limits and hostile clients ===

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn bodies_up_to_the_limit_and_not_a_byte_more() {
    let door = Door::with(vec![open_source()], vec![], |options| {
        options.limits.max_body_bytes = 64;
    });
    let body = |length: usize| format!("{{\"event\":\"{}\"}}", "x".repeat(length - 12));
    assert_eq!(body(64).len(), 64);
    assert_eq!(door.post(URI, JSON, body(64)).status, 200);
    let answer = door.post(URI, JSON, body(65));
    expect![[
        r#"413 {"status":"error","error":"too_large","message":"the body exceeds 64 bytes"}"#
    ]]
    .assert_eq(&answer.line());
    // Without a declared length it is noticed on the way.
    let chunked = |body: &str| {
        format!(
            "POST {URI} HTTP/1.1\r\nhost: door\r\n{JSON}transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        )
    };
    assert_eq!(door.send(chunked(&body(64))).status, 200);
    assert_eq!(door.send(chunked(&body(65))).status, 413);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_huge_body_is_refused_before_it_is_sent() {
    let door = Door::open(vec![open_source()]);
    let answer = door.send(format!(
        "POST {URI} HTTP/1.1\r\nhost: door\r\n{JSON}content-length: 99999999999\r\n\r\n"
    ));
    expect![[
        r#"413 {"status":"error","error":"too_large","message":"the body exceeds 26214400 bytes"}"#
    ]]
    .assert_eq(&answer.line());
    assert_eq!(answer.header("connection"), Some("close"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn chunked_and_dribbled_bodies_arrive_whole() {
    let door = Door::open(vec![open_source()]);
    let mut client = door.connect();
    client.stream.set_nodelay(true).unwrap();
    client.write(format!(
        "POST {URI} HTTP/1.1\r\nhost: door\r\n{JSON}transfer-encoding: chunked\r\n\r\n"
    ));
    for byte in br#"{"event":"slow"}"# {
        client.write(format!("1\r\n{}\r\n", char::from(*byte)));
    }
    client.write("0\r\n\r\n");
    assert_eq!(client.read().status, 200);
    assert_eq!(door.queue.events()[0].body(), r#"{"event":"slow"}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let door = Door::open(vec![open_source()]);
    let mut client = door.connect();
    client.write(format!(
        "POST {URI} HTTP/1.1\r\nhost: door\r\n{JSON}expect: 100-continue\r\ncontent-length: 2\r\n\r\n"
    ));
    assert_eq!(client.read().status, 100);
    client.write("{}");
    assert_eq!(client.read().status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn pipelined_requests_are_answered_in_order() {
    let door = Door::open(vec![open_source()]);
    let mut client = door.connect();
    let names = ["a", "ping", "b"];
    let requests = names.map(|name| post(URI, JSON, json!({"event": name}).to_string()));
    client.write(requests.concat());
    client.write(post("/nowhere", JSON, "{}"));
    let answers: Vec<_> = (0..4).map(|_| client.read().line()).collect();
    assert_eq!(answers[0], r#"200 {"status":"ok","id":"1000"}"#);
    assert_eq!(answers[1], r#"200 {"status":"ignored","id":"1001"}"#);
    assert_eq!(answers[2], r#"200 {"status":"ok","id":"1002"}"#);
    assert!(answers[3].starts_with("404"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_body_that_does_not_come_times_out() {
    let door = Door::with(vec![open_source()], vec![], |options| {
        options.body_timeout = Duration::from_millis(50);
    });
    let mut client = door.connect();
    client.write(format!(
        "POST {URI} HTTP/1.1\r\nhost: door\r\n{JSON}content-length: 10\r\n\r\n{{"
    ));
    let answer = client.read();
    assert_eq!(
        (answer.status, answer.json()["error"].clone()),
        (408, json!("request_timeout"))
    );
    assert_eq!(door.queue.events().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_head_that_does_not_come_ends_the_connection() {
    let door = Door::with(vec![open_source()], vec![], |options| {
        options.head_timeout = Duration::from_millis(50);
    });
    let mut client = door.connect();
    client.write("POST /integration/webhook HTTP/1.1\r\nhost: do");
    assert_eq!(client.read().status, 408);
    assert!(client.try_read().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_client_that_leaves_within_the_body_leaves_nothing() {
    let door = Door::open(vec![open_source()]);
    let mut client = door.connect();
    client.write(format!(
        "POST {URI} HTTP/1.1\r\nhost: door\r\n{JSON}content-length: 10\r\n\r\n{{"
    ));
    client.stream.shutdown(Shutdown::Both).unwrap();
    assert_eq!(door.post(URI, JSON, "{}").status, 200);
    assert_eq!(door.queue.events().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn large_requests_share_a_budget() {
    let door = Door::with(vec![open_source()], vec![], |options| {
        options.threads = NonZeroUsize::new(1);
        options.limits.max_buffered_bytes = 2000;
    });
    let mut holder = door.connect();
    let half = "x".repeat(800);
    holder.write(format!(
        "POST {URI} HTTP/1.1\r\nhost: door\r\n{JSON}content-length: 900\r\n\r\n{{\"event\":\"{half}"
    ));
    // The holder's bytes are counted once a thread has read them, which only a retry can tell.
    let refused = (0..1000).find_map(|_| {
        let answer = door.post(URI, JSON, format!("{{\"event\":\"{half}\"}}"));
        (answer.status != 200).then_some(answer)
    });
    let refused = refused.expect("the budget is used up");
    expect![[
        r#"429 {"status":"error","error":"busy","message":"too many large requests at once"}"#
    ]]
    .assert_eq(&refused.line());
    assert_eq!(refused.header("retry-after"), Some("1"));
    holder.write(format!("{}\"}}", "x".repeat(88)));
    assert_eq!(holder.read().status, 200);
    assert_eq!(
        door.post(URI, JSON, format!("{{\"event\":\"{half}\"}}"))
            .status,
        200
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_head_of_endless_headers_is_refused() {
    let door = Door::open(vec![open_source()]);
    let many: String = (0..500).map(|n| format!("x-{n}: 1\r\n")).collect();
    let answer = door.send(format!("POST {URI} HTTP/1.1\r\nhost: door\r\n{many}\r\n"));
    assert_eq!(answer.status, 431);
    assert_eq!(door.queue.events().len(), 0);
}

// === Challenges ===

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn challenges_are_answered_and_are_no_events() {
    let okta = open_source().challenge(Challenge::GetHeader("x-okta-verification-challenge"));
    let door = Door::open(vec![okta]);
    let answer = door.send(format!(
        "GET {URI} HTTP/1.1\r\nhost: door\r\nX-Okta-Verification-Challenge: a\"b<c\r\n\r\n"
    ));
    expect![[r#"200 {"verification":"a\"b<c"}"#]].assert_eq(&answer.line());
    assert_eq!(
        door.get(URI).status,
        405,
        "without the header it is an ordinary GET"
    );

    let query = open_source().challenge(Challenge::GetQuery("hub.challenge"));
    let door = Door::open(vec![query]);
    let answer = door.get(&format!("{URI}?a=b&hub.challenge=%3Cb%3E42"));
    assert_eq!(answer.line(), "200 <b>42");
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));

    let slack = open_source().challenge(Challenge::PostPointer("/challenge"));
    let door = Door::open(vec![slack]);
    let answer = door.post(
        URI,
        JSON,
        r#"{"type":"url_verification","challenge":"3eZb"}"#,
    );
    expect![[r#"200 {"challenge":"3eZb"}"#]].assert_eq(&answer.line());
    assert_eq!(door.queue.events().len(), 0);
    assert_eq!(door.post(URI, JSON, "{}").status, 200);
    assert_eq!(door.queue.events().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_challenge_in_a_body_is_answered_to_a_verified_sender_only() {
    let token = Verification::token("x-knock").secret("secret");
    let slack = Source::new("/webhook")
        .verify(token)
        .challenge(Challenge::PostPointer("/challenge"));
    let door = Door::open(vec![slack]);
    let body = r#"{"challenge":"3eZb"}"#;
    assert_eq!(door.post(URI, JSON, body).status, 401);
    assert_eq!(
        door.post(URI, &format!("{JSON}x-knock: hunter2\r\n"), body)
            .status,
        200
    );
}

// === Health, metrics, prefix, shutdown ===

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn readiness_names_what_fails() {
    let mapping = Check::new("mapping", || Err("none loaded yet".to_owned()));
    let door = Door::with(vec![], vec![mapping], |_| {});
    let version = env!("CARGO_PKG_VERSION");
    let live = door.get("/health/live");
    assert_eq!(
        live.line(),
        format!(r#"200 {{"status":"healthy","check":"live","core_version":"{version}"}}"#)
    );
    let ready = door.get("/health/ready");
    assert_eq!(ready.status, 503);
    assert_eq!(
        ready.json()["failing"],
        json!([{"dependency": "mapping", "reason": "none loaded yet"}])
    );

    let door = Door::with(vec![], vec![Check::new("mapping", || Ok(()))], |_| {});
    let ready = door.get("/health/ready");
    assert_eq!(
        ready.line(),
        format!(r#"200 {{"status":"healthy","check":"ready","core_version":"{version}"}}"#)
    );
    door.queue.fail(QueueError::Full {
        reason: "disk full".into(),
        retry_after: Duration::ZERO,
    });
    let ready = door.get("/health/ready");
    assert_eq!(
        ready.json()["failing"],
        json!([{"dependency": "queue", "reason": "the queue is full: disk full"}])
    );
    assert_eq!(door.get("/health/live").status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn everything_moves_below_the_prefix() {
    let door = Door::with(vec![open_source()], vec![], |options| {
        options.prefix = "/ocean/jira/".to_owned();
    });
    assert_eq!(
        door.post("/ocean/jira/integration/webhook", JSON, "{}")
            .status,
        200
    );
    assert_eq!(door.post(URI, JSON, "{}").status, 404);
    for path in ["/health/live", "/health/ready", "/metrics", "/metrics/"] {
        assert_eq!(
            door.get(&format!("/ocean/jira{path}")).status,
            200,
            "{path}"
        );
        assert_eq!(door.get(path).status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn requests_are_counted_by_path_and_outcome() {
    let door = Door::open(vec![open_source()]);
    door.post(URI, &format!("{JSON}x-delivery: d\r\n"), "{}");
    door.post(URI, &format!("{JSON}x-delivery: d\r\n"), "{}");
    door.post(URI, JSON, "{\"event\":\"ping\"}");
    door.post(URI, JSON, "oops");
    for path in ["/a", "/b", "/c"] {
        door.post(path, JSON, "{}");
    }
    let metrics = door.get("/metrics/").text;
    for line in [
        r#"ocean_ingress_requests_total{path="/webhook",outcome="ok"} 1"#,
        r#"ocean_ingress_requests_total{path="/webhook",outcome="duplicate"} 1"#,
        r#"ocean_ingress_requests_total{path="/webhook",outcome="ignored"} 1"#,
        r#"ocean_ingress_requests_total{path="/webhook",outcome="bad_json"} 1"#,
        r#"ocean_ingress_requests_total{path="other",outcome="not_found"} 3"#,
        r#"ocean_ingress_received_bytes_total{path="/webhook"} 24"#,
        r#"ocean_ingress_accept_seconds_count{path="/webhook"} 3"#,
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn request_ids_differ_and_look_like_uuids() {
    let door = Door::open(vec![open_source()]);
    let ids: Vec<_> = [
        door.get("/health/live"),
        door.post(URI, JSON, "{}"),
        door.get("/x"),
    ]
    .iter()
    .map(|answer| answer.header("x-request-id").unwrap().to_owned())
    .collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
    for id in ids {
        let lengths: Vec<_> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
        assert!(
            id.as_bytes()[14] == b'4' && b"89ab".contains(&id.as_bytes()[19]),
            "{id}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stop_ends_the_listener_and_idle_connections() {
    let door = Door::open(vec![open_source()]);
    let mut idle = door.connect();
    idle.write(post(URI, JSON, "{}"));
    assert_eq!(idle.read().status, 200);
    door.supervisor.stop();
    assert!(door.supervisor.join(Duration::from_secs(5)).await);
    assert!(idle.try_read().is_none(), "closed, not cut");
    assert!(std::net::TcpStream::connect(door.address).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stop_answers_what_was_begun() {
    let door = Door::open(vec![open_source()]);
    let closed = door.queue.gate.lock().await;
    let mut client = door.connect();
    client.write(post(URI, JSON, "{}"));
    door.queue.knocked.notified().await;
    door.supervisor.stop();
    let (joined, answer) = tokio::join!(door.supervisor.join(Duration::from_secs(5)), async {
        // The listener is gone before the last request is answered.
        while std::net::TcpStream::connect(door.address).is_ok() {
            tokio::task::yield_now().await;
        }
        drop(closed);
        tokio::task::spawn_blocking(move || client.read())
            .await
            .unwrap()
    });
    assert_eq!((joined, answer.status), (true, 200));
    assert_eq!(door.queue.events().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_address_in_use_is_a_start_error_that_names_it() {
    let door = Door::open(vec![]);
    let taken = door.address.port();
    let result =
        std::panic::catch_unwind(|| Door::with(vec![], vec![], |options| options.port = taken));
    let message = result.err().expect("two doors cannot have one port");
    let message = message.downcast_ref::<String>().unwrap();
    assert!(
        message.contains(&format!("cannot listen on 127.0.0.1:{taken}")),
        "{message}"
    );
}
