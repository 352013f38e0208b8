//! Opens the rooms at the back of the house as the settings choose them: queue and catalog.

use std::sync::Arc;

use super::{
    config::{CatalogKind, QueueKind, Settings},
    prepared::Prepared,
};
use crate::{
    catalog::{
        BatchOptions, Catalog, DryRun, EntityBrowser, IntegrationName, LocalCatalog, PortCatalog,
        PortOptions,
    },
    error::StartError,
    http::HttpOptions,
    integration::Integration,
    queue::{
        Feed, Queue,
        embedded::{self, EmbeddedOptions, Owner},
        memory::{MemoryOptions, MemoryQueue},
    },
    supervisor::Supervisor,
};

/// The file of the local catalog in the data folder.
pub(crate) const CATALOG_FILE: &str = "catalog.db";

/// Opens the queue.
///
/// # Errors
/// The data folder cannot be used or belongs to another process; the store is damaged.
pub(crate) fn queue<I: Integration>(
    prepared: &Prepared<I>,
) -> Result<(Arc<dyn Queue>, Feed), StartError> {
    let settings = &prepared.settings.queue;
    match settings.kind {
        QueueKind::Embedded => {
            let options = EmbeddedOptions {
                max_pending_bytes: settings.max_pending_bytes.get(),
                retention: settings.retention,
                owner: Some(owner(&prepared.settings)),
                clock: prepared.clock,
                ..EmbeddedOptions::new(&settings.folder)
            };
            let (queue, feed) = embedded::open(options, Arc::clone(&prepared.telemetry))
                .map_err(StartError::new)?;
            Ok((Arc::new(queue), feed))
        }
        QueueKind::Memory => {
            let (queue, feed) = MemoryQueue::new(MemoryOptions {
                max_pending_bytes: settings.max_pending_bytes.get(),
                clock: prepared.clock,
                ..MemoryOptions::default()
            });
            Ok((Arc::new(queue), feed))
        }
    }
}

/// Whose events the store holds: those of another installation must not end in this one's catalog.
fn owner(settings: &Settings) -> Owner {
    let catalog = match settings.catalog {
        CatalogKind::Port => "port",
        CatalogKind::Local => "local",
        CatalogKind::DryRun => "dry-run",
    };
    Owner {
        integration: settings.integration.kind.clone(),
        identifier: settings.integration.identifier.clone(),
        catalog: catalog.to_owned(),
    }
}

/// A catalog, and a way to look into it if it is the embedded one.
pub(crate) type OpenCatalog = (Arc<dyn Catalog>, Option<Arc<dyn EntityBrowser>>);

/// Opens the catalog.
///
/// # Errors
/// The HTTP client or the file of the local catalog cannot be set up.
pub(crate) fn catalog<I: Integration>(
    prepared: &Prepared<I>,
    supervisor: &Supervisor,
) -> Result<OpenCatalog, StartError> {
    let settings = &prepared.settings;
    match settings.catalog {
        CatalogKind::Port => Ok((port(prepared, supervisor)?, None)),
        CatalogKind::Local => {
            let folder = &settings.queue.folder;
            std::fs::create_dir_all(folder).map_err(|error| {
                StartError::new(format!(
                    "cannot make the folder {}: {error}",
                    folder.display()
                ))
            })?;
            let name = integration_name::<I>(settings);
            let local = LocalCatalog::open(&folder.join(CATALOG_FILE), &name, prepared.clock)?;
            let local = Arc::new(local);
            Ok((Arc::clone(&local) as _, Some(local)))
        }
        CatalogKind::DryRun => {
            // With credentials the mapping is the one in use, without the default one.
            let known = !settings.port.client_id.is_empty();
            let port = known.then(|| port(prepared, supervisor)).transpose()?;
            Ok((Arc::new(DryRun::new(port)), None))
        }
    }
}

fn port<I: Integration>(
    prepared: &Prepared<I>,
    supervisor: &Supervisor,
) -> Result<Arc<PortCatalog>, StartError> {
    let options = port_options::<I>(&prepared.settings);
    PortCatalog::start(options, Arc::clone(&prepared.telemetry), supervisor)
}

fn integration_name<I: Integration>(settings: &Settings) -> IntegrationName {
    IntegrationName {
        kind: settings.integration.kind.clone(),
        identifier: settings.integration.identifier.clone(),
        version: I::VERSION.to_owned(),
    }
}

fn port_options<I: Integration>(settings: &Settings) -> PortOptions {
    let port = &settings.port;
    PortOptions {
        processing_mode: settings.processing_mode,
        lakehouse_enabled: settings.lakehouse_enabled,
        flags_ttl: port.feature_flags_ttl,
        initialize_resources: port.initialize_resources,
        origin: port.resources_origin,
        is_saas: settings.is_saas,
        changelog_destination: settings.changelog_destination.clone(),
        batch: BatchOptions {
            max_upserts: port.batch_max_length,
            max_bytes: port.batch_max_bytes,
            max_deletes: port.delete_batch_max_length,
            ..BatchOptions::default()
        },
        http: HttpOptions {
            verify_tls: port.verify_tls,
            ..PortOptions::http_defaults()
        },
        ..PortOptions::new(
            port.base_url.clone(),
            &port.client_id,
            &port.client_secret,
            integration_name::<I>(settings),
        )
    }
}
