//! An embedded catalog: one SQLite file, for `dev` and tests.
//!
//! It owns the file and promises Port's semantics for what live events do: upsert with merge,
//! missing relation targets, deletes with dependents, ownership by data source. It never checks
//! blueprints' schemas: a property of the wrong type is Port's to refuse.
//!
//! The file can be read with `sqlite3` while the process runs:
//!
//! ```text
//! sqlite3 .ocean/catalog.db "select identifier, properties ->> '$.status' from entities"
//! ```
//!
//! | Table | Columns |
//! |---|---|
//! | `entities` | `blueprint`, `identifier` (key), `title`, `icon`, `team` (JSON), `properties` (JSON object), `relations` (JSON object), `datasource`, `created_at`, `updated_at` (RFC 3339) |
//! | `links` | one row a relation target: `blueprint`, `identifier`, `relation`, `target_blueprint`, `target` |
//! | `blueprints` | `identifier`, `definition` (JSON) |
//! | `settings` | `name`, `value`; `app_config` is the mapping (JSON) |

use std::{path::Path, sync::Arc};

use rusqlite::Connection;
use serde::Serialize;
use serde_json::Value;
use tokio::{sync::Mutex, task::spawn_blocking};

use super::{
    Catalog, CatalogError, ChangeSet, Entity, EntityBrowser, EntityKey, Processing, RawShipment,
    Written,
    port::{IntegrationName, setup},
};
use crate::{clock::Clock, error::StartError, future::BoxFuture, integration::Assets};

mod schema;
mod search;
mod store;
mod wire;

use store::Store;

/// The embedded catalog.
///
/// ```
/// use ocean_core::catalog::{Browse, Catalog, IntegrationName, LocalCatalog};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let name = IntegrationName {
///     kind: "jira".into(),
///     identifier: "my-jira".into(),
///     version: "0.1.0".into(),
/// };
/// let catalog = LocalCatalog::in_memory(&name, ocean_core::Clock::system()).unwrap();
/// assert!(catalog.list(Browse::default()).await.unwrap().is_empty());
/// # }
/// ```
#[derive(Debug)]
pub struct LocalCatalog {
    // Fair, so that writes happen in the order asked for.
    store: Arc<Mutex<Store>>,
}

/// An entity as the catalog holds it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredEntity {
    /// Its identifier.
    pub identifier: String,
    /// Its blueprint.
    pub blueprint: String,
    /// Its title.
    pub title: Option<String>,
    /// Its icon.
    pub icon: Option<String>,
    /// Its team: text, list or null.
    pub team: Value,
    /// Its properties.
    pub properties: Value,
    /// Its relations, search objects resolved.
    pub relations: Value,
    /// Who wrote it last.
    pub datasource: String,
    /// When it was created, RFC 3339.
    pub created_at: String,
    /// When it was last written, RFC 3339.
    pub updated_at: String,
}

impl StoredEntity {
    fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("text and JSON values serialize")
    }
}

/// Which entities to list, ordered by blueprint and identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Browse {
    /// Only of this blueprint.
    pub blueprint: Option<String>,
    /// Only after this blueprint and identifier: the last of the previous page.
    pub after: Option<(String, String)>,
    /// At most so many. Default 100.
    pub limit: usize,
}

impl Default for Browse {
    fn default() -> Self {
        Self {
            blueprint: None,
            after: None,
            limit: 100,
        }
    }
}

impl LocalCatalog {
    /// Opens or creates the file at `path`; its folder must exist.
    ///
    /// # Errors
    /// The file cannot be opened, or was written by a newer version.
    pub fn open(path: &Path, owner: &IntegrationName, clock: Clock) -> Result<Self, StartError> {
        Connection::open(path)
            .map_err(|error| error.to_string())
            .and_then(|connection| Self::with(connection, owner, clock))
            .map_err(|error| {
                StartError::new(format!(
                    "the local catalog `{}` cannot be used: {error}",
                    path.display()
                ))
            })
    }

    /// A catalog that is gone when dropped.
    ///
    /// # Errors
    /// SQLite cannot be used.
    pub fn in_memory(owner: &IntegrationName, clock: Clock) -> Result<Self, StartError> {
        Connection::open_in_memory()
            .map_err(|error| error.to_string())
            .and_then(|connection| Self::with(connection, owner, clock))
            .map_err(StartError::new)
    }

