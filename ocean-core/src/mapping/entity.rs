//! The entity: one item, mapped by one resource, in wire form.
//!
//! Each program reads the same parsed item and its first output goes straight into the entity's
//! bytes. An error, no output, or a program that does not compile leaves null and a finding.

use std::sync::Arc;

use ocean_jq::{Kind, Value};

use super::{
    compile::{CompiledResource, Field, Leaf, Node, Role},
    plan::Finding,
    program::{Budget, Fault},
    wire,
};
use crate::catalog::{Entity, EntityKey, Identifier};

/// What an entity is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It will be written, so it needs all of its fields.
    Upsert,
    /// It will be removed, for which its identifier and blueprint are enough.
    Remove,
    /// It will be removed, and somebody wants to see all of it.
    ShowRemoval,
}

/// Whether the resource takes `item`: the first output of its selector, which must be true or
/// false.
pub(super) fn passes(
    resource: &CompiledResource,
    item: &Value<'_>,
    budget: &mut Budget,
) -> Result<bool, Finding> {
    let leaf = &resource.query;
    let failed = |what: &str| Finding::Failed(format!("`{}` {what}", leaf.path));
    match leaf.first(item, budget) {
        Ok(Some(value)) => value.as_bool().ok_or_else(|| {
            let what = wire::describe(&value);
            failed(&format!("gave {what}; it must give true or false"))
        }),
        Ok(None) => Err(failed("gave nothing; it must give true or false")),
        Err(Fault::Limit(limit)) => Err(leaf.exceeded(limit)),
        Err(Fault::Error(error)) => Err(failed(&format!("failed: {error}"))),
    }
}

/// Builds the entity that the resource makes of `item`. `None` means that there is none; why is
/// among the findings.
pub(super) fn build<'b>(
    resource: &'b CompiledResource,
    item: &'b Value<'b>,
    purpose: Purpose,
    budget: &'b mut Budget,
    findings: &'b mut Vec<Finding>,
) -> Option<Entity> {
    let mut builder = Builder {
        item,
        purpose,
        budget,
        findings,
        // Enough for an ordinary entity; a larger one grows it a few times.
        out: Vec::with_capacity(1024),
        identifier: None,
        blueprint: None,
        failure: None,
    };
    for field in &resource.fields {
        let names = matches!(field.role, Role::Identifier | Role::Blueprint);
        if names || purpose != Purpose::Remove {
            builder.field(field);
        }
    }
    builder.finish()
}

struct Builder<'b> {
    item: &'b Value<'b>,
    purpose: Purpose,
    budget: &'b mut Budget,
    findings: &'b mut Vec<Finding>,
    out: Vec<u8>,
    identifier: Option<Identifier>,
    blueprint: Option<Arc<str>>,
    // Told only of an item that has an identity: what makes no entity cannot have a bad one.
    failure: Option<Finding>,
}

impl<'b> Builder<'b> {
    fn field(&mut self, field: &'b Field) {
        let start = self.out.len();
        self.out.push(if start == 0 { b'{' } else { b',' });
        self.out.extend_from_slice(field.key.as_bytes());
        match (field.role, &field.node) {
            (Role::Identifier, Node::Leaf(leaf)) => {
                self.identifier = self.naming_leaf(leaf, Identifier::Text, Identifier::Json);
            }
            (Role::Identifier, node) => {
                // A search object; it always has its keys, so it is never empty.
                let from = self.out.len();
                self.node(node);
                self.identifier = Some(Identifier::Json(self.written_since(from)));
            }
            (Role::Blueprint, Node::Leaf(leaf)) => {
                self.blueprint = self.naming_leaf(leaf, |text| text, |json| json);
            }
            (Role::Icon, Node::Leaf(leaf)) => {
                let value = self.value(leaf);
                if matches!(value.kind(), Kind::Array | Kind::Object) {
                    self.refuse_icon(leaf, wire::describe(&value), start);
                } else {
                    self.write_as_text(&value);
                }
            }
            (Role::Team, Node::Leaf(leaf)) => {
                let value = self.value(leaf);
                self.write_as_text(&value);
            }
            (_, node) => self.node(node),
        }
    }

