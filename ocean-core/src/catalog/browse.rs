//! Looking into a catalog that is embedded.

use std::fmt;

use serde_json::Value;

use super::CatalogError;
use crate::future::BoxFuture;

/// Read access to the entities of the local catalog, for commands, the admin API and the dashboard.
pub trait EntityBrowser: Send + Sync + fmt::Debug + 'static {
    /// Entities as the catalog's API gives them, of one blueprint or of all, in order of blueprint
    /// and identifier; `limit` at most.
    ///
    /// # Errors
    /// The catalog cannot be read.
    fn list<'a>(
        &'a self,
        blueprint: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Value>, CatalogError>>;

    /// One entity, if it exists.
    ///
    /// # Errors
    /// The catalog cannot be read.
    fn get<'a>(
        &'a self,
        blueprint: &'a str,
        identifier: &'a str,
    ) -> BoxFuture<'a, Result<Option<Value>, CatalogError>>;
}
