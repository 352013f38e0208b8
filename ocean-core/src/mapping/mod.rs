//! The mapping: from raw items to entities, by the team's jq programs.
//!
//! It owns the app config, its compiled programs and the rules by which an entity comes of a raw
//! item. It knows no HTTP and no processors. **The same mapping text gives the same entity as
//! upstream's jq 1.8 would; nothing is compiled or parsed twice; no program can hang or crash the
//! process.**

use std::{collections::HashMap, sync::Arc};

use crate::{
    catalog::{Entity, EntityKey, WriteOptions},
    outcome::RawResults,
    resource::{Resource, SelectorType},
};

/// A compiled app config.
#[derive(Debug)]
pub struct Mapping {}

impl Mapping {
    /// Compiles an app config as Port stores it. Programs that do not compile leave their field
    /// null, as upstream does, and are reported in [`problems`](Self::problems).
    ///
    /// # Errors
    /// The config as a whole cannot be used: a required key is missing or of the wrong type, or a
    /// selector cannot be read.
    pub fn compile(
        config: &serde_json::Value,
        options: &MappingOptions,
    ) -> Result<Self, ConfigError> {
        let _ = (config, options);
        unimplemented!("the mapping room")
    }

    /// What does not compile, field by field.
    pub fn problems(&self) -> &[Problem] {
        unimplemented!("the mapping room")
    }

    /// The resources, in order.
    pub fn resources(&self) -> impl ExactSizeIterator<Item = &Arc<Resource>> {
        [].iter()
    }

    /// How entities are written.
    pub fn write_options(&self) -> WriteOptions {
        unimplemented!("the mapping room")
    }

    /// The `selector.query` of the resource at `index`.
    pub fn query(&self, index: usize) -> Arc<str> {
        let _ = index;
        unimplemented!("the mapping room")
    }

    /// Turns the results of one event into what the catalog must do (facts of upstream's
    /// `sync_raw_results`, with deletes as DESIGN section 5 has them): updated items that pass
    /// their selector are upserted, those that fail it and deleted items are removed, unless the
    /// same entity is also upserted.
    pub fn plan(&self, inputs: &[PlanInput<'_>]) -> Plan {
        let _ = inputs;
        unimplemented!("the mapping room")
    }
}

/// Results of one processor and the resources that map them. An item is parsed once for all.
#[derive(Clone, Copy, Debug)]
pub struct PlanInput<'a> {
    /// Places of the resources in the app config.
    pub resources: &'a [usize],
    /// The raw items.
    pub results: &'a RawResults,
}

/// What an event changes, and on whose account.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Entities to upsert, in order.
    pub upserts: Vec<(Origin, Entity)>,
    /// Entities to remove, in order.
    pub deletes: Vec<(Origin, EntityKey)>,
    /// What did not work and why; the item or field it is about is left out or null.
    pub notes: Vec<(Origin, Note)>,
}

/// Which input and resource something comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The place of the input in the slice given to [`Mapping::plan`].
    pub input: usize,
    /// The resource's place in the app config.
    pub resource: usize,
}

/// Something an operator should know about a mapped item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Note {
    /// A field came out null: nothing there, an error, or a program that does not compile.
    #[error("`{path}` is null (program: {program}){}", .error.as_ref().map(|e| format!(": {e}")).unwrap_or_default())]
    Misconfigured {
        /// The field, such as `properties.status`.
        path: String,
        /// Its program.
        program: Arc<str>,
        /// The error, if it was one.
        error: Option<String>,
    },
    /// The item has no identifier or no blueprint, so there is no entity.
    #[error("no entity: `identifier` or `blueprint` is empty")]
    NoIdentity,
    /// The selector or `itemsToParse` failed; the item yields nothing.
    #[error("{0}")]
    Failed(String),
    /// A program exceeded a limit of the engine.
    #[error("`{path}` exceeded the {limit} limit of a mapping program")]
    Limit {
        /// The field.
        path: String,
        /// Which limit.
        limit: String,
    },
}

/// What compiling an app config depends on.
#[derive(Clone, Debug, Default)]
pub struct MappingOptions {
    /// What `env` and `$ENV` hold; empty unless the operator allows access.
    pub env: Arc<serde_json::Map<String, serde_json::Value>>,
    /// The selector types that processors ask for, by kind.
    pub selectors: HashMap<String, Vec<SelectorType>>,
    /// The kinds the integration knows; a resource of another kind is a problem, not an error.
    pub kinds: Vec<String>,
}

/// A program that does not compile, or a resource nothing will ever map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("resources[{resource}] ({kind}) {path}: {message}")]
pub struct Problem {
    /// The resource's place in the app config.
    pub resource: usize,
    /// Its kind.
    pub kind: String,
    /// The field, such as `port.entity.mappings.properties.status`.
    pub path: String,
    /// What is wrong, with line and column.
    pub message: String,
}

/// Why an app config cannot be used at all; all reasons at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mapping cannot be used: {}", .problems.join("; "))]
pub struct ConfigError {
    /// Each names the resource, the key and the fix.
    pub problems: Vec<String>,
}

// === MappingHandle ===

/// The current mapping: read by every event, replaced by the refresher, absent until the catalog
/// has delivered one.
#[derive(Clone, Debug, Default)]
pub struct MappingHandle(Arc<tokio::sync::watch::Sender<Option<Arc<Mapping>>>>);

impl MappingHandle {
    /// The current mapping, if there is one yet.
    pub fn current(&self) -> Option<Arc<Mapping>> {
        self.0.borrow().clone()
    }

    /// Waits for the first mapping. Cancel-safe.
    pub async fn ready(&self) -> Arc<Mapping> {
        let mut changes = self.0.subscribe();
        let current = changes.wait_for(Option::is_some).await;
        current
            .expect("the handle holds the sender")
            .clone()
            .expect("waited for")
    }

    /// Replaces the mapping.
    pub fn set(&self, mapping: Arc<Mapping>) {
        self.0.send_replace(Some(mapping));
    }
}
