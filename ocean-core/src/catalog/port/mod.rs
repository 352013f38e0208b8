//! Port: the catalog of production.
//!
//! It owns the conversation with Port's API. **Nothing is reported as written unless Port said so;
//! rate limits are obeyed before they bite; an outage pauses everybody instead of using up their
//! retries.**
//!
//! What becomes of a failed write: 429, 5xx, time-outs, broken connections and unclear answers are
//! [`CatalogError::Retry`]; a refused connection, an open breaker, an exhausted rate limit,
//! refused credentials and refused rights (a call answered with 401 or 403) are
//! [`CatalogError::Unavailable`]; anything else Port refuses, a single entity of a call included, is
//! [`CatalogError::Permanent`]. A missing target of a relation is worth a retry where Port does not
//! create it, because it may be on its way in another event.

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;
use tracing::warn;

use super::{
    Catalog, CatalogError, ChangeSet, EntityKey, Processing, RawShipment, Written, batch::Batcher,
};
use crate::{
    error::StartError,
    future::BoxFuture,
    http::backoff,
    integration::Assets,
    supervisor::{Shutdown, Supervisor},
    telemetry::Telemetry,
};

mod breaker;
mod client;
mod delete;
mod extras;
mod find;
mod lake;
mod limits;
mod options;
mod order;
mod processing;
pub(super) mod setup;
mod token;
mod upsert;
mod wire;
mod writer;

pub use options::{IntegrationName, PortOptions, ProcessingMode, ResourcesOrigin};

use client::{CallError, PortClient};
use lake::Lake;
use processing::CurrentProcessing;
use setup::SetupError;
use writer::PortWriter;

// Between tries of a set-up that met an outage.
const FIRST_SETUP_PAUSE: Duration = Duration::from_secs(2);
const MAX_SETUP_PAUSE: Duration = Duration::from_secs(60);

/// Port as a [`Catalog`].
///
/// ```no_run
/// use std::sync::Arc;
///
/// use ocean_core::{
///     catalog::{Catalog, IntegrationName, PortCatalog, PortOptions},
///     supervisor::Supervisor,
/// };
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let name = IntegrationName {
///     kind: "jira".into(),
///     identifier: "my-jira".into(),
///     version: "0.1.0".into(),
/// };
/// let options = PortOptions::new("https://api.getport.io".parse()?, "id", "secret", name);
/// let catalog = PortCatalog::start(options, Arc::default(), &Supervisor::default())?;
/// catalog.probe().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct PortCatalog {
    client: Arc<PortClient>,
    batcher: Batcher<PortWriter>,
    processing: Arc<CurrentProcessing>,
    lake: Lake,
    later: mpsc::Sender<Assets>,
}

impl PortCatalog {
    /// The catalog; its upkeep (feature flags, unfinished set-up) runs under `supervisor`.
    ///
    /// # Errors
    /// The options cannot be used. Port is not asked yet.
    pub fn start(
        options: PortOptions,
        telemetry: Arc<Telemetry>,
        supervisor: &Supervisor,
    ) -> Result<Arc<Self>, StartError> {
        let batch = options.batch;
        let client = Arc::new(PortClient::new(options, telemetry.clone())?);
        let processing = Arc::new(CurrentProcessing::default());
        let (later, assets) = mpsc::channel(1);
        let upkeep = Upkeep {
            client: client.clone(),
            processing: processing.clone(),
            assets,
        };
        supervisor.spawn("port upkeep", upkeep.run(supervisor.shutdown()));
        Ok(Arc::new(Self {
            batcher: Batcher::new(PortWriter::new(client.clone()), batch, telemetry),
            client,
            processing,
            lake: Lake::default(),
            later,
        }))
    }
}

