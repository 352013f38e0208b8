//! Looking into a catalog that is embedded.

use std::fmt;

use serde_json::Value;

use super::CatalogError;

/// Read access to the entities of the local catalog, for commands, the admin API and the dashboard.
/// Implementations do not block writers.
pub trait EntityBrowser: Send + Sync + fmt::Debug + 'static {
    /// Entities as the catalog's API gives them, of one blueprint or of all, in order of blueprint
    /// and identifier; `limit` at most.
    ///
    /// # Errors
    /// The catalog cannot be read.
    fn list(&self, blueprint: Option<&str>, limit: usize) -> Result<Vec<Value>, CatalogError>;

    /// One entity, if it exists.
    ///
    /// # Errors
    /// The catalog cannot be read.
    fn get(&self, blueprint: &str, identifier: &str) -> Result<Option<Value>, CatalogError>;
}
