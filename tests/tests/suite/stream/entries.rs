//! What becomes of an entry.

use std::fmt::Write as _;

use anyhow::ensure;
use expect_test::expect;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ocean_tests::{
    process::{finish, until},
    redis::Entry,
    stand_in::Fault,
};
use serde_json::json;
use sha2::Sha256;

use super::{Bench, KEY, entry, issue_updated, sample};
use crate::support::thing;

#[tokio::test]
async fn an_entry_becomes_an_entity_and_leaves_the_stream() {
    let bench = Bench::jira().await;
    let ocean = bench.start().await;
    bench.add(&issue_updated()).await;
    let entity = bench.port.until_entity("issue", "10007").await;
    assert_eq!(entity["blueprint"], "issue");
    bench.until_drained().await;
    let (status, body) = ocean.get("/health/ready").await.unwrap();
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("healthy"), "{body}");
}

#[tokio::test]
async fn the_first_door_is_open_beside_it_and_a_delivery_through_both_counts_once() {
    let bench = Bench::jira().await;
    let ocean = bench.start().await;
    let header = [("x-atlassian-webhook-identifier", "d-1")];
    let (status, first) = ocean
        .post_with("/webhook", &header, sample().body)
        .await
        .unwrap();
    assert_eq!((status, &first["status"]), (200, &json!("ok")));
    bench.port.until_entity("issue", "10007").await;
    bench
        .add(&issue_updated().header("X-Atlassian-Webhook-Identifier", "d-1"))
        .await;
    bench.until_drained().await;
    let events = ocean.admin_get("/api/events").await.unwrap();
    assert_eq!(events["events"].as_array().unwrap().len(), 1, "{events}");
}

#[tokio::test]
async fn entries_of_one_key_take_effect_in_order() {
    let bench = Bench::probe().await;
    let _ocean = bench.start().await;
    let both = |value| [entry("A", value), entry("B", value)];
    let entries: Vec<_> = (1..=300).flat_map(both).collect();
    bench.redis.add_all(KEY, &entries).await.unwrap();
    for id in ["A", "B"] {
        let values = bench.values_until(id, 300).await;
        assert_eq!(values, (1..=300).collect::<Vec<_>>());
    }
    bench.until_drained().await;
}

#[tokio::test]
async fn what_waited_in_the_stream_before_the_first_start_is_read() {
    let bench = Bench::jira().await;
    bench.add(&issue_updated()).await;
    let _ocean = bench.start().await;
    bench.port.until_entity("issue", "10007").await;
    bench.until_drained().await;
}

