//! The report: what the mapping makes of raw items, for the command `map` and for people.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    Finding, Mapping, PlanInput,
    entity::Purpose,
    plan::{Note, draft},
};
use crate::{catalog::Entity, outcome::RawResults, raw::Raw};

/// What the mapping makes of raw items. Its JSON has the keys `upsert`, `delete`, `errors` and
/// `misconfigured`; its text is for people.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Entities that would be written, in the order of the items.
    pub upsert: Vec<Entity>,
    /// Entities that would be removed, in full.
    pub delete: Vec<Entity>,
    /// Why items or fields failed, one text each.
    pub errors: Vec<String>,
    /// Fields that came out null, and their programs; null where the mapping says null itself.
    pub misconfigured: BTreeMap<Arc<str>, Option<Arc<str>>>,
    /// Why items yielded nothing without an error.
    #[serde(skip)]
    pub skipped: Vec<String>,
}

/// The mapping has nothing to say about a kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mapping has no resource of kind `{kind}`; its kinds are {}", .kinds.join(", "))]
pub struct NoResource {
    /// The kind asked for.
    pub kind: String,
    /// The kinds of the mapping.
    pub kinds: Vec<String>,
}

/// Maps `results` with every resource of `kind`, as an event with these results would be.
///
/// ```
/// use ocean_core::{Raw, RawResults, mapping::{Mapping, MappingOptions, report}};
/// use serde_json::json;
///
/// let config = json!({"resources": [{
///     "kind": "issue",
///     "selector": {"query": ".open"},
///     "port": {"entity": {"mappings": {
///         "identifier": ".key", "blueprint": "'task'", "title": ".name",
///     }}},
/// }]});
/// let mapping = Mapping::compile(&config, &MappingOptions::default()).unwrap();
/// let items = RawResults::updated([Raw::new(&json!({"key": "OPS-7", "open": true}))]);
/// assert_eq!(
///     serde_json::to_value(report(&mapping, "issue", &items).unwrap()).unwrap(),
///     json!({
///         "upsert": [{"identifier": "OPS-7", "blueprint": "task", "title": null}],
///         "delete": [],
///         "errors": [],
///         "misconfigured": {"title": ".name"},
///     }),
/// );
/// ```
///
/// # Errors
/// The mapping has no resource of this kind.
pub fn report(mapping: &Mapping, kind: &str, results: &RawResults) -> Result<Report, NoResource> {
    let resources: Vec<_> = mapping
        .resources()
        .filter(|resource| &*resource.kind == kind)
        .map(|resource| resource.index)
        .collect();
    if resources.is_empty() {
        let mut kinds: Vec<_> = mapping
            .resources()
            .map(|each| each.kind.to_string())
            .collect();
        kinds.dedup();
        return Err(NoResource {
            kind: kind.to_owned(),
            kinds,
        });
    }
    let input = PlanInput {
        resources: &resources,
        results,
    };
    let draft = draft(mapping, &[input], Purpose::ShowRemoval);
    let mut report = Report {
        upsert: draft
            .upserts
            .into_iter()
            .map(|(_, entity)| entity)
            .collect(),
        delete: draft
            .removals
            .into_iter()
            .map(|(_, entity)| entity)
            .collect(),
        ..Report::default()
    };
    for (_, note) in draft.notes {
        report.add(note);
    }
    Ok(report)
}

/// Reads what `map` is given: one object, or an array of objects.
///
/// # Errors
/// The text is neither.
pub fn read_items(text: &[u8]) -> Result<Vec<Raw>, serde_json::Error> {
    let value: &RawValue = serde_json::from_slice(text)?;
    if value.get().starts_with('[') {
        serde_json::from_str(value.get())
    } else {
        Raw::parse(value.get().to_owned()).map(|raw| vec![raw])
    }
}

// === impl Report ===

impl Report {
    fn add(&mut self, note: Note) {
        if note.finding.is_error() {
            self.errors.push(note.to_string());
        }
        match note.finding {
            Finding::Misconfigured { path, program, .. } => {
                self.misconfigured.insert(path, program);
            }
            Finding::NoIdentity | Finding::Skipped(_) => self.skipped.push(note.to_string()),
            Finding::Failed(_) | Finding::Limit { .. } => {}
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entity in &self.upsert {
            write_entity(f, "upsert", entity)?;
        }
        for entity in &self.delete {
            write_entity(f, "delete", entity)?;
        }
        for error in &self.errors {
            writeln!(f, "error  {error}")?;
        }
        for reason in &self.skipped {
            writeln!(f, "none   {reason}")?;
        }
        for (path, program) in &self.misconfigured {
            let program = program.as_deref().unwrap_or("null");
            writeln!(f, "null   {path}: {program}")?;
        }
        write!(
            f,
            "{} to upsert, {} to delete, {} failed, {} skipped",
            self.upsert.len(),
            self.delete.len(),
            self.errors.len(),
            self.skipped.len(),
        )
    }
}

fn write_entity(f: &mut fmt::Formatter<'_>, change: &str, entity: &Entity) -> fmt::Result {
    writeln!(f, "{change} {}", entity.key)?;
    let fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&entity.json).map_err(|_| fmt::Error)?;
    for (name, value) in &fields {
        match value {
            // One property a line; what is deeper is read better as JSON.
            serde_json::Value::Object(entries)
                if ["properties", "relations"].contains(&&**name) =>
            {
                writeln!(f, "       {name}")?;
                for (key, value) in entries {
                    writeln!(f, "         {key}: {value}")?;
                }
            }
            value => writeln!(f, "       {name}: {value}")?,
        }
    }
    Ok(())
}
