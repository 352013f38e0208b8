//! Every status and body of the contract.

use std::time::Duration;

use expect_test::expect;
use ocean_core::{
    EventId,
    queue::QueueError,
    source::{Source, Verification},
};

use crate::{
    door_support::{Door, JSON, post},
    support::{URI, open_source, refused},
};

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