impl Catalog for PortCatalog {
    fn apply(&self, changes: ChangeSet) -> BoxFuture<'_, Vec<Result<Written, CatalogError>>> {
        Box::pin(self.batcher.apply(changes))
    }

    fn processing(&self) -> Processing {
        self.processing.get()
    }

    fn ship(&self, items: RawShipment) -> BoxFuture<'_, Result<(), CatalogError>> {
        Box::pin(async move { self.lake.ship(&self.client, &items).await })
    }

    fn app_config(&self) -> BoxFuture<'_, Result<serde_json::Value, CatalogError>> {
        Box::pin(async move {
            let integration = setup::fetch_integration(&self.client)
                .await
                .map_err(|error| self.client.catalog_error(&error))?;
            let config = integration.map(|mut found| found["config"].take());
            config
                .filter(serde_json::Value::is_object)
                .ok_or_else(|| CatalogError::Permanent {
                    message: format!(
                        "the integration `{}` has no mapping at Port",
                        self.client.options.integration.identifier
                    )
                    .into(),
                })
        })
    }

    fn find<'a>(
        &'a self,
        key: &'a EntityKey,
    ) -> BoxFuture<'a, Result<Option<serde_json::Value>, CatalogError>> {
        Box::pin(async move {
            let found = find::find(&self.client, key).await;
            found.map_err(|error| self.client.catalog_error(&error))
        })
    }

    fn prepare<'a>(&'a self, assets: &'a Assets) -> BoxFuture<'a, Result<(), StartError>> {
        Box::pin(async move {
            match setup::set_up(&self.client, assets).await {
                Ok(()) => {}
                Err(SetupError::Refused(problems)) => return Err(problems),
                Err(SetupError::Passing(error)) => {
                    warn!(%error, "Port is out of reach; the set-up goes on in the background.");
                    // A full channel means that a set-up waits there already.
                    let _ = self.later.try_send(*assets);
                }
            }
            if let Err(error) = self.processing.refresh(&self.client).await {
                warn!(%error, "Feature flags are not known yet; entities are sent meanwhile.");
            }
            Ok(())
        })
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), CatalogError>> {
        Box::pin(async move {
            match setup::fetch_integration(&self.client).await {
                Ok(_) => Ok(()),
                // For the one who checks the settings this is final.
                Err(CallError::Credentials(message)) => Err(CatalogError::Permanent {
                    message: message.into(),
                }),
                Err(error) if error.is_denied() => Err(CatalogError::Permanent {
                    message: error.to_string().into(),
                }),
                Err(error) => Err(self.client.catalog_error(&error)),
            }
        })
    }

    fn trouble(&self) -> Option<String> {
        self.client.trouble()
    }
}

// === Upkeep ===

/// What happens beside the events.
struct Upkeep {
    client: Arc<PortClient>,
    processing: Arc<CurrentProcessing>,
    assets: mpsc::Receiver<Assets>,
}

impl Upkeep {
    async fn run(mut self, mut shutdown: Shutdown) {
        let ttl = self.client.options.flags_ttl.max(Duration::from_secs(1));
        let mut flags = tokio::time::interval(ttl);
        flags.tick().await; // The first tick is now, and `prepare` asks then.
        loop {
            tokio::select! {
                () = shutdown.requested() => return,
                _ = flags.tick() => {
                    if let Err(error) = self.processing.refresh(&self.client).await {
                        warn!(%error, "Feature flags cannot be looked up; the last ones stand.");
                    }
                }
                Some(assets) = self.assets.recv() => {
                    tokio::select! {
                        () = shutdown.requested() => return,
                        () = self.set_up(assets) => {}
                    }
                }
            }
        }
    }

    async fn set_up(&self, assets: Assets) {
        for number in 1.. {
            tokio::time::sleep(backoff(FIRST_SETUP_PAUSE, number).min(MAX_SETUP_PAUSE)).await;
            match setup::set_up(&self.client, &assets).await {
                Ok(()) => break,
                Err(SetupError::Passing(error)) => {
                    warn!(%error, "Port is still out of reach; the set-up is tried again.");
                }
                Err(SetupError::Refused(error)) => {
                    tracing::error!(%error, "The set-up at Port failed.");
                    break;
                }
            }
        }
        // Not known yet if the start met an outage.
        if let Err(error) = self.processing.refresh(&self.client).await {
            warn!(%error, "Feature flags are not known yet; entities are sent meanwhile.");
        }
    }
}
