//! What the catalog room counts.

use prometheus_client::registry::Registry;

/// Metrics of the catalog room.
#[derive(Debug, Default)]
pub struct CatalogMetrics {}

impl CatalogMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let _ = registry;
        Self::default()
    }
}
