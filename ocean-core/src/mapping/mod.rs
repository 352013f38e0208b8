//! The mapping: from raw items to entities, by the team's jq programs.
//!
//! It owns the app config, its compiled programs and the rules by which an entity comes of a raw
//! item. It knows no HTTP and no processors. **The same mapping text gives the same entity as
//! upstream's jq 1.8 would, except where [`DIFFERENCES`] says otherwise; nothing is compiled or
//! parsed twice; no program can hang or crash the process.**
//!
//! ```
//! use ocean_core::{Raw, RawResults, mapping::{Mapping, MappingOptions, PlanInput}};
//! use serde_json::json;
//!
//! let mapping = Mapping::compile(
//!     &json!({"resources": [{
//!         "kind": "issue",
//!         "selector": {"query": ".state == 'open'"},
//!         "port": {"entity": {"mappings": {"identifier": ".key", "blueprint": "'task'"}}},
//!     }]}),
//!     &MappingOptions::default(),
//! )
//! .unwrap();
//! let results = RawResults::updated([Raw::new(&json!({"key": "OPS-7", "state": "open"}))]);
//! let plan = mapping.plan(&[PlanInput { resources: &[0], results: &results }]);
//! assert_eq!(&*plan.upserts[0].1.json, br#"{"identifier":"OPS-7","blueprint":"task"}"#);
//! ```

use std::{collections::HashMap, sync::Arc};

use serde::Serialize;

use crate::{
    catalog::WriteOptions,
    resource::{Resource, SelectorType},
};

mod compile;
mod config;
mod deletion_path;
mod differences;
mod entity;
mod handle;
mod items;
mod plan;
mod program;
mod quotes;
mod refresh;
mod report;
mod wire;

pub use config::parse_text;
pub use differences::{DIFFERENCES, Difference};
pub use handle::{MappingHandle, Status};
pub use plan::{Finding, Note, Origin, Plan, PlanInput};
pub use refresh::{DEFAULT_TTL, RefreshParts, refresh};
pub use report::{NoResource, Report, read_items, report};

use compile::CompiledResource;
use program::Programs;

/// A compiled app config.
#[derive(Debug)]
pub struct Mapping {
    resources: Vec<CompiledResource>,
    write: WriteOptions,
    problems: Vec<Problem>,
    programs: Programs,
}

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
        Self::compile_after(config, options, None)
    }

    /// As [`compile`](Self::compile), taking over the programs that `previous` already compiled.
    ///
    /// # Errors
    /// As [`compile`](Self::compile).
    pub fn compile_after(
        config: &serde_json::Value,
        options: &MappingOptions,
        previous: Option<&Self>,
    ) -> Result<Self, ConfigError> {
        compile::compile(config, options, previous)
    }

    /// What cannot work, field by field.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The resources, in order.
    pub fn resources(&self) -> impl ExactSizeIterator<Item = &Arc<Resource>> {
        self.resources.iter().map(|resource| &resource.resource)
    }

    /// How entities are written.
    pub fn write_options(&self) -> WriteOptions {
        self.write
    }

    /// The `selector.query` of the resource at `index`.
    ///
    /// # Panics
    /// If there are not as many resources.
    pub fn query(&self, index: usize) -> Arc<str> {
        self.resources[index].query.text.clone()
    }

    /// Turns the results of one event into what the catalog must do, as upstream's
    /// `sync_raw_results` does: updated items that pass their selector are upserted, those that
    /// fail it and deleted items are removed, unless the same entity is also upserted. Nothing is
    /// merged or left out within upserts or within deletes, and their order is kept: resource by
    /// resource, item by item.
    ///
    /// A deleted item is removed whatever its selector says, also when the selector fails: what a
    /// tool sends about something that is gone is often but a part of it. All it needs is an
    /// identifier and a blueprint.
    ///
    /// # Panics
    /// If an input names a resource that is not there.
    pub fn plan(&self, inputs: &[PlanInput<'_>]) -> Plan {
        plan::plan(self, inputs)
    }

    /// Why this mapping must not replace `current`, if so: it breaks a kind that works now, or
    /// nothing in it can work at all. A kind that is no longer listed is no mistake.
    fn worse_than(&self, current: Option<&Self>) -> Option<String> {
        let any_works = self
            .resources
            .iter()
            .any(|resource| resource.dead.is_none());
        let broken = self.resources.iter().find(|resource| {
            let kind = &resource.resource.kind;
            resource.dead.is_some()
                && match current {
                    Some(current) if any_works => current.serves(kind) && !self.serves(kind),
                    _ => !any_works,
                }
        })?;
        Some(format!(
            "no resource of kind `{}` can work: {}",
            broken.resource.kind,
            broken.dead.as_ref()?
        ))
    }

    fn serves(&self, kind: &str) -> bool {
        self.resources
            .iter()
            .any(|resource| &*resource.resource.kind == kind && resource.dead.is_none())
    }
}

/// What compiling an app config depends on.
#[derive(Clone, Debug, Default)]
pub struct MappingOptions {
    /// What `env` and `$ENV` hold; empty unless the operator allows access.
    pub env: Arc<serde_json::Map<String, serde_json::Value>>,
    /// The selector types that processors ask for, by kind.
    pub selectors: HashMap<String, Vec<SelectorType>>,
    /// The kinds the integration knows; a resource of another kind is a problem, not an error.
    /// Empty means any.
    pub kinds: Vec<String>,
}

/// A program that does not compile, or a resource nothing will ever map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("resources[{resource}] ({kind}) `{path}`: {message}")]
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