#[tokio::test]
async fn what_cannot_be_an_event_is_refused_with_its_reason() {
    let bench = Bench::jira()
        .await
        .with("OCEAN__INTEGRATION__CONFIG__WEBHOOK_SECRET", "s3cret")
        .with("OCEAN__MAX_BODY_BYTES", "100000");
    let _ocean = bench.start().await;
    let long = format!("{{\"a\": \"{}\"}}", "x".repeat(100_000));
    for wrong in [
        issue_updated(),
        signed("integration/webhook", "{}").with("payload", sample().body),
        signed("/integration/webhook/", "{\"webhookEvent\": "),
        signed("integration/webhook", "[{}]"),
        signed("integration/webhook", "7"),
        signed("integration/webhook", ""),
        signed("integration/webhook", &long),
        signed("integration/nowhere", "{}"),
        signed("", "{}"),
        issue_updated().with("headers", "not json"),
        issue_updated().with("headers", "[]"),
    ] {
        bench.add(&wrong).await;
    }
    // Behind them all, and not held up by them.
    bench
        .add(&signed("integration/webhook", sample().body))
        .await;
    bench.port.until_entity("issue", "10007").await;
    bench.until_drained().await;
    let mut reasons = String::new();
    for letter in bench.dead_letters().await {
        assert_eq!(letter["state"], "refused", "{letter}");
        let (path, reason) = (&letter["path"], &letter["reason"]);
        writeln!(reasons, "{path}: {reason}").unwrap();
    }
    expect![[r#"
        "/webhook": "no `x-hub-signature` header"
        "/webhook": "`x-hub-signature` does not match"
        "/webhook": "the body is not JSON: unexpected end of text, expected a value at line 1, column 18"
        "/webhook": "the body is not a JSON object"
        "/webhook": "the body is not a JSON object"
        "/webhook": "the body is not JSON: it is empty"
        "/webhook": "the body exceeds 100000 bytes"
        "/nowhere": "no source has the path /nowhere"
        "/": "no source has the path /"
        "/webhook": "the entry's headers are not a JSON object: expected ident at line 1 column 2"
        "/webhook": "the entry's headers are not a JSON object: invalid type: sequence, expected a map at line 1 column 0"
    "#]].assert_eq(&reasons);
}

#[tokio::test]
async fn what_is_refused_keeps_its_body_and_is_never_run() {
    let bench = Bench::probe().await;
    let _ocean = bench.start().await;
    let body = thing("thing_updated", "A", 7).to_string();
    bench.add(&Entry::new("integration/opne", &*body)).await;
    bench.until_drained().await;
    let letters = bench.dead_letters().await;
    let id = letters[0]["id"].as_str().unwrap();
    let show = ["dead", "show", id, "--json"];
    let shown = finish(bench.binary, &show, &bench.settings)
        .await
        .unwrap()
        .json();
    assert_eq!(shown["body"], *body, "{shown}");
    let replay = ["dead", "replay", id];
    let replayed = finish(bench.binary, &replay, &bench.settings)
        .await
        .unwrap();
    assert_eq!(replayed.code, 1, "{}", replayed.stdout);
    assert!(
        replayed.stdout.contains("left alone"),
        "{}",
        replayed.stdout
    );
}

#[tokio::test]
async fn older_gateways_give_no_ids_and_all_their_entries_count() {
    let bench = Bench::jira().await;
    let _ocean = bench.start().await;
    for _ in 0..2 {
        bench.add(&issue_updated().without_id()).await;
    }
    let is_written_twice = || bench.port.writes() == ["+ issue/10007"; 2];
    bench
        .port
        .server
        .until("both take effect", is_written_twice)
        .await;
    bench.until_drained().await;
}

#[tokio::test]
async fn an_event_that_comes_twice_takes_effect_once() {
    let bench = Bench::probe().await;
    // Both in one read, and the third in a later one.
    for _ in 0..2 {
        bench.add(&entry("A", 1).with("eventId", "e-1")).await;
    }
    let ocean = bench.start().await;
    bench.until_drained().await;
    bench.add(&entry("A", 2).with("eventId", "e-1")).await;
    bench.until_drained().await;
    bench.add(&entry("A", 3).with("eventId", "e-2")).await;
    assert_eq!(bench.values_until("A", 3).await, [1, 3]);
    let events = ocean.admin_get("/api/events").await.unwrap();
    assert_eq!(events["events"].as_array().unwrap().len(), 2, "{events}");
}

#[tokio::test]
async fn elements_of_an_array_are_told_apart_although_their_headers_are_the_same() {
    let bench = Bench::probe().await;
    let _ocean = bench.start().await;
    // As split by the gateway, and whole.
    for id in ["A", "B"] {
        let element = thing("x", id, 1).to_string();
        let entry = Entry::new("integration/batch", element).header("X-Delivery", "d-1");
        bench.add(&entry).await;
    }
    let whole = json!([thing("x", "C", 1), thing("x", "D", 1)]).to_string();
    let whole = Entry::new("integration/batch", whole).header("X-Delivery", "d-2");
    bench.add(&whole).await;
    for id in ["A", "B", "C", "D"] {
        bench.port.until_entity("thing", id).await;
    }
    bench.until_drained().await;
}

#[tokio::test]
async fn entries_wait_in_redis_while_the_store_is_full() {
    let bench = Bench::probe()
        .await
        .with("OCEAN__QUEUE__MAX_PENDING_BYTES", "64KiB");
    let server = &bench.port.server;
    server.fail(Fault::status("/entities/bulk", 1_000_000, 503));
    let ocean = bench.start().await;
    let entries: Vec<_> = (1..=60).map(large).collect();
    bench.redis.add_all(KEY, &entries).await.unwrap();
    until("the store is full", async || {
        let (status, why) = ocean.get("/health/ready").await?;
        ensure!(status == 503 && why.contains("queue"), "{status}: {why}");
        Ok(())
    })
    .await
    .unwrap();
    let left = bench.redis.len(KEY).await.unwrap();
    assert!(left > 30, "{left} entries are left");
    let pending = bench.redis.pending(KEY, bench.group).await.unwrap();
    assert!(pending > 0, "those in hand are not acknowledged");
    server.heal();
    let values = bench.values_until("A", 60).await;
    assert_eq!(values, (1..=60).collect::<Vec<_>>());
    bench.until_drained().await;
    assert_eq!(bench.dead_letters().await, Vec::<serde_json::Value>::new());
}

#[tokio::test]
async fn an_entry_that_no_store_could_hold_stays_in_redis_and_holds_up_no_other() {
    let bench = Bench::probe()
        .await
        .with("OCEAN__QUEUE__MAX_PENDING_BYTES", "3KiB");
    bench
        .redis
        .add_all(KEY, &[large(1), entry("A", 2)])
        .await
        .unwrap();
    let mut ocean = bench.start().await;
    assert_eq!(bench.values_until("A", 2).await, [2]);
    bench.add(&entry("A", 3)).await;
    assert_eq!(bench.values_until("A", 3).await, [2, 3]);
    until("it is the one that is left", async || {
        let len = bench.redis.len(KEY).await?;
        ensure!(len == 1, "{len}");
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(bench.redis.pending(KEY, bench.group).await.unwrap(), 1);
    // It is read again once it can be stored.
    let left = "Entry of the stream left in Redis; it is tried again later.";
    ocean.until_logged(left).await.unwrap();
    ocean.kill().await.unwrap();
    let bench = bench.with("OCEAN__QUEUE__MAX_PENDING_BYTES", "64KiB");
    let _ocean = bench.start().await;
    assert_eq!(bench.values_until("A", 1).await, [2, 3, 1]);
    bench.until_drained().await;
}

/// An entry of 4 KB.
fn large(value: i64) -> Entry {
    let mut event = thing("thing_updated", "A", value);
    event["padding"] = json!("x".repeat(4_000));
    Entry::new("integration/open", event.to_string())
}

/// An entry as Jira signs it with the secret `s3cret`.
fn signed(path: &str, body: &str) -> Entry {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"s3cret").unwrap();
    mac.update(body.as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    Entry::new(path, body).header("X-Hub-Signature", &format!("sha256={signature}"))
}