    fn with(connection: Connection, owner: &IntegrationName, clock: Clock) -> Result<Self, String> {
        schema::set_up(&connection)?;
        Ok(Self {
            store: Arc::new(Mutex::new(Store::new(connection, owner, clock))),
        })
    }

    /// Entities, ordered by blueprint and identifier.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn list(&self, browse: Browse) -> Result<Vec<StoredEntity>, CatalogError> {
        self.run(move |store| store.list(&browse)).await
    }

    /// One entity.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn get(
        &self,
        blueprint: &str,
        identifier: &str,
    ) -> Result<Option<StoredEntity>, CatalogError> {
        let (blueprint, identifier) = (blueprint.to_owned(), identifier.to_owned());
        self.run(move |store| store.get(&blueprint, &identifier))
            .await
    }

    /// The blueprints in use and how many entities each has.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn counts(&self) -> Result<Vec<(String, u64)>, CatalogError> {
        self.run(|store| store.counts()).await
    }

    /// Replaces the mapping.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn set_app_config(&self, config: Value) -> Result<(), CatalogError> {
        self.run(move |store| store.set_app_config(&config)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, CatalogError> {
        let mut store = self.store.clone().lock_owned().await;
        let result = spawn_blocking(move || work(&mut store)).await;
        result
            .map_err(|error| error.to_string())
            .and_then(|result| result.map_err(|error| error.to_string()))
            .map_err(|error| CatalogError::Retry {
                message: format!("the local catalog failed: {error}").into(),
                after: None,
            })
    }
}

impl EntityBrowser for LocalCatalog {
    fn list<'a>(
        &'a self,
        blueprint: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Value>, CatalogError>> {
        Box::pin(async move {
            let browse = Browse {
                blueprint: blueprint.map(str::to_owned),
                limit,
                ..Browse::default()
            };
            let entities = LocalCatalog::list(self, browse).await?;
            Ok(entities.iter().map(StoredEntity::to_json).collect())
        })
    }

    fn get<'a>(
        &'a self,
        blueprint: &'a str,
        identifier: &'a str,
    ) -> BoxFuture<'a, Result<Option<Value>, CatalogError>> {
        Box::pin(async move {
            let entity = LocalCatalog::get(self, blueprint, identifier).await?;
            Ok(entity.as_ref().map(StoredEntity::to_json))
        })
    }
}

impl Catalog for LocalCatalog {
    fn apply(&self, changes: ChangeSet) -> BoxFuture<'_, Vec<Result<Written, CatalogError>>> {
        Box::pin(async move {
            let count = changes.upserts.len() + changes.deletes.len();
            let result = self.run(move |store| store.apply(&changes)).await;
            result.unwrap_or_else(|error| vec![Err(error); count])
        })
    }

    fn processing(&self) -> Processing {
        Processing::Entities
    }

    fn ship(&self, _: RawShipment) -> BoxFuture<'_, Result<(), CatalogError>> {
        Box::pin(std::future::ready(Err(CatalogError::Permanent {
            message: "the local catalog takes no raw items".into(),
        })))
    }

    fn app_config(&self) -> BoxFuture<'_, Result<Value, CatalogError>> {
        Box::pin(async move {
            let config = self.run(|store| store.app_config()).await?;
            config.ok_or_else(|| CatalogError::Permanent {
                message: "the local catalog has no mapping yet".into(),
            })
        })
    }

    fn find<'a>(
        &'a self,
        key: &'a EntityKey,
    ) -> BoxFuture<'a, Result<Option<Value>, CatalogError>> {
        Box::pin(async move {
            let key = key.clone();
            let entity = self.run(move |store| store.find(&key)).await?;
            Ok(entity.as_ref().map(StoredEntity::to_json))
        })
    }

    /// Stores the default mapping and the blueprints where they are missing.
    fn prepare<'a>(&'a self, assets: &'a Assets) -> BoxFuture<'a, Result<(), StartError>> {
        Box::pin(async move {
            let config = setup::default_config(assets)?;
            let blueprints = setup::blueprints(assets)?;
            self.run(move |store| store.prepare(&config, &blueprints))
                .await
                .map_err(StartError::new)
        })
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), CatalogError>> {
        Box::pin(async move { self.counts().await.map(drop) })
    }

    fn trouble(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests;
