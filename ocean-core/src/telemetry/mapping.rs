//! What the mapping room counts.

use prometheus_client::registry::Registry;

/// Metrics of the mapping room.
#[derive(Debug, Default)]
pub struct MappingMetrics {}

impl MappingMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let _ = registry;
        Self::default()
    }
}
