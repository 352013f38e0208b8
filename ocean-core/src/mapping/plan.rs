//! The plan: what the results of one event change in the catalog.
//!
//! An item is parsed once for all resources that map it. Removals are what upstream makes of
//! `not passed` and `deleted`; an entity that is also upserted is not removed.

use std::{collections::HashSet, sync::Arc};

use ocean_jq::{Document, ParseError, Value};

use super::{
    Mapping,
    compile::CompiledResource,
    entity::{Purpose, build, passes},
    items::copies,
    program::Budget,
};
use crate::{
    catalog::{Entity, EntityKey},
    outcome::RawResults,
};

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
#[error("{resource}: {finding}")]
pub struct Note {
    /// The resource, such as `issue-0`.
    pub resource: Arc<str>,
    /// What there is to know.
    pub finding: Finding,
}

/// What there is to know about a mapped item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// A field came out null: nothing there, an error, or a program that does not compile.
    #[error(
        "`{path}` is null (program: {}){}",
        .program.as_deref().unwrap_or("null"),
        .error.as_ref().map(|error| format!(": {error}")).unwrap_or_default()
    )]
    Misconfigured {
        /// The field, such as `properties.status`.
        path: Arc<str>,
        /// Its program; `None` where the mapping says null itself.
        program: Option<Arc<str>>,
        /// The error, if it was one.
        error: Option<Arc<str>>,
    },
    /// The item has no identifier or no blueprint, so there is no entity.
    #[error("no entity: `identifier` or `blueprint` is empty")]
    NoIdentity,
    /// `itemsToParse` yields nothing from the item.
    #[error("skipped: {0}")]
    Skipped(String),
    /// The item yields nothing, because its selector or a field that decides about it failed.
    #[error("{0}")]
    Failed(String),
    /// A program exceeded a limit of the engine; its field is null or, for the selector, its item
    /// yields nothing.
    #[error("`{path}` exceeded a limit of mapping programs: {limit}")]
    Limit {
        /// The field.
        path: Arc<str>,
        /// Which limit.
        limit: String,
    },
}

impl Finding {
    /// Whether somebody should look: an item failed or a limit was exceeded. Fields that are null
    /// are often meant to be.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Limit { .. })
    }
}

pub(super) fn plan(mapping: &Mapping, inputs: &[PlanInput<'_>]) -> Plan {
    let draft = draft(mapping, inputs, Purpose::Remove);
    Plan {
        upserts: draft.upserts,
        deletes: draft
            .removals
            .into_iter()
            .map(|(origin, removal)| (origin, removal.key))
            .collect(),
        notes: draft.notes,
    }
}

// === Draft ===

/// A plan whose removals may still be whole entities.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) upserts: Vec<(Origin, Entity)>,
    /// Deleted items first, then those that failed their selector, as upstream has them.
    pub(super) removals: Vec<(Origin, Entity)>,
    pub(super) notes: Vec<(Origin, Note)>,
}

/// Maps all items. `removal` says how much of an entity is wanted that will only be removed.
pub(super) fn draft(mapping: &Mapping, inputs: &[PlanInput<'_>], removal: Purpose) -> Draft {
    let mut draft = Draft::default();
    let items = |input: &PlanInput<'_>| input.results.updated.len() + input.results.deleted.len();
    let mut budget = Budget::of(inputs.iter().map(items).sum());
    let mut not_passed = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        // Items are mapped one after another, so that only one is in memory in parsed form, but
        // what they yield is in the order of resources, as upstream sends it.
        let mut yields: Vec<_> = input
            .resources
            .iter()
            .map(|&resource| {
                let origin = Origin {
                    input: index,
                    resource,
                };
                Yield::new(origin, &mapping.resources[resource])
            })
            .collect();
        if yields.is_empty() {
            continue;
        }
        for raw in &input.results.updated {
            let document = Document::parse(raw.as_bytes());
            for each in &mut yields {
                each.updated(&document, removal, &mut budget);
            }
        }
        for raw in &input.results.deleted {
            let document = Document::parse(raw.as_bytes());
            for each in &mut yields {
                each.deleted(&document, removal, &mut budget);
            }
        }
        for each in yields {
            draft.upserts.extend(each.upserts);
            draft.removals.extend(each.deleted);
            not_passed.extend(each.not_passed);
            draft.notes.extend(each.notes);
        }
    }
    draft.removals.append(&mut not_passed);
    if !draft.removals.is_empty() && !draft.upserts.is_empty() {
        let kept: HashSet<_> = draft
            .upserts
            .iter()
            .map(|(_, entity)| &entity.key)
            .collect();
        draft
            .removals
            .retain(|(_, removal)| !kept.contains(&removal.key));
    }
    draft
}

// === Yield ===

/// What one resource makes of the items of one input.
struct Yield<'m> {
    origin: Origin,
    resource: &'m CompiledResource,
    upserts: Vec<(Origin, Entity)>,
    deleted: Vec<(Origin, Entity)>,
    not_passed: Vec<(Origin, Entity)>,
    notes: Vec<(Origin, Note)>,
}

impl<'m> Yield<'m> {
    fn new(origin: Origin, resource: &'m CompiledResource) -> Self {
        Self {
            origin,
            resource,
            upserts: Vec::new(),
            deleted: Vec::new(),
            not_passed: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn updated(&mut self, document: &Parsed, removal: Purpose, budget: &mut Budget) {
        self.each(
            document,
            budget,
            |this, item, budget, findings| match passes(this.resource, item, budget) {
                Ok(true) => {
                    let entity = build(this.resource, item, Purpose::Upsert, budget, findings);
                    this.upserts
                        .extend(entity.map(|entity| (this.origin, entity)));
                }
                Ok(false) => {
                    let entity = build(this.resource, item, removal, budget, findings);
                    this.not_passed
                        .extend(entity.map(|entity| (this.origin, entity)));
                }
                Err(finding) => findings.push(finding),
            },
        );
    }

    fn deleted(&mut self, document: &Parsed, removal: Purpose, budget: &mut Budget) {
        self.each(document, budget, |this, item, budget, findings| {
            let entity = build(this.resource, item, removal, budget, findings);
            this.deleted
                .extend(entity.map(|entity| (this.origin, entity)));
        });
    }

    /// Does `map` with the item, or with each of its copies.
    fn each(
        &mut self,
        document: &Parsed,
        budget: &mut Budget,
        map: impl Fn(&mut Self, &Value<'_>, &mut Budget, &mut Vec<Finding>),
    ) {
        let mut findings = Vec::new();
        match (document, &self.resource.items) {
            (Err(error), _) => {
                let message = format!("the raw item cannot be read: {error}");
                findings.push(Finding::Failed(message));
            }
            (Ok(document), None) => map(self, &document.root(), budget, &mut findings),
            (Ok(document), Some(items)) => match copies(items, &document.root(), budget) {
                Ok(copies) => copies.for_each(|copy| map(self, &copy, budget, &mut findings)),
                Err(finding) => findings.push(finding),
            },
        }
        let notes = findings.into_iter().map(|finding| {
            let resource = self.resource.label.clone();
            (self.origin, Note { resource, finding })
        });
        self.notes.extend(notes);
    }
}

type Parsed = Result<Document, ParseError>;
