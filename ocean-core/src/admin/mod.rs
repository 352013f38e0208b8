//! The admin listener: the operator's view as JSON and as a page.
//!
//! It owns a second listener, by default on a loopback address, that shows events, dead letters,
//! entities, processors and the mapping, and lets an operator replay and discard. **It is never
//! reachable from another machine without a token, never usable from another web page, and never
//! shows a secret.**

use std::{fmt, net::SocketAddr, sync::Arc};

use crate::{
    catalog::EntityBrowser, clock::Clock, error::StartError, ingress::Check,
    mapping::MappingHandle, processor::Registry, queue::Queue, supervisor::Supervisor,
};

mod api;
mod guard;
mod server;
pub(crate) mod view;

/// Everything the admin listener works with.
pub struct AdminParts {
    /// The address to listen on (`OCEAN__ADMIN__LISTEN`); port 0 takes a free one.
    pub listen: SocketAddr,
    /// The bearer token that calls need (`OCEAN__ADMIN__TOKEN`); required off loopback.
    pub token: Option<String>,
    /// Events, and what operators do to them.
    pub queue: Arc<dyn Queue>,
    /// The processors.
    pub registry: Arc<Registry>,
    /// The mapping in use.
    pub mapping: MappingHandle,
    /// The entities, where the catalog is embedded.
    pub browser: Option<Arc<dyn EntityBrowser>>,
    /// What may be in trouble beside the queue; the page shows it to whoever looks.
    pub checks: Vec<Check>,
    /// The time.
    pub clock: Clock,
}

impl fmt::Debug for AdminParts {
    // The token must not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminParts")
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

/// Starts the admin listener under `supervisor` and returns the address it listens on. Must be
/// called within a tokio runtime.
///
/// # Errors
/// The address cannot be listened on, or is reachable from other machines and there is no token.
pub fn serve(parts: AdminParts, supervisor: &Supervisor) -> Result<SocketAddr, StartError> {
    server::serve(parts, supervisor)
}
