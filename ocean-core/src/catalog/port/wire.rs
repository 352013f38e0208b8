//! Bodies that Port sends and takes (Port's public OpenAPI; see also the facts about upstream).

use std::fmt::Write as _;

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::catalog::batch::Item;

/// `{"entities":[…]}` of entities that are JSON already.
pub(super) fn bulk_body(items: &[Item]) -> Bytes {
    let length: usize = items.iter().map(|item| item.json.len() + 1).sum();
    let mut body = BytesMut::with_capacity(length + 16);
    body.put_slice(br#"{"entities":["#);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            body.put_u8(b',');
        }
        body.put_slice(&item.json);
    }
    body.put_slice(b"]}");
    body.freeze()
}

/// Answer to a bulk upsert, 200 or 207.
#[derive(Debug, Deserialize)]
pub(super) struct BulkAnswer {
    #[serde(default)]
    pub(super) entities: Vec<WrittenEntity>,
    #[serde(default)]
    pub(super) errors: Vec<RefusedEntity>,
}

/// An entity that was written.
#[derive(Debug, Deserialize)]
pub(super) struct WrittenEntity {
    pub(super) index: usize,
    #[serde(default)]
    pub(super) created: bool,
}

/// An entity that was not written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefusedEntity {
    pub(super) index: usize,
    #[serde(default)]
    pub(super) identifier: Value,
    #[serde(default)]
    pub(super) status_code: u16,
    #[serde(default)]
    pub(super) error: String,
    #[serde(default)]
    pub(super) message: String,
}

/// Answer to a bulk delete.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteAnswer {
    pub(super) deleted_entities: Vec<String>,
}

/// Answer to a search.
#[derive(Debug, Deserialize)]
pub(super) struct SearchAnswer {
    #[serde(default)]
    pub(super) entities: Vec<FoundEntity>,
}

/// An entity that a search found.
#[derive(Debug, Deserialize)]
pub(super) struct FoundEntity {
    pub(super) identifier: String,
    #[serde(default)]
    pub(super) relations: serde_json::Map<String, Value>,
}

impl FoundEntity {
    /// Identifiers of the entities it relates to.
    pub(super) fn targets(&self) -> Vec<String> {
        let mut targets = Vec::new();
        for value in self.relations.values() {
            match value {
                Value::String(target) => targets.push(target.clone()),
                Value::Array(values) => {
                    let texts = values.iter().filter_map(Value::as_str);
                    targets.extend(texts.map(str::to_owned));
                }
                _ => {}
            }
        }
        targets
    }
}

/// Whose entities a search may find.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub(super) prefix: String,
    pub(super) suffix: String,
}

impl Owner {
    /// The body of a search for entities of `blueprint` that match `rule` and are ours. The version
    /// is left out of the data source, so that upgrades keep ownership.
    pub(super) fn search(&self, blueprint: &str, rule: Value) -> Value {
        json!({"combinator": "and", "rules": [
            rule,
            {"property": "$blueprint", "operator": "=", "value": blueprint},
            {"property": "$datasource", "operator": "contains", "value": self.prefix},
            {"property": "$datasource", "operator": "contains", "value": self.suffix},
        ]})
    }
}

/// The rule that finds these identifiers.
pub(super) fn identifier_rule(identifiers: &[&str]) -> Value {
    match identifiers {
        // One is asked for as upstream does.
        [one] => json!({"property": "$identifier", "operator": "=", "value": one}),
        many => json!({"property": "$identifier", "operator": "in", "value": many}),
    }
}

impl RefusedEntity {
    pub(super) fn text(&self) -> String {
        let mut text = String::from("Port refuses the entity");
        if self.status_code != 0 {
            let _ = write!(text, " ({})", self.status_code);
        }
        for part in [&self.error, &self.message] {
            if !part.is_empty() {
                let _ = write!(text, ": {part}");
            }
        }
        text
    }
}
