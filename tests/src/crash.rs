//! Kill rounds: a server under load is killed at a random instant, again and again, on the same data
//! folder and against a Port that fails now and then.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    port::Port,
    process::{Ocean, Settings},
    stand_in::{Effect, Fault},
};

/// How many kills, and what goes on between them.
#[derive(Clone, Debug)]
pub struct Rounds {
    /// Kills.
    pub rounds: u32,
    /// Concurrent senders.
    pub producers: usize,
    /// Ordering keys each sender writes to.
    pub keys: usize,
    /// Seed of everything random, printed with the report.
    pub seed: u64,
    /// The longest a server lives.
    pub longest_life: Duration,
}

impl Default for Rounds {
    fn default() -> Self {
        Self {
            rounds: 15,
            producers: 8,
            keys: 4,
            seed: fastrand::u64(..),
            longest_life: Duration::from_millis(700),
        }
    }
}

/// What became of the events.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Kills.
    pub rounds: u32,
    /// Events answered with 200.
    pub acknowledged: usize,
    /// Of these: events whose writes are confirmed.
    pub done: usize,
    /// Of these: dead letters.
    pub dead: usize,
    /// Of these: events nobody knows any more. Must be empty.
    pub lost: Vec<String>,
    /// Keys of which an older value was written after a newer one. Must be empty.
    pub out_of_order: Vec<String>,
    /// Writes that were repeated, as at-least-once delivery allows.
    pub repeated: usize,
}

/// An acknowledged event: its id, key and value.
#[derive(Clone, Debug)]
struct Acknowledged {
    id: String,
    key: String,
    value: i64,
}

/// Runs the rounds with the binary of the probe integration.
pub async fn kill_rounds(binary: &str, rounds: &Rounds) -> anyhow::Result<Report> {
    let port = Port::start(mapping()).await?;
    let data = TempDir::new()?;
    let settings = settings(&port, &data);
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    // Values grow over all rounds, so that one round's are newer than all before.
    let next_value = Arc::new(Mutex::new(BTreeMap::<String, i64>::new()));
    let mut random = fastrand::Rng::with_seed(rounds.seed);
    for round in 0..rounds.rounds {
        let ocean = Ocean::start(binary, &[], &settings)
            .await
            .with_context(|| format!("round {round} of seed {}", rounds.seed))?;
        fail_at_random(&port, &mut random);
        let going = Arc::new(AtomicBool::new(true));
        let producers: Vec<_> = (0..rounds.producers)
            .map(|producer| {
                let job = Producer {
                    url: format!("{}/integration/open", ocean.url),
                    name: producer,
                    keys: rounds.keys,
                    going: Arc::clone(&going),
                    acknowledged: Arc::clone(&acknowledged),
                    next_value: Arc::clone(&next_value),
                };
                tokio::spawn(job.produce())
            })
            .collect();
        // The time of death is what the round is about, so this sleep is no synchronisation.
        tokio::time::sleep(rounds.longest_life.mul_f64(random.f64())).await;
        ocean.kill().await?;
        going.store(false, Ordering::Relaxed);
        for producer in producers {
            producer.await?;
        }
    }
    port.server.heal();
    let ocean = Ocean::start(binary, &[], &settings).await?;
    let acknowledged = acknowledged.lock().expect("no panic while held").clone();
    let mut report = Report {
        rounds: rounds.rounds,
        acknowledged: acknowledged.len(),
        ..Report::default()
    };
    settle(&ocean).await?;
    for event in &acknowledged {
        match state(&ocean, &event.id).await?.as_deref() {
            Some("done") => report.done += 1,
            Some("dead") => report.dead += 1,
            other => report.lost.push(format!("{event:?} is {other:?}")),
        }
    }
    order(&port, &acknowledged, &mut report);
    ocean.terminate().await?;
    Ok(report)
}

fn mapping() -> Value {
    json!({"resources": [{
        "kind": "thing",
        "selector": {"query": "true"},
        "port": {"entity": {"mappings": {
            "identifier": ".id", "blueprint": "\"thing\"", "properties": {"value": ".value"},
        }}},
    }]})
}

