//! What the queue room counts.

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use tracing::{error, info, warn};

/// Metrics of the queue room.
#[derive(Debug)]
pub struct QueueMetrics {
    accepted: Family<Answer, Counter>,
    refused: Family<Cause, Counter>,
    finished: Counter,
    trimmed: Counter,
    commit: Histogram,
    group: Histogram,
    pending: Gauge,
    pending_bytes: Gauge,
    dead: Gauge,
    dead_bytes: Gauge,
    dead_trimmed: Counter,
    oldest: Gauge<f64, AtomicU64>,
    failures: Counter,
    refusing: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    answer: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cause {
    cause: &'static str,
}

impl QueueMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let registry = registry.sub_registry_with_prefix("queue");
        let metrics = Self {
            accepted: Family::default(),
            refused: Family::default(),
            finished: Counter::default(),
            trimmed: Counter::default(),
            commit: Histogram::new([
                0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5,
            ]),
            group: Histogram::new([1.0, 4.0, 16.0, 64.0, 256.0, 1024.0]),
            pending: Gauge::default(),
            pending_bytes: Gauge::default(),
            dead: Gauge::default(),
            dead_bytes: Gauge::default(),
            dead_trimmed: Counter::default(),
            oldest: Gauge::default(),
            failures: Counter::default(),
            refusing: Gauge::default(),
        };
        let m = &metrics;
        registry.register(
            "events",
            "Events made durable, by answer",
            m.accepted.clone(),
        );
        registry.register(
            "refusals",
            "Requests that could not be stored, by cause",
            m.refused.clone(),
        );
        registry.register(
            "finished_events",
            "Events whose fate is on disk",
            m.finished.clone(),
        );
        registry.register(
            "trimmed_events",
            "Finished events removed by retention",
            m.trimmed.clone(),
        );
        registry.register_with_unit(
            "commit",
            "Time of one commit, its sync included",
            Unit::Seconds,
            m.commit.clone(),
        );
        registry.register(
            "commit_events",
            "New events and fates in one commit",
            m.group.clone(),
        );
        registry.register(
            "pending_events",
            "Events that are neither done nor dead",
            m.pending.clone(),
        );
        registry.register_with_unit(
            "pending",
            "Size of the bodies and headers of pending events",
            Unit::Bytes,
            m.pending_bytes.clone(),
        );
        registry.register("dead_events", "Dead letters", m.dead.clone());
        registry.register_with_unit(
            "dead",
            "Size of the bodies and headers of dead letters",
            Unit::Bytes,
            m.dead_bytes.clone(),
        );
        registry.register(
            "dead_bodies_removed",
            "Dead letters that lost their bodies because all took up too much",
            m.dead_trimmed.clone(),
        );
        registry.register_with_unit(
            "oldest_pending_age",
            "Age of the oldest pending event",
            Unit::Seconds,
            m.oldest.clone(),
        );
        registry.register("store_failures", "Commits that failed", m.failures.clone());
        registry.register(
            "refusing",
            "1 while nothing can be accepted",
            m.refusing.clone(),
        );
        metrics
    }

    /// A commit is durable.
    pub(crate) fn committed(&self, answers: [(&'static str, u64); 4], took: Duration) {
        for (answer, count) in answers {
            if count > 0 {
                self.accepted
                    .get_or_create(&Answer { answer })
                    .inc_by(count);
            }
        }
        self.commit.observe(took.as_secs_f64());
    }

    /// How many operations that commit held, and how many of them were fates.
    pub(crate) fn grouped(&self, operations: u64, finished: u64, trimmed: u64) {
        self.group.observe(operations as f64);
        self.finished.inc_by(finished);
        self.trimmed.inc_by(trimmed);
    }

    /// How full the queue is.
    pub(crate) fn level(&self, pending: u64, pending_bytes: u64, oldest: Duration) {
        self.pending.set(pending.cast_signed());
        self.pending_bytes.set(pending_bytes.cast_signed());
        self.oldest.set(oldest.as_secs_f64());
    }

    /// How many dead letters there are, and the bytes of their bodies.
    pub(crate) fn dead(&self, letters: u64, bytes: u64) {
        self.dead.set(letters.cast_signed());
        self.dead_bytes.set(bytes.cast_signed());
    }

    /// Dead letters lost their bodies: together they exceeded `bound`.
    pub(crate) fn dead_trimmed(&self, letters: u64, bytes: u64, bound: u64) {
        self.dead_trimmed.inc_by(letters);
        warn!(
            letters,
            bytes, bound, "The oldest dead letters lost their bodies and cannot be replayed."
        );
    }

    /// A request was refused.
    pub(crate) fn refused(&self, cause: &'static str) {
        self.refused.get_or_create(&Cause { cause }).inc();
    }

    /// A commit failed and is tried again.
    pub(crate) fn commit_failed(&self, reason: &str, waiting: usize) {
        self.failures.inc();
        error!(
            reason,
            waiting, "The event store cannot be written; refusing events and trying again."
        );
    }

    /// Nothing can be accepted from now on.
    pub(crate) fn refusing(&self, reason: &str) {
        self.refusing.set(1);
        warn!(reason, "The queue refuses events.");
    }

    /// Events are accepted again.
    pub(crate) fn recovered(&self) {
        self.refusing.set(0);
        info!("The queue accepts events again.");
    }
}
