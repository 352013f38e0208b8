//! What the queue room counts.

use prometheus_client::registry::Registry;

/// Metrics of the queue room.
#[derive(Debug, Default)]
pub struct QueueMetrics {}

impl QueueMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let _ = registry;
        Self::default()
    }
}