    /// Writes a field that names the entity, and keeps what it says if it says anything: null,
    /// false, 0 and what is empty name nothing.
    fn naming_leaf<T>(
        &mut self,
        leaf: &'b Leaf,
        text: impl FnOnce(Arc<str>) -> T,
        json: impl FnOnce(Arc<str>) -> T,
    ) -> Option<T> {
        // Spares a run and a copy of the same few bytes for each entity.
        if let Some(name) = leaf.constant.as_ref().filter(|name| !name.is_empty()) {
            wire::write_str(name, &mut self.out);
            return Some(text(name.clone()));
        }
        let value = self.value(leaf);
        let from = self.out.len();
        wire::write(&value, &mut self.out);
        if !is_truthy(&value) {
            return None;
        }
        Some(match value.as_str() {
            Some(name) => text(name.into()),
            None => json(self.written_since(from)),
        })
    }

    fn node(&mut self, node: &'b Node) {
        match node {
            Node::Null(path) => {
                self.findings.push(Finding::Misconfigured {
                    path: path.clone(),
                    program: None,
                    error: None,
                });
                self.out.extend_from_slice(b"null");
            }
            Node::Leaf(leaf) => {
                let value = self.value(leaf);
                wire::write(&value, &mut self.out);
            }
            Node::Object(entries) => {
                self.out.push(b'{');
                for (index, (key, node)) in entries.iter().enumerate() {
                    if index > 0 {
                        self.out.push(b',');
                    }
                    self.out.extend_from_slice(key.as_bytes());
                    self.node(node);
                }
                self.out.push(b'}');
            }
            Node::List(elements) => {
                self.out.push(b'[');
                for (index, node) in elements.iter().enumerate() {
                    if index > 0 {
                        self.out.push(b',');
                    }
                    self.node(node);
                }
                self.out.push(b']');
            }
        }
    }

    /// The first output of the leaf's program; null, with a finding, if there is none.
    fn value(&mut self, leaf: &'b Leaf) -> Value<'b> {
        let (value, error) = match leaf.first(self.item, self.budget) {
            Ok(value) => (value.unwrap_or(Value::NULL), None),
            Err(Fault::Limit(limit)) => {
                self.findings.push(leaf.exceeded(limit));
                return Value::NULL;
            }
            Err(Fault::Error(error)) => (Value::NULL, Some(error)),
        };
        if wire::is_null(&value) {
            self.findings.push(Finding::Misconfigured {
                path: leaf.path.clone(),
                program: Some(leaf.text.clone()),
                error,
            });
        }
        value
    }

    fn write_as_text(&mut self, value: &Value<'_>) {
        match wire::python_text(value) {
            Some(text) if !wire::is_null(value) => wire::write_str(&text, &mut self.out),
            _ => wire::write(value, &mut self.out),
        }
    }

    /// An icon must be text; what is to be removed needs none.
    fn refuse_icon(&mut self, leaf: &Leaf, what: &str, start: usize) {
        self.out.truncate(start);
        if self.purpose == Purpose::Upsert {
            let message = format!("`{}` gave {what}; it must give text or null", leaf.path);
            self.failure = Some(Finding::Failed(message));
        }
    }

    fn written_since(&self, from: usize) -> Arc<str> {
        String::from_utf8_lossy(&self.out[from..]).into()
    }

    fn finish(mut self) -> Option<Entity> {
        self.out.push(b'}');
        let (Some(blueprint), Some(identifier)) = (self.blueprint, self.identifier) else {
            self.findings.push(Finding::NoIdentity);
            return None;
        };
        if let Some(failure) = self.failure {
            self.findings.push(failure);
            return None;
        }
        let key = EntityKey {
            blueprint,
            identifier,
        };
        let json = self.out.into();
        Some(Entity { key, json })
    }
}

/// Python's idea of what is true: not null, false, 0, or anything empty.
fn is_truthy(value: &Value<'_>) -> bool {
    match value.kind() {
        Kind::Null => false,
        Kind::Boolean => value.is_truthy(),
        Kind::Number => value
            .as_f64()
            .is_some_and(|double| double != 0.0 && !double.is_nan()),
        Kind::String => value.as_str().is_some_and(|text| !text.is_empty()),
        Kind::Array | Kind::Object => value.is_empty() == Some(false),
    }
}