fn settings(port: &Port, data: &TempDir) -> Settings {
    Settings::new()
        .with("OCEAN__PORT__BASE_URL", port.server.url())
        .with("OCEAN__PORT__CLIENT_ID", "id")
        .with("OCEAN__PORT__CLIENT_SECRET", "secret")
        .with("OCEAN__INTEGRATION__CONFIG__SECRET", "s3cret")
        .with("OCEAN__INITIALIZE_PORT_RESOURCES", "false")
        .with("OCEAN__ALLOW_UNVERIFIED_SOURCES", "true")
        .with("OCEAN__QUEUE__PATH", data.path().to_string_lossy())
}

fn fail_at_random(port: &Port, random: &mut fastrand::Rng) {
    port.server.heal();
    for _ in 0..random.u32(0..4) {
        let effect = match random.u32(0..3) {
            0 => Effect::Status(503, Vec::new(), "{}".to_owned()),
            1 => Effect::LostAnswer,
            _ => Effect::Slow(Duration::from_millis(random.u64(1..200))),
        };
        port.server
            .fail(Fault::effect("/entities/bulk", random.u32(1..3), effect));
    }
}

struct Producer {
    url: String,
    name: usize,
    keys: usize,
    going: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Vec<Acknowledged>>>,
    next_value: Arc<Mutex<BTreeMap<String, i64>>>,
}

impl Producer {
    /// Posts one event after the other until the server is gone.
    async fn produce(self) {
        let client = crate::process::client();
        let mut turn = 0;
        while self.going.load(Ordering::Relaxed) {
            let key = format!("{}-{}", self.name, turn % self.keys);
            turn += 1;
            let value = {
                let mut values = self.next_value.lock().expect("no panic while held");
                let value = values.entry(key.clone()).or_default();
                *value += 1;
                *value
            };
            let event = json!({"event": "thing_updated", "item": {"id": key, "value": value}});
            let Ok(answer) = client.post(&self.url).json(&event).send().await else {
                return;
            };
            if answer.status() != 200 {
                continue;
            }
            let Ok(answer) = answer.json::<Value>().await else {
                return;
            };
            if let Some(id) = answer["id"].as_str().map(str::to_owned) {
                let mut acknowledged = self.acknowledged.lock().expect("no panic while held");
                acknowledged.push(Acknowledged { id, key, value });
            }
        }
    }
}

/// Waits until nothing is pending any more: for as long as the backlog of all rounds takes, but not
/// for one that stands still.
async fn settle(ocean: &Ocean) -> anyhow::Result<()> {
    const PATIENCE: Duration = Duration::from_secs(60);
    let (mut left, mut since) = (u64::MAX, Instant::now());
    loop {
        let status = ocean.admin_get("/api/status").await?;
        let pending = status["queue"]["pending"].as_u64().unwrap_or(u64::MAX);
        if pending == 0 {
            return Ok(());
        }
        if pending < left {
            (left, since) = (pending, Instant::now());
        }
        ensure!(
            since.elapsed() < PATIENCE,
            "{pending} events stay pending: {}",
            ocean.log_text()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn state(ocean: &Ocean, id: &str) -> anyhow::Result<Option<String>> {
    let answer = crate::process::client()
        .get(format!("{}/api/events/{id}", ocean.admin))
        .send()
        .await?;
    if answer.status() == 404 {
        return Ok(None);
    }
    let event: Value = answer.error_for_status()?.json().await?;
    Ok(event["state"].as_str().map(str::to_owned))
}

/// Looks at what was written for each key: never an older value after a newer one, and at the end
/// the newest acknowledged one, unless that is a dead letter.
fn order(port: &Port, acknowledged: &[Acknowledged], report: &mut Report) {
    let mut written: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (identifier, properties) in port.history() {
        written
            .entry(identifier)
            .or_default()
            .push(properties["value"].as_i64().unwrap_or(-1));
    }
    for (key, values) in &written {
        for pair in values.windows(2) {
            if pair[1] < pair[0] {
                report
                    .out_of_order
                    .push(format!("{key}: {} after {}", pair[1], pair[0]));
            }
            if pair[1] == pair[0] {
                report.repeated += 1;
            }
        }
    }
    if report.dead == 0 {
        for event in acknowledged {
            let last = written.get(&event.key).and_then(|values| values.last());
            if last.is_none_or(|&last| last < event.value) {
                report
                    .lost
                    .push(format!("{event:?} was never written; the last is {last:?}"));
            }
        }
    }
}
