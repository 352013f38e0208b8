//! What the mapping room counts.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Duration,
};

use jiff::Timestamp;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use tracing::{error, info, warn};

use crate::{
    catalog::CatalogError,
    mapping::{Finding, Mapping, Plan},
};

/// Metrics of the mapping room.
#[derive(Debug)]
pub struct MappingMetrics {
    refreshes: Family<RefreshLabels, Counter>,
    loaded_at: Gauge<f64, AtomicU64>,
    resources: Gauge,
    problems: Gauge,
    entities: Family<EntityLabels, Counter>,
    findings: Family<FindingLabels, Counter>,
    plan_seconds: Histogram,
    // Fields of the mapping in use of which the log already says that they exceed a limit: they
    // may do so with every event.
    warned: Mutex<HashSet<(Arc<str>, Arc<str>)>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefreshLabels {
    outcome: RefreshOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum RefreshOutcome {
    Loaded,
    Unchanged,
    Refused,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EntityLabels {
    change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Change {
    Upsert,
    Delete,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FindingLabels {
    resource: String,
    finding: &'static str,
}

impl MappingMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let registry = registry.sub_registry_with_prefix("mapping");
        let metrics = Self {
            refreshes: Family::default(),
            loaded_at: Gauge::default(),
            resources: Gauge::default(),
            problems: Gauge::default(),
            entities: Family::default(),
            findings: Family::default(),
            // 50 microseconds to 3 seconds: an event has one item or thousands.
            plan_seconds: Histogram::new(exponential_buckets(0.000_05, 3.0, 11)),
            warned: Mutex::default(),
        };
        registry.register(
            "refreshes",
            "Looks at the catalog for a newer mapping",
            metrics.refreshes.clone(),
        );
        registry.register(
            "loaded_timestamp_seconds",
            "When the mapping in use was loaded, in Unix time",
            metrics.loaded_at.clone(),
        );
        registry.register(
            "resources",
            "Resources of the mapping in use",
            metrics.resources.clone(),
        );
        registry.register(
            "problems",
            "Fields of the mapping in use that cannot work",
            metrics.problems.clone(),
        );
        registry.register(
            "entities",
            "Entities that events made, by what becomes of them",
            metrics.entities.clone(),
        );
        registry.register(
            "findings",
            "Fields and items that did not map, by resource and reason",
            metrics.findings.clone(),
        );
        registry.register(
            "plan_seconds",
            "Time to map the results of one event",
            metrics.plan_seconds.clone(),
        );
        metrics
    }

    /// The results of an event were mapped.
    pub fn planned(&self, plan: &Plan, elapsed: Duration) {
        self.plan_seconds.observe(elapsed.as_secs_f64());
        self.count_entities(Change::Upsert, plan.upserts.len());
        self.count_entities(Change::Delete, plan.deletes.len());
        for (_, note) in &plan.notes {
            let labels = FindingLabels {
                resource: note.resource.to_string(),
                finding: match note.finding {
                    Finding::Misconfigured { .. } => "misconfigured",
                    Finding::NoIdentity => "no_identity",
                    Finding::Skipped(_) => "skipped",
                    Finding::Failed(_) => "failed",
                    Finding::Limit { .. } => "limit",
                },
            };
            self.findings.get_or_create(&labels).inc();
            if let Finding::Limit { path, limit } = &note.finding {
                self.exceeded(&note.resource, path, limit);
            }
        }
    }

    /// Says that a program exceeded a limit, once for each field of the mapping in use.
    fn exceeded(&self, resource: &Arc<str>, path: &Arc<str>, limit: &str) {
        let field = (resource.clone(), path.clone());
        let mut warned = self.warned.lock().expect("no panic while it is held");
        if warned.insert(field) {
            warn!(%resource, %path, limit, "A program of the mapping exceeds a limit.");
        }
    }

    fn count_entities(&self, change: Change, count: usize) {
        if count > 0 {
            self.entities
                .get_or_create(&EntityLabels { change })
                .inc_by(count as u64);
        }
    }

    /// A mapping was taken into use.
    pub(crate) fn loaded(&self, mapping: &Mapping, now: Timestamp) {
        self.count_refresh(RefreshOutcome::Loaded);
        self.loaded_at.set(now.as_duration().as_secs_f64());
        self.resources.set(count(mapping.resources().len()));
        self.problems.set(count(mapping.problems().len()));
        self.warned.lock().expect("as above").clear();
        info!(
            resources = mapping.resources().len(),
            problems = mapping.problems().len(),
            "A new mapping is in use."
        );
        for problem in mapping.problems() {
            warn!(%problem, "A part of the mapping cannot work.");
        }
    }

    /// The catalog still has the mapping in use.
    pub(crate) fn unchanged(&self) {
        self.count_refresh(RefreshOutcome::Unchanged);
    }

    /// The catalog has a mapping that cannot be used.
    pub(crate) fn refused(&self, reason: &str, keeps_another: bool) {
        self.count_refresh(RefreshOutcome::Refused);
        if keeps_another {
            error!(
                reason,
                "The newest mapping is refused; the last good one stays in use."
            );
        } else {
            error!(
                reason,
                "The mapping is refused; events wait until it is corrected."
            );
        }
    }

    /// The catalog still has the mapping that was refused; the log already says so.
    pub(crate) fn refused_again(&self) {
        self.count_refresh(RefreshOutcome::Refused);
    }

    /// The mapping could not be fetched for the `failures`th time in a row.
    pub(crate) fn fetch_failed(&self, error: &CatalogError, failures: u32, keeps_another: bool) {
        self.count_refresh(RefreshOutcome::Failed);
        // An outage of hours is one fact, not hundreds.
        if failures > 1 && !failures.is_power_of_two() {
            return;
        }
        if keeps_another {
            warn!(%error, failures, "The mapping cannot be fetched; the last good one stays in use.");
        } else {
            warn!(%error, failures, "The mapping cannot be fetched; events wait for it.");
        }
    }

    fn count_refresh(&self, outcome: RefreshOutcome) {
        self.refreshes
            .get_or_create(&RefreshLabels { outcome })
            .inc();
    }
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
