//! End-to-end load: issue events through the real binary, against stand-ins of Jira and Port in
//! this process.
//!
//! ```text
//! cargo build --release -p ocean-tests --bins
//! cargo run --release -p ocean-tests --bin load -- --events 50000
//! cargo run --release -p ocean-tests --bin load -- --events 3000 --rate 100
//! cargo run --release -p ocean-tests --bin load -- --events 5000 --jira-ms 120 --port-ms 40
//! ```

#![expect(clippy::print_stdout, reason = "prints its measurements")]

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use ocean_core::dev::{ApiRequest, ApiResponse};
use ocean_tests::{
    port::Port,
    process::{Ocean, Settings, client},
    stand_in::StandIn,
};
use serde_json::{Value, json};
use tempfile::TempDir;

struct Load {
    events: usize,
    connections: usize,
    rate: Option<f64>,
    jira: Duration,
    port: Duration,
    workers: usize,
}

fn main() -> anyhow::Result<()> {
    let load = Load::parse()?;
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(run(load))
}

impl Load {
    fn parse() -> anyhow::Result<Self> {
        let mut load = Self {
            events: 20_000,
            connections: 64,
            rate: None,
            jira: Duration::ZERO,
            port: Duration::ZERO,
            workers: 64,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments
                .next()
                .with_context(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--events" => load.events = value.parse()?,
                "--connections" => load.connections = value.parse()?,
                "--rate" => load.rate = Some(value.parse()?),
                "--jira-ms" => load.jira = Duration::from_millis(value.parse()?),
                "--port-ms" => load.port = Duration::from_millis(value.parse()?),
                "--workers" => load.workers = value.parse()?,
                _ => bail!("unknown option {name}"),
            }
        }
        Ok(load)
    }
}

async fn run(load: Load) -> anyhow::Result<()> {
    let app_config = ocean_jira_app_config()?;
    let port_calls = Arc::new(AtomicU64::new(0));
    let port = Port::start_for_load(app_config, load.port, Arc::clone(&port_calls)).await?;
    let issue = sample_issue();
    let jira = StandIn::start_forgetful(move |call| answer(&issue, call)).await?;
    jira.delay(load.jira);
    let data = TempDir::new_in(".")?;
    let settings = Settings::jira(&port, &jira, data.path())
        .with("OCEAN__EVENT_WORKERS_COUNT", load.workers.to_string())
        .with("APPLICATION__LOG_LEVEL", "WARN,ocean_core::runtime=INFO");
    let binary = std::env::current_exe()?.with_file_name("jira-under-test");
    let ocean = Ocean::start(path(&binary)?, &[], &settings).await?;
    wait_until_ready(&ocean).await?;

    let before = cpu_seconds(ocean.pid())?;
    let calls_before = port_calls.load(Ordering::Relaxed);
    let started = Instant::now();
    let sent = send(&load, &ocean).await?;
    let accepted = started.elapsed();
    port.server
        .until_within(
            Duration::from_secs(600),
            "all entities are confirmed",
            || port.upserted() >= load.events as u64,
        )
        .await;
    let done = started.elapsed();
    let cpu = cpu_seconds(ocean.pid())? - before;

    let events = load.events as f64;
    let calls = port_calls.load(Ordering::Relaxed) - calls_before;
    let mut latencies = latencies(&sent, &port);
    println!("events                 {}", load.events);
    println!(
        "accepted               {:.0} events/s",
        events / accepted.as_secs_f64()
    );
    println!(
        "accept to confirmed    {:.0} events/s",
        events / done.as_secs_f64()
    );
    println!(
        "latency p50, p99       {:.1} ms, {:.1} ms",
        latencies.at(0.5),
        latencies.at(0.99)
    );
    println!(
        "port calls             {:.1} per 1,000 events",
        calls as f64 * 1000.0 / events
    );
    println!(
        "cpu of the server      {:.0} us per event",
        cpu * 1e6 / events
    );
    println!(
        "memory of the server   {:.1} MB",
        ocean.resident_bytes()? as f64 / 1e6
    );
    ocean.terminate().await?;
    Ok(())
}

fn path(path: &Path) -> anyhow::Result<&str> {
    if !path.exists() {
        bail!(
            "{} is missing; build it with `cargo build --release -p ocean-tests --bins`",
            path.display()
        );
    }
    path.to_str().context("a path in UTF-8")
}

