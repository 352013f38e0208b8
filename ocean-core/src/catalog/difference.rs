//! What a write would change about an entity, for previews.

use std::{collections::BTreeSet, fmt};

use serde_json::{Map, Value};

/// What a write would change.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Difference {
    /// The entity does not exist yet.
    New,
    /// These fields; none if the entity is as it would be.
    Fields(Vec<FieldChange>),
}

/// A field that would change; `null` where it is absent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FieldChange {
    path: String,
    from: Value,
    to: Value,
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, from, to } = self;
        write!(f, "{path}: {from} -> {to}")
    }
}

impl Difference {
    /// Between an entity as it stands and as the mapping made it. With `merge`, what the mapping
    /// does not mention stays. As the catalog has it, null is the same as absent and the order of
    /// teams means nothing.
    pub(crate) fn between(current: Option<&Value>, wanted: &Value, merge: bool) -> Self {
        let Some(current) = current else {
            return Self::New;
        };
        let mut fields = Vec::new();
        let mut compare = |path: String, from: &Value, to: &Value| {
            if sorted_team(&path, from) != sorted_team(&path, to) {
                let (from, to) = (from.clone(), to.clone());
                fields.push(FieldChange { path, from, to });
            }
        };
        let is_kept = |mentioned: bool| merge && !mentioned;
        for field in ["title", "icon", "team"] {
            if !is_kept(wanted.get(field).is_some()) {
                compare(field.to_owned(), &current[field], &wanted[field]);
            }
        }
        let none = Map::new();
        for part in ["properties", "relations"] {
            let from = current[part].as_object().unwrap_or(&none);
            let to = wanted[part].as_object().unwrap_or(&none);
            let names: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
            for name in names {
                if !is_kept(to.contains_key(name)) {
                    let value = |of: &Map<String, Value>| of.get(name).cloned().unwrap_or_default();
                    compare(format!("{part}.{name}"), &value(from), &value(to));
                }
            }
        }
        Self::Fields(fields)
    }
}

fn sorted_team(path: &str, value: &Value) -> Value {
    match value {
        Value::Array(teams) if path == "team" => {
            let mut teams = teams.clone();
            teams.sort_by_key(Value::to_string);
            Value::Array(teams)
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(wanted: &Value, merge: bool, expected: &[&str]) {
        let current = json!({
            "identifier": "A", "blueprint": "b", "title": "T", "icon": null, "team": ["x", "y"],
            "properties": {"one": 1, "two": [2], "none": null}, "relations": {"to": "B"},
        });
        let Difference::Fields(fields) = Difference::between(Some(&current), wanted, merge) else {
            panic!("it exists");
        };
        let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
        assert_eq!(fields, expected);
    }

    #[test]
    fn with_merge_only_what_is_mentioned_can_change() {
        check(&json!({"identifier": "A", "blueprint": "b"}), true, &[]);
        let wanted =
            json!({"title": "T", "team": ["y", "x"], "properties": {"one": 1, "new": null}});
        check(&wanted, true, &[]);
        let wanted = json!({"title": "U", "properties": {"one": 2, "two": [2], "three": "3"},
            "relations": {"to": null}});
        check(
            &wanted,
            true,
            &[
                r#"title: "T" -> "U""#,
                "properties.one: 1 -> 2",
                r#"properties.three: null -> "3""#,
                r#"relations.to: "B" -> null"#,
            ],
        );
    }

    #[test]
    fn without_merge_what_is_not_mentioned_goes() {
        let wanted = json!({"title": "T", "team": "x", "properties": {"one": 1}});
        check(
            &wanted,
            false,
            &[
                r#"team: ["x","y"] -> "x""#,
                "properties.two: [2] -> null",
                r#"relations.to: "B" -> null"#,
            ],
        );
    }

    #[test]
    fn an_entity_that_is_not_there_is_new() {
        assert_eq!(Difference::between(None, &json!({}), true), Difference::New);
    }
}
