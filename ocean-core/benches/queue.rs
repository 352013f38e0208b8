//! Throughput of the queue: events made durable, and the whole cycle from acceptance to the durable
//! fate, for the embedded store and, in the same run, for the queue in memory.
//!
//! `cargo bench -p ocean-core --bench queue`. The load generator shares the machine: 64 tasks, each
//! with one event of 5 KB in flight; one more takes from the feed and finishes. What `accept` has
//! stored is finished as well, outside the time measured, so that the store does not grow without end.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use ocean_core::{
    EventParts, Headers, Lane, LaneEntry, WebhookEvent,
    queue::{
        Attempt, Change, Feed, NewEvent, Queue, RunState, Story,
        embedded::{self, EmbeddedOptions, Retention},
        memory::{MemoryOptions, MemoryQueue},
    },
    telemetry::Telemetry,
};

const PRODUCERS: u64 = 64;

fn event(number: u64, body: &Bytes, headers: &Headers) -> NewEvent {
    let delivery = format!(
        "{:08x}-4b1d-11f0-9c1e-{number:012x}",
        number * 2_654_435_761
    );
    let event = WebhookEvent::new(EventParts {
        name: Some("jira:issue_updated".into()),
        delivery: Some(delivery.into()),
        received_at: Timestamp::now(),
        headers: headers.clone(),
        body: body.clone(),
        ..EventParts::default()
    });
    let entry = LaneEntry {
        lane: Lane::new(number % 1000),
        coalesce: None,
    };
    NewEvent::new(event, [entry].into_iter().collect())
}

fn headers() -> Headers {
    Headers::new([
        ("host", "hooks.example.com"),
        ("user-agent", "Atlassian HttpClient unknown / JIRA-1001.0.0"),
        ("content-type", "application/json; charset=UTF-8"),
        ("content-length", "5000"),
        (
            "x-atlassian-webhook-identifier",
            "5f2b6a90-31aa-4a4e-9f3f-2f5a6d1c7e11",
        ),
        (
            "x-hub-signature",
            "sha256=5d61605c3feea9799210ddcb71307d4ba264225f8a3a1d4be2a1b0a1b8e3f1c9",
        ),
        ("x-forwarded-for", "203.0.113.7"),
        ("accept", "*/*"),
    ])
}

/// Sends `count` events, whose numbers begin at `start`.
async fn accept(queue: Arc<dyn Queue>, count: u64, start: u64) {
    let body = Bytes::from(format!("{{\"text\":\"{}\"}}", "lorem ipsum ".repeat(416)));
    let headers = headers();
    let next = Arc::new(AtomicU64::new(0));
    let mut producers = tokio::task::JoinSet::new();
    for _ in 0..PRODUCERS {
        let (queue, body, headers) = (Arc::clone(&queue), body.clone(), headers.clone());
        let next = Arc::clone(&next);
        producers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return;
                }
                let event = event(start + number, &body, &headers);
                queue.accept(vec![event]).await.unwrap();
            }
        });
    }
    producers.join_all().await;
}

/// Takes `count` events from the feed and waits until all of them are finished on disk.
async fn finish(queue: &dyn Queue, feed: &mut Feed, count: u64) {
    let mut left = count;
    let mut buffer = Vec::new();
    while left > 0 {
        left -= feed.recv_many(&mut buffer, 64).await as u64;
        for pending in buffer.drain(..) {
            queue.record(pending.id, Change::Done(story()));
        }
    }
    queue.flushed().await;
}

fn story() -> Story {
    let mut story = Story::default();
    let run = story.run_mut("issue", Some("issue-0"));
    run.state = RunState::Done;
    run.attempts.push(Attempt {
        at: Timestamp::now(),
        took_ms: 12,
        error: Vec::new(),
        updated: 1,
        deleted: 0,
        writes: Vec::new(),
        notes: Vec::new(),
        outage: false,
        repeats: 0,
    });
    story
}

fn embedded_queue(folder: &Path) -> (Arc<dyn Queue>, Feed) {
    let options = EmbeddedOptions {
        max_pending_bytes: u64::MAX / 2,
        retention: Retention {
            bytes: 64 << 20,
            ..Retention::default()
        },
        ..EmbeddedOptions::new(folder)
    };
    let (queue, feed) = embedded::open(options, Arc::new(Telemetry::default())).unwrap();
    (Arc::new(queue), feed)
}

fn memory_queue() -> (Arc<dyn Queue>, Feed) {
    let (queue, feed) = MemoryQueue::new(MemoryOptions {
        max_pending_bytes: u64::MAX / 2,
        keep_finished: 1000,
        ..MemoryOptions::default()
    });
    (Arc::new(queue), feed)
}

fn queue(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut group = criterion.benchmark_group("queue");
    group
        .throughput(Throughput::Elements(1))
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(8));
    for (name, whole_cycle) in [("accept", false), ("cycle", true)] {
        for embedded in [false, true] {
            let folder = tempfile::tempdir_in(".").unwrap();
            let (queue, mut feed) = if embedded {
                embedded_queue(folder.path())
            } else {
                memory_queue()
            };
            let kind = if embedded { "embedded" } else { "memory" };
            let mut start = 0;
            group.bench_function(format!("{name}/{kind}"), |bencher| {
                bencher.iter_custom(|count| {
                    start += count;
                    let began = Instant::now();
                    let sent = accept(Arc::clone(&queue), count, start - count);
                    if whole_cycle {
                        runtime.block_on(async {
                            tokio::join!(sent, finish(&*queue, &mut feed, count));
                        });
                        return began.elapsed();
                    }
                    runtime.block_on(sent);
                    let elapsed = began.elapsed();
                    runtime.block_on(finish(&*queue, &mut feed, count));
                    elapsed
                });
            });
            runtime.block_on(queue.close());
        }
    }
    group.finish();
}

criterion_group!(benches, queue);
criterion_main!(benches);
