//! Allocations of one event on its way in: `cargo bench -p ocean-core --bench allocations`.
//!
//! The numbers do not depend on the machine. What SQLite allocates for itself is not counted, nor
//! what the server does around the door.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark"
)]

use std::{alloc::System, sync::Arc};

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ocean_core::{
    Clock, Headers, Lane, LaneEntry, WebhookEvent, ingress,
    queue::{
        Change, NewEvent, Queue, Story,
        embedded::{self, EmbeddedOptions},
    },
    source::{CheckedSource, Locator, Source, SourceSettings, Verification, check_sources},
    telemetry::Telemetry,
};
use sha2::Sha256;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const EVENTS: usize = 1_000;
const SECRET: &str = "a secret that nobody has guessed so far";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (source, headers, body) = (source(), headers(), body());
    let receive = || ingress::receive(&source, headers.clone(), body.clone(), Clock::system());
    let event = receive().await.unwrap().1.remove(0);
    let region = Region::new(ALLOCATOR);
    for _ in 0..EVENTS {
        drop(receive().await.unwrap());
    }
    report("verified, parsed and made an event", &region);

    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions::new(folder.path());
    let (queue, mut feed) = embedded::open(options, Arc::new(Telemetry::default())).unwrap();
    // Statements are prepared and buffers grown by then.
    cycle(&queue, &mut feed, &event).await;
    let region = Region::new(ALLOCATOR);
    cycle(&queue, &mut feed, &event).await;
    report("stored, handed out and finished", &region);
}

/// One event after the other, each alone in its commit: the dearest way.
async fn cycle(queue: &dyn Queue, feed: &mut ocean_core::queue::Feed, event: &WebhookEvent) {
    for lane in 0..EVENTS as u64 {
        let lane = Lane::new(lane);
        let entry = LaneEntry {
            lane,
            coalesce: None,
        };
        let new = NewEvent::new(event.clone(), [entry].into_iter().collect());
        queue.accept(vec![new]).await.unwrap();
        let pending = feed.recv().await.unwrap();
        queue.record(pending.id, Change::Done(Story::default()));
        queue.flushed().await;
    }
}

fn report(what: &str, region: &Region<'_, System>) {
    let change = region.change();
    let count = (change.allocations + change.reallocations) as f64 / EVENTS as f64;
    let bytes = change.bytes_allocated / EVENTS;
    println!("{what}: {count:.1} allocations, {bytes} bytes an event");
}

fn source() -> CheckedSource {
    let verification = Verification::hmac_sha256("x-hub-signature")
        .prefix("sha256=")
        .secret("secret");
    let source = Source::new("/webhook")
        .event_name(Locator::pointer("/webhookEvent"))
        .verify(verification);
    let config = serde_json::json!({ "secret": SECRET });
    let settings = SourceSettings {
        config: config.as_object().unwrap(),
        allow_unverified: false,
    };
    check_sources(vec![source], &settings).unwrap().remove(0)
}

/// 5 KB, as an update of an issue with a changelog.
fn body() -> Bytes {
    let item = serde_json::json!({"field": "description", "from": 7, "to": null,
        "fromString": "The rotation of the signing keys", "toString": "has to \"happen\" before"});
    let event = serde_json::json!({
        "timestamp": 1_767_225_600_000_u64,
        "webhookEvent": "jira:issue_updated",
        "issue": {"id": "10001", "key": "OPS-7", "fields": {"summary": "Rotate keys"}},
        "changelog": {"id": "10107", "items": vec![item; 34]},
    });
    event.to_string().into()
}

fn headers() -> Headers {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(&body());
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    Headers::new([
        ("content-type", "application/json; charset=UTF-8"),
        ("host", "hooks.example.com"),
        ("user-agent", "Atlassian Webhook HTTP Client"),
        ("x-atlassian-webhook-identifier", "5f2b6a90-31aa-4a4e-9f3f"),
        ("x-hub-signature", &signature),
    ])
}
