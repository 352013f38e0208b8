//! What the ingress room counts.

use prometheus_client::registry::Registry;

/// Metrics of the ingress room.
#[derive(Debug, Default)]
pub struct IngressMetrics {}

impl IngressMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let _ = registry;
        Self::default()
    }
}