async fn wait_until_ready(ocean: &Ocean) -> anyhow::Result<()> {
    for _ in 0..200 {
        if ocean.get("/health/ready").await?.0 == 200 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("the server did not become ready: {}", ocean.log_text())
}

/// Posts all events; when each key was posted.
async fn send(load: &Load, ocean: &Ocean) -> anyhow::Result<HashMap<String, Instant>> {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let mut senders = Vec::new();
    for _ in 0..load.connections {
        let (next, url) = (
            Arc::clone(&next),
            format!("{}/integration/webhook", ocean.url),
        );
        let (events, rate) = (load.events, load.rate);
        senders.push(tokio::spawn(async move {
            let client = client();
            let mut sent = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= events {
                    return anyhow::Ok(sent);
                }
                if let Some(rate) = rate {
                    let due = started + Duration::from_secs_f64(number as f64 / rate);
                    tokio::time::sleep_until(due.into()).await;
                }
                let key = format!("OPS-{number}");
                let body = event(number, &key);
                sent.push((key, Instant::now()));
                loop {
                    let request = client.post(&url).header("content-type", "application/json");
                    let response = request.body(body.clone()).send().await?;
                    match response.status().as_u16() {
                        200 => break,
                        429 | 503 => tokio::time::sleep(Duration::from_millis(100)).await,
                        other => bail!("status {other}: {}", response.text().await?),
                    }
                }
            }
        }));
    }
    let mut all = HashMap::new();
    for sender in senders {
        all.extend(sender.await??);
    }
    Ok(all)
}

fn latencies(sent: &HashMap<String, Instant>, port: &Port) -> Percentiles {
    let confirmed = port.upsert_times();
    let times = sent.iter().filter_map(|(key, sent)| {
        Some(confirmed.get(key)?.duration_since(*sent).as_secs_f64() * 1e3)
    });
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    Percentiles(times)
}

struct Percentiles(Vec<f64>);

impl Percentiles {
    fn at(&mut self, part: f64) -> f64 {
        let index = ((self.0.len() as f64 * part) as usize).min(self.0.len().saturating_sub(1));
        self.0.get(index).copied().unwrap_or(f64::NAN)
    }
}

/// User and system time of a process.
fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat
        .rsplit(") ")
        .next()
        .context("stat")?
        .split(' ')
        .collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / rustix::param::clock_ticks_per_second() as f64)
}

fn ocean_jira_app_config() -> anyhow::Result<Value> {
    use ocean_core::Integration as _;
    let mapping = ocean_core::mapping::parse_text(ocean_jira::Jira::assets().app_config)?;
    Ok(mapping)
}

/// An issue of about 8 KB.
fn sample_issue() -> Value {
    let paragraph =
        "The rotation of the signing keys has to happen before the certificates expire. ";
    let mut fields = json!({
        "summary": "Rotate keys",
        "status": {"name": "In Progress", "statusCategory": {"key": "indeterminate"}},
        "issuetype": {"name": "Task", "subtask": false},
        "priority": {"name": "High"},
        "project": {"id": "10000", "key": "OPS", "name": "Operations"},
        "creator": {"accountId": "a1", "emailAddress": "ann@example.com", "displayName": "Ann"},
        "reporter": {"accountId": "a1", "displayName": "Ann"},
        "assignee": {"accountId": "a2", "displayName": "Ben"},
        "labels": ["infra", "security"],
        "components": [{"id": "1", "name": "platform"}],
        "created": "2026-01-02T10:00:00.000+0000",
        "updated": "2026-01-03T10:00:00.000+0000",
        "resolutiondate": null,
        "subtasks": [{"id": "10008", "key": "OPS-8"}, {"id": "10009", "key": "OPS-9"}],
        "description": {"type": "doc", "version": 1, "content": []},
    });
    let content: Vec<_> = (0..30)
        .map(|_| json!({"type": "paragraph", "content": [{"type": "text", "text": paragraph}]}))
        .collect();
    fields["description"]["content"] = content.into();
    for number in 0..60 {
        fields[format!("customfield_{}", 10_000 + number)] = Value::Null;
    }
    json!({"id": "10007", "key": "KEY", "self": "https://ex.atlassian.net/rest/api/3/issue/10007", "fields": fields})
}

/// A webhook body of about 5 KB.
fn event(number: usize, key: &str) -> String {
    let id = (100_000 + number).to_string();
    let mut issue = sample_issue();
    issue["key"] = key.into();
    issue["id"] = id.into();
    issue["fields"]["description"]["content"] =
        json!([{"type": "text", "text": "x".repeat(3_000)}]);
    json!({
        "timestamp": 1_767_225_600_000_u64,
        "webhookEvent": "jira:issue_updated",
        "issue_event_type_name": "issue_generic",
        "user": {"accountId": "a1"},
        "issue": issue,
    })
    .to_string()
}

fn answer(issue: &Value, call: &ApiRequest) -> ApiResponse {
    if !call.path.ends_with("/search/jql") {
        return ApiResponse::json(&json!({}));
    }
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let jql = body["jql"].as_str().unwrap_or_default();
    let key = jql
        .rsplit("key = ")
        .next()
        .unwrap_or_default()
        .trim_matches(['"', ' ']);
    let mut issue = issue.clone();
    issue["key"] = key.into();
    ApiResponse::json(&json!({"issues": [issue], "isLast": true}))
}
