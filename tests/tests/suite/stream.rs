//! The Redis stream that upstream's gateway writes: real servers of either side, killed at will.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use ocean_core::{Integration as _, dev::Sample};
use ocean_jira::Jira;
use ocean_tests::{
    port::Port,
    process::{GLANCE, Ocean, Settings, finish},
    redis::{Entry, Redis},
    stand_in::StandIn,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{JIRA, PROBE, probe_config, probe_settings, resources, thing};

mod entries;
mod kills;
mod others;
mod start;

/// The stream's key; its first segment is that of the base URL.
const KEY: &str = "9f1c2e34/live-events/raw/event-stream";

/// A Redis and a Port, and how an integration between them is started.
struct Bench {
    redis: Arc<Redis>,
    port: Port,
    binary: &'static str,
    settings: Settings,
    group: &'static str,
    _data: TempDir,
    _jira: Option<StandIn>,
}

impl Bench {
    /// With the Jira integration, whose kind `issue` becomes blueprint `issue`.
    async fn jira() -> Self {
        let jira = StandIn::start(Jira::dev().unwrap().api).await.unwrap();
        let port = Port::start(resources(&[("issue", "true", "\"issue\"")]))
            .await
            .unwrap();
        let data = TempDir::new().unwrap();
        let settings = Settings::jira(&port, &jira, data.path());
        Self {
            binary: JIRA,
            group: "jira.my-jira",
            _jira: Some(jira),
            ..Self::new(port, settings, data).await
        }
    }

    /// With the probe, whose entities show what stood in the event.
    async fn probe() -> Self {
        let port = Port::start(probe_config()).await.unwrap();
        let data = TempDir::new().unwrap();
        let settings = probe_settings(&port, data.path());
        Self::new(port, settings, data).await
    }

    async fn new(port: Port, settings: Settings, data: TempDir) -> Self {
        let redis = Redis::start().await.unwrap();
        let settings = settings
            .with(
                "OCEAN__BASE_URL",
                "http://gateway.test/live-events/9f1c2e34/",
            )
            .with(
                "OCEAN__LIVE_EVENTS__IS_REDIS_STREAM_CONSUMER_ENABLED",
                "true",
            )
            .with("OCEAN__LIVE_EVENTS__REDIS__URL", redis.url())
            .with(
                "OCEAN__LIVE_EVENTS__REDIS__CONNECTION_ERROR_BACKOFF_SECONDS",
                "0.05",
            );
        Self {
            redis: Arc::new(redis),
            port,
            binary: PROBE,
            settings,
            group: "probe.my-probe",
            _data: data,
            _jira: None,
        }
    }

    /// With a cluster in place of a single Redis.
    async fn on_cluster(mut self) -> Self {
        self.redis = Redis::start_cluster().await.unwrap().into();
        let url = self.redis.url();
        self.with("OCEAN__LIVE_EVENTS__REDIS__URL", &url)
    }

    /// With this setting.
    fn with(mut self, name: &str, value: &str) -> Self {
        self.settings = self.settings.with(name, value);
        self
    }

    /// A running integration.
    async fn start(&self) -> Ocean {
        Ocean::start(self.binary, &[], &self.settings)
            .await
            .unwrap()
    }

    async fn add(&self, entry: &Entry) {
        self.redis.add(KEY, entry).await.unwrap();
    }

    /// Waits until ten more writes have come.
    async fn until_at_work(&self) {
        let enough = self.port.writes().len() + 10;
        let is_at_work = || self.port.writes().len() >= enough;
        self.port.server.until("it is at work", is_at_work).await;
    }

    /// Waits until all entries are acknowledged.
    async fn until_drained(&self) {
        self.redis.until_drained(KEY, self.group).await.unwrap();
    }

    /// The name under which the integration reads.
    async fn consumer(&self) -> String {
        let ocean = self.start().await;
        self.add(&entry("FIRST", 0)).await;
        self.until_drained().await;
        assert_eq!(ocean.terminate().await.unwrap(), 0);
        let mut names = self.redis.consumers(KEY, self.group).await.unwrap();
        assert_eq!(names.len(), 1, "{names:?}");
        names.remove(0)
    }

    /// Reads entries under this name, as a process would that dies before it has stored them.
    async fn read_and_die(&self, consumer: &str, count: usize) -> Vec<String> {
        let read = self.redis.read_and_die(KEY, self.group, consumer, count);
        let ids = read.await.unwrap();
        assert_eq!(ids.len(), count);
        ids
    }

    /// The dead letters and what was refused, as the operator's command lists them, oldest first.
    async fn dead_letters(&self) -> Vec<Value> {
        let list = ["dead", "list", "--json"];
        let listed = finish(self.binary, &list, &self.settings).await.unwrap();
        let mut listed = listed.json().as_array().unwrap().clone();
        listed.reverse();
        listed
    }

    /// Waits until this value of the thing `id` is in the catalog, and returns all values that it
    /// had on the way, without immediate repetitions: those are what at-least-once allows.
    async fn values_until(&self, id: &str, last: i64) -> Vec<i64> {
        let values = || {
            let history = self.port.history().into_iter();
            let mut values: Vec<_> = history
                .filter(|(identifier, _)| identifier == id)
                .map(|(_, properties)| properties["value"].as_i64().unwrap())
                .collect();
            values.dedup();
            values
        };
        let what = format!("{id} has the value {last}");
        let is_there = || values().last() == Some(&last);
        self.port.server.until(&what, is_there).await;
        values()
    }
}

/// An entry about the thing `id` of the probe.
fn entry(id: &str, value: i64) -> Entry {
    let event = thing("thing_updated", id, value);
    Entry::new("integration/open", event.to_string())
}

/// Jira's issue OPS-7, or 10007, changes.
fn issue_updated() -> Entry {
    Entry::new("integration/webhook", sample().body)
}

fn sample() -> &'static Sample {
    let mut samples = Jira::dev().unwrap().samples.iter();
    let is_update = |sample: &&Sample| sample.body.contains("jira:issue_updated");
    samples.find(is_update).unwrap()
}

// === Load ===

/// Somebody who adds one entry after the other, each until Redis has confirmed it.
struct Load {
    going: Arc<AtomicBool>,
    added: tokio::task::JoinHandle<BTreeMap<String, i64>>,
}

impl Load {
    /// Adds the values 1, 2, .. of each of eight things in turn.
    fn start(redis: &Arc<Redis>) -> Self {
        const IDS: [&str; 8] = ["A", "B", "C", "D", "E", "F", "G", "H"];
        let going = Arc::new(AtomicBool::new(true));
        let (redis, goes_on) = (Arc::clone(redis), Arc::clone(&going));
        let added = tokio::spawn(async move {
            let mut values = BTreeMap::new();
            for id in IDS.iter().cycle() {
                if !goes_on.load(Ordering::Relaxed) {
                    break;
                }
                let value = values.entry((*id).to_owned()).or_default();
                *value += 1;
                let entry = entry(id, *value);
                // The gateway hears nothing of an entry that Redis keeps and dies over, so its
                // sender sends that again.
                while redis.add(KEY, &entry).await.is_err() {
                    tokio::time::sleep(GLANCE).await;
                }
            }
            values
        });
        Self { going, added }
    }

    /// Stops, and checks that every value took effect, in order.
    async fn check(self, bench: &Bench) {
        self.going.store(false, Ordering::Relaxed);
        let added = self.added.await.unwrap();
        bench.until_drained().await;
        for (id, last) in &added {
            let values = bench.values_until(id, *last).await;
            assert_eq!(values, (1..=*last).collect::<Vec<_>>(), "{id}");
        }
    }
}
