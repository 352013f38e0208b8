//! The door: where third-party tools hand in their events.
//!
//! It owns the public listener, limits, verification, and the answer to the sender. It knows
//! neither what processors do nor what a catalog is. **A 2xx answer means that the event is
//! durable; what cannot be trusted or read gets a clear 4xx; what cannot be stored gets a 503
//! that says when to come back.**

use std::{net::SocketAddr, num::NonZeroUsize, sync::Arc, time::Duration};

use crate::{
    clock::Clock, error::StartError, event::WebhookEvent, lane::Lanes, processor::Registry,
    queue::Queue, source::CheckedSource, supervisor::Supervisor, telemetry::Telemetry,
};

mod answer;
mod body;
mod door;
mod dry;
mod health;
mod intake;
mod reader;
mod refusal;
mod routes;
mod server;
mod standin;
pub(crate) mod stream;

pub use dry::{Verdict, receive};
pub use health::Check;
pub use refusal::Refusal;
pub(crate) use server::until_shutdown;
pub use standin::StandIn;

/// Everything the door works with.
#[derive(Clone, Debug)]
pub struct IngressParts {
    /// The paths on which events arrive; none where live events are not wanted, so that senders
    /// hear 404 rather than a promise nobody keeps.
    pub sources: Vec<CheckedSource>,
    /// Which lanes an event goes to.
    pub router: Arc<dyn Router>,
    /// Where events become durable.
    pub queue: Arc<dyn Queue>,
    /// What `/health/ready` asks, beside the queue.
    pub checks: Vec<Check>,
    /// The time.
    pub clock: Clock,
    /// Metrics.
    pub telemetry: Arc<Telemetry>,
    /// Settings.
    pub options: IngressOptions,
}

/// Tells which lanes an event goes to: the registry, or a few lines in a test.
pub trait Router: Send + Sync + std::fmt::Debug + 'static {
    /// The event's lanes; none if no processor is for it.
    fn lanes_of(&self, event: &WebhookEvent) -> Lanes;
}

impl Router for Registry {
    fn lanes_of(&self, event: &WebhookEvent) -> Lanes {
        self.lanes(event, &self.route(event))
    }
}

// === IngressOptions ===

/// Settings of the door.
#[derive(Clone, Debug)]
pub struct IngressOptions {
    /// The address to listen on (`APPLICATION__HOST`).
    pub host: String,
    /// The port to listen on (`APPLICATION__PORT`); 0 takes a free one.
    pub port: u16,
    /// What stands before every route (`OCEAN__PATH_PREFIX`); empty, or with a leading slash.
    pub prefix: String,
    /// Threads that serve requests; by default one for each core.
    pub threads: Option<NonZeroUsize>,
    /// Connections per thread; further ones wait to be accepted.
    pub max_connections: usize,
    /// The time a client has to send the head of a request.
    pub head_timeout: Duration,
    /// The time a client has to send the body of a request, and a second more for each 32 KiB that
    /// came.
    pub body_timeout: Duration,
    /// How long a connection may idle between two requests.
    pub keep_alive: Duration,
    /// How long a stop waits for requests that are being answered.
    pub shutdown_timeout: Duration,
    /// What a single request may cost.
    pub limits: Limits,
}

impl Default for IngressOptions {
    fn default() -> Self {
        Self {
            host: "0.0.0.0".to_owned(),
            port: 8000,
            prefix: String::new(),
            threads: None,
            max_connections: 4096,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            // Longer than the minute that load balancers keep idle connections: the side that
            // closes first must not be ours, or a request is lost now and then.
            keep_alive: Duration::from_secs(75),
            shutdown_timeout: Duration::from_secs(5),
            limits: Limits::default(),
        }
    }
}

/// What requests may cost.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The size of one body, as received and inflated (`OCEAN__MAX_BODY_BYTES`).
    pub max_body_bytes: usize,
    /// Elements of an array body.
    pub max_batch_events: usize,
    /// JSON values in one body, keys included. Parsed values are larger than their text: 25 MiB of
    /// `[0,0,0` would take half a gigabyte.
    pub max_json_values: usize,
    /// Memory that all requests may hold at once: bodies as received and inflated, and what it takes
    /// to parse them.
    pub max_buffered_bytes: usize,
}

impl Limits {
    /// The default limits, for bodies of this size; a single one of them always fits into memory.
    pub fn for_bodies_of(max_body_bytes: usize) -> Self {
        let limits = Self::default();
        let largest = max_body_bytes
            .saturating_mul(2)
            .saturating_add(limits.max_json_values * body::BYTES_PER_VALUE);
        Self {
            max_body_bytes,
            max_buffered_bytes: limits.max_buffered_bytes.max(largest),
            ..limits
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: 25 * 1024 * 1024,
            max_batch_events: 10_000,
            // In events, a value takes ten bytes of text and more.
            max_json_values: 3_000_000,
            max_buffered_bytes: 256 * 1024 * 1024,
        }
    }
}

// === serve ===

/// Starts the door under `supervisor` and returns the addresses it listens on. When shutdown is
/// requested it stops accepting, answers what it has begun, and ends.
///
/// Requests are served on threads of their own; the tasks that the queue wakes them with run
/// wherever the queue does. Must be called within a tokio runtime.
///
/// # Errors
/// The address cannot be listened on.
pub fn serve(parts: IngressParts, supervisor: &Supervisor) -> Result<Vec<SocketAddr>, StartError> {
    server::serve(parts, supervisor)
}

/// A path, or a segment of one, with its `%xx`; what does not decode to UTF-8 stays as it is.
pub(crate) fn percent_decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => hex::decode([*high, *low]).ok(),
            _ => None,
        };
        rest = if escaped.is_some() { &tail[2..] } else { tail };
        bytes.extend(escaped.unwrap_or_else(|| vec![*first]));
    }
    String::from_utf8(bytes).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::percent_decoded;

    #[test]
    fn percent_signs() {
        for (path, expected) in [
            ("/rest/api/3/issue/OPS-7", "/rest/api/3/issue/OPS-7"),
            ("a%20b+c%2Fd=e", "a b+c/d=e"),
            ("%C3%BC", "ü"),
            ("%FF", "%FF"),
            ("100%", "100%"),
            ("%zz", "%zz"),
        ] {
            assert_eq!(percent_decoded(path), expected);
        }
    }
}
