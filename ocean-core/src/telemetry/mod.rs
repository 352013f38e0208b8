//! Telemetry: metrics of every room, one file a room, in one registry that nobody reaches but
//! through [`Telemetry`].
//!
//! An internal event is a method on its room's metrics that counts and logs together, so that a
//! log line and its number cannot drift apart. Nothing is logged at INFO per event; payloads and
//! secrets never are.

use prometheus_client::{encoding::text::encode, registry::Registry};

mod catalog;
mod dispatch;
mod flood;
mod ingress;
mod mapping;
mod queue;
mod stream;

pub use catalog::CatalogMetrics;
pub use dispatch::{DispatchMetrics, Fate};
pub use ingress::{IngressMetrics, PathMetrics, Refused};
pub use mapping::MappingMetrics;
pub use queue::QueueMetrics;
pub use stream::StreamMetrics;

/// The metrics of the process.
#[derive(Debug)]
pub struct Telemetry {
    /// Of the door.
    pub ingress: IngressMetrics,
    /// Of the stream's door.
    pub stream: StreamMetrics,
    /// Of the queue.
    pub queue: QueueMetrics,
    /// Of dispatch.
    pub dispatch: DispatchMetrics,
    /// Of the mapping.
    pub mapping: MappingMetrics,
    /// Of the catalog.
    pub catalog: CatalogMetrics,
    registry: Registry,
}

impl Default for Telemetry {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("ocean");
        Self {
            ingress: IngressMetrics::register(&mut registry),
            stream: StreamMetrics::register(&mut registry),
            queue: QueueMetrics::register(&mut registry),
            dispatch: DispatchMetrics::register(&mut registry),
            mapping: MappingMetrics::register(&mut registry),
            catalog: CatalogMetrics::register(&mut registry),
            registry,
        }
    }
}

impl Telemetry {
    /// All metrics in Prometheus' text format.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string does not fail");
        text
    }
}
