//! What the catalog room counts.

use std::time::Duration;

use prometheus_client::{
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use tracing::{error, info, warn};

use crate::catalog::{CatalogError, Written};

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// Metrics of the catalog room.
#[derive(Debug)]
pub struct CatalogMetrics {
    calls: Family<Labels<2>, Counter>,
    call_seconds: Family<Labels<1>, Histogram>,
    repeats: Family<Labels<1>, Counter>,
    writes: Family<Labels<1>, Counter>,
    batch_entities: Histogram,
    held_back: Family<Labels<1>, Counter>,
    write_limit: Gauge,
    outages: Counter,
}

impl CatalogMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let registry = registry.sub_registry_with_prefix("catalog");
        let metrics = Self {
            calls: Family::default(),
            call_seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.001, 2.0, 16))
            }),
            repeats: Family::default(),
            writes: Family::default(),
            batch_entities: Histogram::new([1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 50.0, 100.0]),
            held_back: Family::default(),
            write_limit: Gauge::default(),
            outages: Counter::default(),
        };
        registry.register(
            "calls",
            "Calls of the catalog's API by endpoint and result",
            metrics.calls.clone(),
        );
        registry.register_with_unit(
            "call",
            "Time of a call of the catalog's API",
            Unit::Seconds,
            metrics.call_seconds.clone(),
        );
        registry.register(
            "repeats",
            "Calls sent again because of a fault that passes, by endpoint",
            metrics.repeats.clone(),
        );
        registry.register(
            "writes",
            "Entities by what became of their write",
            metrics.writes.clone(),
        );
        registry.register(
            "batch_entities",
            "Entities that shared one write call",
            metrics.batch_entities.clone(),
        );
        registry.register(
            "held_back",
            "Calls not sent for now, by reason",
            metrics.held_back.clone(),
        );
        registry.register(
            "write_limit",
            "Write calls that may be in flight at the moment",
            metrics.write_limit.clone(),
        );
        registry.register(
            "outages",
            "Times the catalog was found out of reach",
            metrics.outages.clone(),
        );
        metrics
    }

    pub(crate) fn called(&self, endpoint: &'static str, result: &'static str, took: Duration) {
        let labels = [("endpoint", endpoint), ("result", result)];
        self.calls.get_or_create(&labels).inc();
        self.call_seconds
            .get_or_create(&[("endpoint", endpoint)])
            .observe(took.as_secs_f64());
    }

    pub(crate) fn repeating(
        &self,
        endpoint: &'static str,
        error: &impl std::fmt::Display,
        delay: Duration,
    ) {
        self.repeats.get_or_create(&[("endpoint", endpoint)]).inc();
        warn!(
            %error,
            endpoint,
            ?delay,
            "Call of the catalog failed; it is sent again."
        );
    }

    pub(crate) fn batch_written(
        &self,
        fates: &[Result<Written, CatalogError>],
        write_limit: usize,
    ) {
        self.batch_entities.observe(fates.len() as f64);
        self.write_limit
            .set(i64::try_from(write_limit).unwrap_or(i64::MAX));
        for fate in fates {
            let outcome = match fate {
                Ok(Written::Created) => "created",
                Ok(Written::Updated) => "updated",
                Ok(Written::Deleted) => "deleted",
                Ok(Written::Absent) => "absent",
                Ok(Written::Skipped) => "skipped",
                Err(CatalogError::Retry { .. }) => "retry",
                Err(CatalogError::Unavailable { .. }) => "unavailable",
                Err(CatalogError::Permanent { .. }) => "refused",
            };
            self.writes.get_or_create(&[("outcome", outcome)]).inc();
        }
    }

    // Counted for each call and logged by `rate_limited` once: a wall holds back thousands.
    pub(crate) fn held_back(&self, reason: &'static str) {
        self.held_back.get_or_create(&[("reason", reason)]).inc();
    }

    pub(crate) fn rate_limited(&self, group: &'static str, wait: Duration) {
        self.held_back("rate limit");
        warn!(
            group,
            ?wait,
            "The catalog's rate limit is used up; calls wait."
        );
    }

    pub(crate) fn outage_began(&self, host: &str, reason: &str, pause: Duration) {
        self.outages.inc();
        error!(
            host,
            reason,
            ?pause,
            "The catalog is out of reach; writes wait without using up retries."
        );
    }

    pub(crate) fn outage_continues(&self, host: &str, reason: &str, pause: Duration) {
        warn!(host, reason, ?pause, "The catalog is still out of reach.");
    }

    pub(crate) fn outage_ended(&self, host: &str) {
        info!(host, "The catalog is back.");
    }
}
