//! End-to-end load: issue events through the real binary, against stand-ins of Jira and Port in
//! this process.
//!
//! ```text
//! cargo build --release -p ocean-tests --bins
//! cargo run --release -p ocean-tests --bin load -- --events 50000
//! cargo run --release -p ocean-tests --bin load -- --events 3000 --rate 100
//! cargo run --release -p ocean-tests --bin load -- --events 50000 --window 2000
//! cargo run --release -p ocean-tests --bin load -- --events 5000 --jira-ms 120 --port-ms 40
//! ```
//!
//! With `--window N` no more than N events are accepted and not confirmed: what the server can do
//! for as long as one likes. Without it events are sent as fast as the door takes them, and a
//! backlog grows meanwhile.

#![expect(clippy::print_stdout, reason = "prints its measurements")]

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use ocean_tests::{
    load::{Jira, LoadPort, Sender},
    process::{Ocean, Settings},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Semaphore;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Load {
    events: usize,
    connections: usize,
    rate: Option<f64>,
    jira: Duration,
    port: Duration,
    workers: usize,
    window: usize,
}

fn main() -> anyhow::Result<()> {
    let load = Load::parse()?;
    // One thread is enough for all parties, and leaves the server under test more of the machine.
    tokio::runtime::Builder::new_current_thread()
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
            window: Semaphore::MAX_PERMITS / 2,
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
                "--window" => load.window = value.parse()?,
                "--workers" => load.workers = value.parse()?,
                _ => bail!("unknown option {name}"),
            }
        }
        Ok(load)
    }
}

async fn run(load: Load) -> anyhow::Result<()> {
    let places = Arc::new(Semaphore::new(load.window));
    let confirmed = Arc::clone(&places);
    let port = LoadPort::start(app_config()?, load.events, load.port, confirmed).await?;
    let jira = Jira::start(load.jira).await?;
    let data = TempDir::new_in(".")?;
    let settings = Settings::jira_at(&port.url(), &jira.url(), data.path())
        .with("OCEAN__EVENT_WORKERS_COUNT", load.workers.to_string())
        .with("APPLICATION__LOG_LEVEL", "WARN,ocean_core::runtime=INFO");
    let binary = std::env::current_exe()?.with_file_name("jira-under-test");
    let ocean = Ocean::start(path(&binary)?, &[], &settings).await?;
    wait_until_ready(&ocean).await?;

    let sender = Sender {
        server: ocean
            .url
            .trim_start_matches("http://")
            .parse()
            .context("the server's address")?,
        events: load.events,
        connections: load.connections,
        rate: load.rate,
        places,
    };
    let calls_before = port.calls();
    let before = [cpu_seconds(ocean.pid())?, cpu_seconds(std::process::id())?];
    let started = Instant::now();
    let sent = sender.send().await?;
    let accepted = started.elapsed();
    let confirmed = port.complete(Duration::from_secs(600)).await?;
    let after = [cpu_seconds(ocean.pid())?, cpu_seconds(std::process::id())?];

    let events = load.events as f64;
    let last = confirmed.iter().max().context("no events")?;
    let done = last.duration_since(started);
    let latencies = confirmed
        .iter()
        .zip(&sent.at)
        .map(|(confirmed, sent)| confirmed.duration_since(*sent));
    let latencies = Percentiles::of(latencies);
    let per_event = |party: usize| (after[party] - before[party]) * 1e6 / events;
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
        (port.calls() - calls_before) as f64 * 1000.0 / events
    );
    println!("cpu of the server      {:.0} us per event", per_event(0));
    println!("cpu of all others      {:.0} us per event", per_event(1));
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

fn app_config() -> anyhow::Result<Value> {
    use ocean_core::Integration as _;
    let mapping = ocean_core::mapping::parse_text(ocean_jira::Jira::assets().app_config)?;
    Ok(mapping)
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

struct Percentiles(Vec<f64>);

impl Percentiles {
    /// Of these times, in milliseconds.
    fn of(times: impl Iterator<Item = Duration>) -> Self {
        let mut millis: Vec<f64> = times.map(|time| time.as_secs_f64() * 1e3).collect();
        millis.sort_by(f64::total_cmp);
        Self(millis)
    }

    fn at(&self, part: f64) -> f64 {
        let index = ((self.0.len() as f64 * part) as usize).min(self.0.len().saturating_sub(1));
        self.0.get(index).copied().unwrap_or(f64::NAN)
    }
}
