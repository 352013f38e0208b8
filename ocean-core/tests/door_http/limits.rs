//! Limits and hostile clients.

use std::{net::Shutdown, num::NonZeroUsize, time::Duration};

use expect_test::expect;
use serde_json::json;

use crate::{
    door_support::{Door, JSON, post},
    support::{URI, open_source},
};

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
