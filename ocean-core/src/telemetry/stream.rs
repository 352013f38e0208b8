//! What the stream's door counts: entries by outcome, and what keeps it from reading.

use std::fmt;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use tracing::{error, info, warn};

use super::flood::FloodGate;
use crate::queue::Receipt;

/// Metrics of the stream's door.
#[derive(Debug)]
pub struct StreamMetrics {
    events: Family<Outcome, Counter>,
    claimed: Counter,
    lost: Counter,
    flood: FloodGate,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

impl StreamMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let registry = registry.sub_registry_with_prefix("stream");
        let metrics = Self {
            events: Family::default(),
            claimed: Counter::default(),
            lost: Counter::default(),
            flood: FloodGate::default(),
        };
        registry.register(
            "events",
            "Events of a Redis stream made durable, by outcome: ok, duplicate, ignored or refused",
            metrics.events.clone(),
        );
        registry.register(
            "claimed_entries",
            "Entries taken over from consumers that had them for too long",
            metrics.claimed.clone(),
        );
        registry.register(
            "connections_lost",
            "Times that reading from Redis came to an end and began anew",
            metrics.lost.clone(),
        );
        metrics
    }

    /// An event is durable.
    pub(crate) fn took_in(&self, receipt: Receipt) {
        let outcome = match receipt {
            Receipt::Stored(_) => "ok",
            Receipt::Duplicate(_) => "duplicate",
            Receipt::Ignored(_) => "ignored",
            Receipt::Refused(_) => "refused",
        };
        self.events.get_or_create(&Outcome { outcome }).inc();
    }

    /// An entry is refused; five a second are logged.
    pub(crate) fn refused(&self, reason: &str) {
        if let Some(suppressed) = self.flood.line("refused") {
            warn!(
                reason,
                suppressed, "Entry of the stream refused; `dead list` shows it."
            );
        }
    }

    /// Entries wait in Redis until something else works.
    pub(crate) fn waits(&self, reason: &dyn fmt::Display) {
        if let Some(suppressed) = self.flood.line("waits") {
            warn!(%reason, suppressed, "The stream waits.");
        }
    }

    /// An entry cannot be stored now and stays in Redis.
    pub(crate) fn left(&self, entry: &str, problem: &dyn fmt::Display) {
        error!(entry, %problem, "Entry of the stream left in Redis; it is tried again later.");
    }

    /// Redis does not let us look after what others left.
    pub(crate) fn no_upkeep(&self, problem: &dyn fmt::Display) {
        warn!(%problem, "Entries that are stuck with other consumers cannot be looked after.");
    }

    /// Entries were given to a consumer while it was removed.
    pub(crate) fn dropped(&self, entries: u64) {
        if entries > 0 {
            error!(
                entries,
                "Entries of the stream are with no consumer any more; they stay in Redis, unread."
            );
        }
    }

    /// Entries were taken over.
    pub(crate) fn claimed(&self, entries: usize) {
        self.claimed.inc_by(entries as u64);
        if entries > 0 {
            info!(
                entries,
                "Took over entries that were stuck with a consumer."
            );
        }
    }

    /// Reading came to an end and begins anew.
    pub(crate) fn lost(&self, problem: &dyn fmt::Display) {
        self.lost.inc();
        warn!(%problem, "The stream cannot be read; connecting anew.");
    }

    /// It goes on.
    pub(crate) fn regained(&self) {
        info!("The stream is read again.");
    }
}
