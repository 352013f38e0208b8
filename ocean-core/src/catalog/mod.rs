//! The catalog: where entities live. Port, or an embedded stand-in for it.
//!
//! It owns batching, order per entity, rate limits and the truth about writes. It knows neither
//! events nor processors. **A write is reported as done only when the catalog confirmed it; for
//! one entity never two writes are in flight, and they happen in the order asked for.**

use std::{fmt, sync::Arc};

use bytes::Bytes;
use serde::Serialize;

use crate::{
    error::{ProcessorError, StartError},
    future::BoxFuture,
    integration::Assets,
};

mod batch;
mod browse;
mod difference;
mod dry_run;
mod local;
mod port;

pub use batch::BatchOptions;
pub use browse::EntityBrowser;
pub(crate) use difference::Difference;
pub use dry_run::DryRun;
pub use local::{Browse, LocalCatalog, StoredEntity};
pub use port::{IntegrationName, PortCatalog, PortOptions, ProcessingMode, ResourcesOrigin};

/// Where entities are written.
pub trait Catalog: Send + Sync + fmt::Debug + 'static {
    /// Writes the changes of one event: all upserts, then all deletes. Resolves when the fate of
    /// each is known; outcomes come in the order of `upserts`, then `deletes`. Deletes remove an
    /// entity only when it exists and this integration owns it.
    fn apply(&self, changes: ChangeSet) -> BoxFuture<'_, Vec<Result<Written, CatalogError>>>;

    /// What the catalog wants to be sent for live events.
    fn processing(&self) -> Processing;

    /// Ships raw items, where [`processing`](Self::processing) says so.
    fn ship(&self, items: RawShipment) -> BoxFuture<'_, Result<(), CatalogError>>;

    /// The app config as JSON, fresh from the catalog.
    fn app_config(&self) -> BoxFuture<'_, Result<serde_json::Value, CatalogError>>;

    /// The entity as it stands, whoever wrote it, for previews; the first that matches if the
    /// identifier is a search object.
    ///
    /// # Errors
    /// The catalog cannot be read.
    fn find<'a>(
        &'a self,
        key: &'a EntityKey,
    ) -> BoxFuture<'a, Result<Option<serde_json::Value>, CatalogError>>;

    /// Brings the integration's record, blueprints and default mapping into being where they are
    /// missing. Idempotent.
    ///
    /// # Errors
    /// What is wrong with the settings or refused by the catalog for good. An outage is not an
    /// error here: it is retried in the background.
    fn prepare<'a>(&'a self, assets: &'a Assets) -> BoxFuture<'a, Result<(), StartError>>;

    /// One round trip that proves address and credentials, for `check`.
    ///
    /// # Errors
    /// Why the catalog cannot be used.
    fn probe(&self) -> BoxFuture<'_, Result<(), CatalogError>>;

    /// Why writes are held back at the moment, if they are, for readiness.
    fn trouble(&self) -> Option<String>;
}

// === Entity ===

/// An entity as the mapping made it, in wire form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Which entity it is.
    pub key: EntityKey,
    /// Its JSON object as the catalog's API takes it, serialized once.
    pub json: Bytes,
}

impl Serialize for Entity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_slice::<&serde_json::value::RawValue>(&self.json)
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

/// Names an entity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntityKey {
    /// The blueprint's identifier.
    pub blueprint: Arc<str>,
    /// The entity's identifier.
    pub identifier: Identifier,
}

/// The identifier of an entity as the mapping gave it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Identifier {
    /// Text: the ordinary case.
    Text(Arc<str>),
    /// Another JSON value as its text: a search object, or a number that Port will refuse.
    Json(Arc<str>),
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Text(text) | Self::Json(text)) = self;
        f.write_str(text)
    }
}

impl fmt::Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.blueprint, self.identifier)
    }
}

// === ChangeSet ===

/// What one event changes in the catalog.
#[derive(Clone, Debug, Default)]
pub struct ChangeSet {
    /// Entities to create or update, in order.
    pub upserts: Vec<Entity>,
    /// Entities to remove after that, in order.
    pub deletes: Vec<EntityKey>,
    /// How.
    pub options: WriteOptions,
}

/// How entities are written; from the head of the app config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WriteOptions {
    /// Upserts keep properties that they do not mention. Default true.
    pub merge: bool,
    /// Missing targets of relations are created. Default true.
    pub create_missing_related_entities: bool,
    /// A delete takes dependent entities along. Default true.
    pub delete_dependents: bool,
}

impl Default for WriteOptions {
    // Upstream's defaults in code; Port's public documentation says false for the last two.
    fn default() -> Self {
        Self {
            merge: true,
            create_missing_related_entities: true,
            delete_dependents: true,
        }
    }
}

// === Written ===

/// A confirmed write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The entity did not exist before.
    Created,
    /// The entity existed.
    Updated,
    /// The entity is gone.
    Deleted,
    /// There was nothing to delete: it does not exist, or another integration owns it.
    Absent,
    /// Nothing was written, on purpose: `dry-run`, or a search identifier without result.
    Skipped,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Absent => "absent",
            Self::Skipped => "skipped",
        })
    }
}

// === CatalogError ===

/// Why the catalog did not do what it was asked to. One call serves many events, so it is cheap to
/// clone.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// Expected to pass: timeouts, 429, 5xx.
    #[error("{message}")]
    Retry {
        /// What happened.
        message: Arc<str>,
        /// The least wait, if the catalog named one.
        after: Option<std::time::Duration>,
    },
    /// The whole catalog is out of reach; nobody's retries are to be used up.
    #[error("{message}")]
    Unavailable {
        /// What happened.
        message: Arc<str>,
        /// The wait before the next try.
        after: std::time::Duration,
    },
    /// Trying again cannot help: the catalog refuses this entity.
    #[error("{message}")]
    Permanent {
        /// What the catalog said.
        message: Arc<str>,
    },
}

impl From<CatalogError> for ProcessorError {
    fn from(error: CatalogError) -> Self {
        match &error {
            CatalogError::Retry {
                after: Some(after), ..
            } => Self::retry_after(error.to_string(), *after),
            CatalogError::Retry { after: None, .. } => Self::retry(error),
            CatalogError::Unavailable { after, .. } => Self::unavailable(error.to_string(), *after),
            CatalogError::Permanent { .. } => Self::permanent(error),
        }
    }
}

// === Processing ===

/// What the catalog wants to be sent for live events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Processing {
    /// Entities, mapped here.
    Entities,
    /// Entities, and the raw items beside them for the data lake.
    EntitiesAndRaw,
    /// Raw items, mapped at Port (upstream's `dsp` mode).
    Raw,
}

/// Raw items of one event for Port's data lake.
#[derive(Clone, Debug)]
pub struct RawShipment {
    /// Identifies the event.
    pub event_id: String,
    /// When the event arrived.
    pub received_at: jiff::Timestamp,
    /// The items by resource.
    pub parts: Vec<RawPart>,
}

/// Raw items that one processor brought for one resource.
#[derive(Clone, Debug)]
pub struct RawPart {
    /// The resource's kind.
    pub kind: Arc<str>,
    /// The resource's place in the app config.
    pub resource_index: usize,
    /// The resource's `selector.query`.
    pub query: Arc<str>,
    /// The items.
    pub results: Arc<crate::outcome::RawResults>,
}
