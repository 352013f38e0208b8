//! Measures the embedded store outside of a benchmark harness.
//!
//! ```sh
//! cargo run --release -p ocean-core --example queue_load -- fill FOLDER 1000000
//! cargo run --release -p ocean-core --example queue_load -- start FOLDER
//! cargo run --release -p ocean-core --example queue_load -- cycle FOLDER SECONDS [PRODUCERS]
//! cargo run --release -p ocean-core --example queue_load -- accept FOLDER SECONDS [PRODUCERS]
//! ```
//! `fill` leaves pending events of 5 KB, `start` opens a store, takes the whole backlog and prints
//! time and memory, `cycle` and `accept` print events/s, latencies of receipts and CPU per event,
//! load generator included.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement for developers"
)]

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use jiff::Timestamp;
use ocean_core::{
    EventParts, Headers, Lane, LaneEntry, WebhookEvent,
    queue::{
        Attempt, Change, Feed, NewEvent, Queue, RunState, Story,
        embedded::{self, Embedded, EmbeddedOptions},
    },
    telemetry::Telemetry,
};
use tokio::task::JoinSet;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| {
        arguments
            .get(index)
            .map(|text| text.parse::<u64>().unwrap())
    };
    match arguments.first().map(String::as_str) {
        Some("fill") => fill(&arguments[1], number(2).unwrap()).await,
        Some("start") => start(&arguments[1]).await,
        Some("cycle") => load(&arguments[1], number(2).unwrap(), number(3), true).await,
        Some("accept") => load(&arguments[1], number(2).unwrap(), number(3), false).await,
        _ => println!("fill FOLDER N | start FOLDER | cycle|accept FOLDER SECONDS [PRODUCERS]"),
    }
}

fn open(folder: &str) -> (Arc<Embedded>, Feed) {
    let options = EmbeddedOptions {
        max_pending_bytes: u64::MAX / 2,
        ..EmbeddedOptions::new(folder)
    };
    let (queue, feed) = embedded::open(options, Arc::new(Telemetry::default())).unwrap();
    (Arc::new(queue), feed)
}

async fn fill(folder: &str, count: u64) {
    let (queue, mut feed) = open(folder);
    let drained = tokio::spawn(async move { while feed.recv().await.is_some() {} });
    let began = Instant::now();
    let source = Source::new();
    for first in (0..count).step_by(1000) {
        let events = (first..count.min(first + 1000))
            .map(|n| source.event(n))
            .collect();
        queue.accept(events).await.unwrap();
    }
    println!("{count} events in {:.1?}", began.elapsed());
    queue.close().await;
    drained.await.unwrap();
}

async fn start(folder: &str) {
    println!("before: {} MB resident", resident_megabytes("VmRSS"));
    let began = Instant::now();
    let (queue, mut feed) = open(folder);
    let opened = began.elapsed();
    let pending = queue.pressure().pending;
    let mut buffer = Vec::new();
    let mut taken = 0;
    while taken < pending {
        taken += feed.recv_many(&mut buffer, 1024).await as u64;
        buffer.clear();
    }
    println!(
        "{pending} pending events: open after {opened:.2?}, all handed out after {:.2?}, \
         {} MB resident, peak {} MB",
        began.elapsed(),
        resident_megabytes("VmRSS"),
        resident_megabytes("VmHWM"),
    );
}

async fn load(folder: &str, seconds: u64, producers: Option<u64>, finish: bool) {
    let (queue, mut feed) = open(folder);
    let source = Arc::new(Source::new());
    let (next, stop) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    // Deliveries of an earlier run would be repeats.
    next.store(
        Timestamp::now().as_microsecond().cast_unsigned(),
        Ordering::Relaxed,
    );
    let finisher = {
        let queue = Arc::clone(&queue);
        tokio::spawn(async move {
            let mut buffer = Vec::new();
            while feed.recv_many(&mut buffer, 64).await > 0 {
                for pending in buffer.drain(..).filter(|_| finish) {
                    queue.record(pending.id, Change::Done(story()));
                }
            }
        })
    };
    let (began, cpu) = (Instant::now(), cpu_time());
    let mut tasks = JoinSet::new();
    for _ in 0..producers.unwrap_or(64) {
        let (queue, source) = (Arc::clone(&queue), Arc::clone(&source));
        let (next, stop) = (Arc::clone(&next), Arc::clone(&stop));
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let event = source.event(next.fetch_add(1, Ordering::Relaxed));
                let sent = Instant::now();
                queue.accept(vec![event]).await.unwrap();
                latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap());
            }
            latencies
        });
    }
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    stop.store(true, Ordering::Relaxed);
    let mut latencies: Vec<u32> = tasks.join_all().await.into_iter().flatten().collect();
    queue.flushed().await;
    let (took, cpu) = (began.elapsed(), cpu_time() - cpu);
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    println!(
        "{:.0} events/s, receipts p50 {} us, p99 {} us, p999 {} us, CPU {:.1} us/event, {} MB resident",
        latencies.len() as f64 / took.as_secs_f64(),
        at(0.5),
        at(0.99),
        at(0.999),
        cpu.as_secs_f64() * 1e6 / latencies.len() as f64,
        resident_megabytes("VmRSS"),
    );
    queue.close().await;
    finisher.await.unwrap();
}

struct Source {
    body: Bytes,
    headers: Headers,
}

impl Source {
    fn new() -> Self {
        Self {
            body: format!("{{\"text\":\"{}\"}}", "lorem ipsum ".repeat(416)).into(),
            headers: Headers::new([
                ("host", "hooks.example.com"),
                ("user-agent", "Atlassian HttpClient unknown / JIRA-1001.0.0"),
                ("content-type", "application/json; charset=UTF-8"),
                ("content-length", "5000"),
                (
                    "x-hub-signature",
                    "sha256=5d61605c3feea9799210ddcb71307d4ba264225f8a3a1d4b",
                ),
                ("x-forwarded-for", "203.0.113.7"),
            ]),
        }
    }

    fn event(&self, number: u64) -> NewEvent {
        let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let event = WebhookEvent::new(EventParts {
            name: Some("jira:issue_updated".into()),
            delivery: Some(format!("{scattered:016x}-{number:016x}").into()),
            received_at: Timestamp::now(),
            headers: self.headers.clone(),
            body: self.body.clone(),
            ..EventParts::default()
        });
        let entry = LaneEntry {
            lane: Lane::new(scattered),
            coalesce: None,
        };
        NewEvent::new(event, [entry].into_iter().collect())
    }
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

fn resident_megabytes(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kilobytes =
        line.and_then(|line| line.trim_matches([':', ' ', '\t', 'k', 'B']).parse().ok());
    kilobytes.unwrap_or(0_u64) / 1024
}

/// User and system time of the process so far, in the kernel's ticks of 10 ms.
fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 10)
}
