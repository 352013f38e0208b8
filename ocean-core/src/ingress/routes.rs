//! The routes of the public listener.

use std::collections::HashMap;

use crate::{
    source::CheckedSource,
    telemetry::{IngressMetrics, PathMetrics},
};

/// What is served at a path. All routes are exact, so a hash map finds them.
#[derive(Debug)]
pub(super) struct Routes(HashMap<Box<str>, Endpoint>);

/// What a path serves.
#[derive(Debug)]
pub(super) enum Endpoint {
    /// Takes events.
    Source(Box<SourceEndpoint>),
    /// Says that the process answers.
    Live,
    /// Says whether events should be sent here.
    Ready,
    /// The metrics.
    Metrics,
}

/// A source and its metrics.
#[derive(Debug)]
pub(super) struct SourceEndpoint {
    pub(super) source: CheckedSource,
    pub(super) metrics: PathMetrics,
}

impl Routes {
    pub(super) fn new(prefix: &str, sources: Vec<CheckedSource>, metrics: &IngressMetrics) -> Self {
        let prefix = prefix.trim_end_matches('/');
        let route = |path: &str| format!("{prefix}{path}").into_boxed_str();
        let mut routes: HashMap<_, _> = sources
            .into_iter()
            .map(|source| {
                let path = route(&format!("/integration{}", source.path()));
                let metrics = metrics.path(source.path());
                let endpoint = SourceEndpoint { source, metrics };
                (path, Endpoint::Source(Box::new(endpoint)))
            })
            .collect();
        routes.insert(route("/health/live"), Endpoint::Live);
        routes.insert(route("/health/ready"), Endpoint::Ready);
        // Upstream serves both.
        routes.insert(route("/metrics"), Endpoint::Metrics);
        routes.insert(route("/metrics/"), Endpoint::Metrics);
        Self(routes)
    }

    pub(super) fn find(&self, path: &str) -> Option<&Endpoint> {
        self.0.get(path)
    }
}
