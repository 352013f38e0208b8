//! What the door counts: requests by path and outcome, bytes, and the time to accept.

use std::{fmt, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};
use tracing::warn;

use super::flood::FloodGate;

/// Metrics of the door.
#[derive(Debug)]
pub struct IngressMetrics {
    requests: Family<RequestLabels, Counter>,
    bytes: Family<PathLabels, Counter>,
    seconds: Family<PathLabels, Histogram, fn() -> Histogram>,
    refusals: FloodGate,
}

impl IngressMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let registry = registry.sub_registry_with_prefix("ingress");
        let metrics = Self {
            requests: Family::default(),
            bytes: Family::default(),
            seconds: Family::new_with_constructor(seconds_histogram),
            refusals: FloodGate::default(),
        };
        registry.register(
            "requests",
            "Requests to webhook paths by outcome: ok, duplicate, ignored, challenge, or the error code of the answer",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "received",
            "Bodies of requests to webhook paths, as received",
            Unit::Bytes,
            metrics.bytes.clone(),
        );
        registry.register_with_unit(
            "accept",
            "Time from the last byte of a request until its events are durable",
            Unit::Seconds,
            metrics.seconds.clone(),
        );
        metrics
    }

    /// The metrics of one path, looked up once so that accepting an event takes no lock but its
    /// histogram's.
    pub fn path(&self, path: &str) -> PathMetrics {
        let count = |outcome| {
            self.requests
                .get_or_create_owned(&RequestLabels::new(path, outcome))
        };
        let labels = PathLabels { path: path.into() };
        PathMetrics {
            ok: count("ok"),
            duplicate: count("duplicate"),
            ignored: count("ignored"),
            challenge: count("challenge"),
            bytes: self.bytes.get_or_create_owned(&labels),
            seconds: self.seconds.get_or_create_owned(&labels),
        }
    }

    /// A request was refused. Each is counted; of those with one code five a second are logged, with
    /// the number of `suppressed` ones before, so that nobody can flood the log from outside.
    pub fn refused(&self, refused: &Refused<'_>) {
        // Anybody can ask for any path, and each would be a time series.
        let path = refused.source.unwrap_or("other");
        self.requests
            .get_or_create(&RequestLabels::new(path, refused.code))
            .inc();
        let Some(suppressed) = self.refusals.line(refused.code) else {
            return;
        };
        warn!(
            path = refused.path,
            code = refused.code,
            reason = %refused.reason,
            remote = %refused.remote,
            request_id = refused.request_id,
            suppressed,
            "Request refused."
        );
    }
}

fn seconds_histogram() -> Histogram {
    // From a commit shared with others on a fast disk to one on a disk that stalls.
    Histogram::new([
        0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
    ])
}

// === PathMetrics ===

/// Metrics of one path.
#[derive(Clone, Debug)]
pub struct PathMetrics {
    ok: Counter,
    duplicate: Counter,
    ignored: Counter,
    challenge: Counter,
    bytes: Counter,
    seconds: Histogram,
}

impl PathMetrics {
    /// A body of this size was read.
    pub fn received(&self, bytes: usize) {
        self.bytes.inc_by(bytes as u64);
    }

    /// At least one event of the request will be dispatched.
    pub fn accepted(&self, took: Duration) {
        self.ok.inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// All events of the request were accepted before.
    pub fn duplicate(&self, took: Duration) {
        self.duplicate.inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// No processor is for any event of the request.
    pub fn ignored(&self, took: Duration) {
        self.ignored.inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// The request only proved the address.
    pub fn challenge(&self) {
        self.challenge.inc();
    }
}

// === Refused ===

/// A refused request: what may be said about it. Never its body, never a secret.
#[derive(Clone, Copy)]
pub struct Refused<'a> {
    /// The path of its source, if it has one.
    pub source: Option<&'a str>,
    /// The path that was asked for, without query: a query may hold a token.
    pub path: &'a str,
    /// The error code of the answer.
    pub code: &'static str,
    /// Why.
    pub reason: &'a dyn fmt::Display,
    /// The peer's address; that of a proxy, if one stands before the door.
    pub remote: &'a dyn fmt::Display,
    /// The id that the answer carries.
    pub request_id: &'a str,
}

impl fmt::Debug for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refused({} {}: {})", self.path, self.code, self.reason)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    path: String,
    outcome: &'static str,
}

impl RequestLabels {
    fn new(path: &str, outcome: &'static str) -> Self {
        Self {
            path: path.to_owned(),
            outcome,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PathLabels {
    path: String,
}
