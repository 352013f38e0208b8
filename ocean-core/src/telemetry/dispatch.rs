//! What the dispatch room counts.

use prometheus_client::registry::Registry;

/// Metrics of the dispatch room.
#[derive(Debug, Default)]
pub struct DispatchMetrics {}

impl DispatchMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let _ = registry;
        Self::default()
    }
}
