//! A catalog that writes nothing: everything but the writes is real.

use serde_json::Value;
use tokio::sync::OnceCell;

use super::{
    Catalog, CatalogError, ChangeSet, EntityKey, Processing, RawShipment, Written,
    port::{PortCatalog, setup},
};
use crate::{error::StartError, future::BoxFuture, integration::Assets};

/// Takes every write and does none. The mapping is Port's if there are credentials for it, else
/// the integration's default.
#[derive(Debug)]
pub struct DryRun {
    port: Option<std::sync::Arc<PortCatalog>>,
    default_config: OnceCell<Value>,
}

impl DryRun {
    /// A dry run with Port's mapping, or with the default one.
    pub fn new(port: Option<std::sync::Arc<PortCatalog>>) -> Self {
        Self {
            port,
            default_config: OnceCell::new(),
        }
    }
}

impl Catalog for DryRun {
    fn apply(&self, changes: ChangeSet) -> BoxFuture<'_, Vec<Result<Written, CatalogError>>> {
        let count = changes.upserts.len() + changes.deletes.len();
        Box::pin(std::future::ready(vec![Ok(Written::Skipped); count]))
    }

    fn processing(&self) -> Processing {
        // Shows what would be written, whatever the organisation's flags say.
        Processing::Entities
    }

    fn ship(&self, _: RawShipment) -> BoxFuture<'_, Result<(), CatalogError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn app_config(&self) -> BoxFuture<'_, Result<Value, CatalogError>> {
        match &self.port {
            Some(port) => port.app_config(),
            None => Box::pin(async {
                let config = self.default_config.get().cloned();
                config.ok_or_else(|| CatalogError::Permanent {
                    message: "the default mapping was not prepared".into(),
                })
            }),
        }
    }

    fn find<'a>(
        &'a self,
        key: &'a EntityKey,
    ) -> BoxFuture<'a, Result<Option<Value>, CatalogError>> {
        match &self.port {
            Some(port) => port.find(key),
            None => Box::pin(std::future::ready(Ok(None))),
        }
    }

    fn prepare<'a>(&'a self, assets: &'a Assets) -> BoxFuture<'a, Result<(), StartError>> {
        Box::pin(async move {
            let config = setup::default_config(assets)?;
            // Prepared twice it stays the same: assets are constants.
            let _ = self.default_config.set(config);
            Ok(())
        })
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), CatalogError>> {
        match &self.port {
            Some(port) => port.probe(),
            None => Box::pin(std::future::ready(Ok(()))),
        }
    }

    fn trouble(&self) -> Option<String> {
        self.port.as_ref().and_then(|port| port.trouble())
    }
}
