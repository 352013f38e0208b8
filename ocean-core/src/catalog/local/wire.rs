//! Entities as the mapping sends them, and what merging does to a stored one.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::StoredEntity;

/// An entity as Port's API takes it. What is absent is not touched by a merge; what is null is.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct WireEntity {
    #[serde(default, deserialize_with = "present")]
    pub(super) title: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) icon: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) team: Option<Value>,
    #[serde(default)]
    pub(super) properties: Map<String, Value>,
    #[serde(default)]
    pub(super) relations: Map<String, Value>,
}

// Without this serde reads an explicit null as absent.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl WireEntity {
    /// Puts the entity into `stored`, keeping what it does not mention if it is to merge.
    pub(super) fn write_into(self, stored: &mut StoredEntity, merge: bool) {
        if merge {
            if let Some(title) = self.title {
                stored.title = title;
            }
            if let Some(icon) = self.icon {
                stored.icon = icon;
            }
            if let Some(team) = self.team {
                stored.team = team;
            }
            extend(&mut stored.properties, self.properties);
            extend(&mut stored.relations, self.relations);
        } else {
            stored.title = self.title.flatten();
            stored.icon = self.icon.flatten();
            stored.team = self.team.unwrap_or_default();
            stored.properties = self.properties.into();
            stored.relations = self.relations.into();
        }
    }
}

fn extend(object: &mut Value, entries: Map<String, Value>) {
    match object {
        Value::Object(object) => object.extend(entries),
        other => *other = entries.into(),
    }
}

/// Identifiers that a resolved relation's value names.
pub(super) fn targets(value: &Value) -> Vec<&str> {
    match value {
        Value::String(target) => vec![target],
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The relation's value once `gone` does not exist any more.
pub(super) fn without(value: &Value, gone: &str) -> Value {
    match value {
        Value::Array(values) => values
            .iter()
            .filter(|value| *value != gone)
            .cloned()
            .collect(),
        value if value == gone => Value::Null,
        value => value.clone(),
    }
}
