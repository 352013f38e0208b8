//! What dispatch counts and logs.

use std::{sync::atomic::AtomicI64, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use tracing::{debug, error, warn};

use crate::{error::ProcessorError, event::EventId};

/// Metrics of dispatch.
#[derive(Debug)]
pub struct DispatchMetrics {
    ended: Family<FateLabel, Counter>,
    attempts: Family<AttemptLabels, Counter>,
    attempt_seconds: Histogram,
    lag_seconds: Histogram,
    running: Gauge<i64, AtomicI64>,
    waiting: Gauge<i64, AtomicI64>,
    mapping_failures: Counter,
    unshipped: Counter,
}

/// How an event ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Fate {
    /// Its writes are confirmed.
    Done,
    /// Given up.
    Dead,
    /// A newer event of its lane replaced it.
    Superseded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FateLabel {
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum AttemptResult {
    Done,
    Dropped,
    Retry,
    Dead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    processor: &'static str,
    result: AttemptResult,
}

impl DispatchMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            ended: Family::default(),
            attempts: Family::default(),
            attempt_seconds: Histogram::new(SECONDS),
            lag_seconds: Histogram::new(SECONDS),
            running: Gauge::default(),
            waiting: Gauge::default(),
            mapping_failures: Counter::default(),
            unshipped: Counter::default(),
        };
        registry.register(
            "dispatch_events_ended",
            "Events that came to their end, by fate",
            metrics.ended.clone(),
        );
        registry.register(
            "dispatch_attempts",
            "Attempts of processors, by what followed",
            metrics.attempts.clone(),
        );
        registry.register(
            "dispatch_attempt_seconds",
            "Time of an attempt, from its start to the confirmed write",
            metrics.attempt_seconds.clone(),
        );
        registry.register(
            "dispatch_lag_seconds",
            "Time from the receipt of an event to its end",
            metrics.lag_seconds.clone(),
        );
        registry.register(
            "dispatch_running",
            "Events that are being worked on",
            metrics.running.clone(),
        );
        registry.register(
            "dispatch_waiting",
            "Places of events in lanes, running ones included",
            metrics.waiting.clone(),
        );
        registry.register(
            "dispatch_mapping_failures",
            "Items that yielded nothing because the mapping failed",
            metrics.mapping_failures.clone(),
        );
        registry.register(
            "dispatch_unshipped",
            "Events whose raw items could not be shipped beside their entities",
            metrics.unshipped.clone(),
        );
        metrics
    }

    pub(crate) fn load(&self, running: usize, waiting: usize) {
        self.running.set(i64::try_from(running).unwrap_or(i64::MAX));
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    pub(crate) fn attempt_done(&self, processor: &'static str, took: Duration) {
        self.attempt(processor, AttemptResult::Done, took);
    }

    pub(crate) fn attempt_dropped(
        &self,
        event: EventId,
        processor: &'static str,
        reason: &ProcessorError,
        took: Duration,
    ) {
        debug!(%event, processor, %reason, "A processor dropped an event.");
        self.attempt(processor, AttemptResult::Dropped, took);
    }

    pub(crate) fn attempt_retried(
        &self,
        event: EventId,
        processor: &'static str,
        error: &ProcessorError,
        took: Duration,
        delay: Duration,
    ) {
        warn!(%event, processor, %error, ?delay, "A processor failed; it will be tried again.");
        self.attempt(processor, AttemptResult::Retry, took);
    }

    pub(crate) fn attempt_dead(
        &self,
        event: EventId,
        processor: &'static str,
        error: &ProcessorError,
        took: Duration,
    ) {
        error!(%event, processor, %error, "A processor failed for good.");
        self.attempt(processor, AttemptResult::Dead, took);
    }

    fn attempt(&self, processor: &'static str, result: AttemptResult, took: Duration) {
        self.attempts
            .get_or_create(&AttemptLabels { processor, result })
            .inc();
        self.attempt_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn event_done(&self, lag: Duration) {
        self.ended(Fate::Done);
        self.lag_seconds.observe(lag.as_secs_f64());
    }

    pub(crate) fn event_dead(&self, event: EventId, reason: &str) {
        error!(%event, reason, "An event is a dead letter; `dead show` tells more.");
        self.ended(Fate::Dead);
    }

    pub(crate) fn event_superseded(&self, event: EventId, by: EventId) {
        debug!(%event, %by, "A newer event replaced an event.");
        self.ended(Fate::Superseded);
    }

    fn ended(&self, fate: Fate) {
        self.ended.get_or_create(&FateLabel { fate }).inc();
    }

    /// Events that ended so, since the start of the process.
    pub fn events_ended(&self, fate: Fate) -> u64 {
        self.ended.get_or_create(&FateLabel { fate }).get()
    }

    pub(crate) fn mapping_failed(&self, event: EventId, items: usize) {
        warn!(%event, items, "The mapping failed for items, which yield nothing.");
        self.mapping_failures.inc_by(items as u64);
    }

    pub(crate) fn not_shipped(&self, event: EventId, error: &ProcessorError) {
        warn!(%event, %error, "Raw items were not shipped; the entities are not affected.");
        self.unshipped.inc();
    }

    pub(crate) fn load_failed(&self, event: EventId, error: &crate::queue::QueueError) {
        warn!(%event, %error, "An event cannot be read now; it waits.");
    }
}

impl Default for DispatchMetrics {
    fn default() -> Self {
        Self::register(&mut Registry::default())
    }
}

/// From a handler that does nothing to the default time limit.
const SECONDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 90.0,
];
