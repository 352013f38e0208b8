//! A stand-in of Port's API: entities with owners, bulk calls, search, integration and blueprints,
//! as far as the client uses them (facts from Port's public OpenAPI).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use ocean_core::dev::{ApiRequest, ApiResponse};
use serde_json::{Map, Value, json};

use crate::stand_in::StandIn;

/// The stand-in and what it holds.
pub struct Port {
    /// The server, to fail it on command and see its calls.
    pub server: StandIn,
    state: Arc<Mutex<Organization>>,
}

/// What the stand-in holds.
#[derive(Debug, Default)]
pub(crate) struct Organization {
    app_config: Value,
    entities: BTreeMap<(String, String), Entity>,
    blueprints: BTreeMap<String, Value>,
    integration: Option<Value>,
    flags: Vec<String>,
    /// Every confirmed write in order: `+ issue/OPS-7` or `- issue/OPS-7`.
    writes: Vec<String>,
    /// Identifier and properties of every upsert, in order.
    history: Vec<(String, Value)>,
    shipments: Vec<Value>,
    url: String,
}

#[derive(Clone, Debug)]
struct Entity {
    wire: Value,
    datasource: String,
}

impl Port {
    /// A Port organisation whose integration has this app config.
    pub async fn start(app_config: Value) -> anyhow::Result<Self> {
        let state = Arc::new(Mutex::new(Organization::new(app_config)));
        let shared = Arc::clone(&state);
        let answer =
            move |call: &ApiRequest| shared.lock().expect("no panic while held").answer(call);
        let server = StandIn::start(answer).await?;
        let port = Self { server, state };
        port.lock().set_url(port.server.url());
        Ok(port)
    }

    /// Replaces the app config.
    pub fn set_app_config(&self, app_config: Value) {
        self.lock().app_config = app_config;
    }

    /// Sets the organisation's feature flags.
    pub fn set_flags(&self, flags: &[&str]) {
        self.lock().flags = flags.iter().map(|&flag| flag.to_owned()).collect();
    }

    /// Forgets the integration, as for a new installation.
    pub fn forget_integration(&self) {
        let mut state = self.lock();
        state.integration = None;
        state.app_config = Value::Null;
    }

    /// Puts an entity there as if this datasource had written it.
    pub fn put(&self, blueprint: &str, identifier: &str, datasource: &str) {
        let wire = json!({"identifier": identifier, "blueprint": blueprint});
        let entity = Entity {
            wire,
            datasource: datasource.to_owned(),
        };
        self.lock()
            .entities
            .insert((blueprint.to_owned(), identifier.to_owned()), entity);
    }

    /// Sets a property as a person would in Port.
    pub fn edit(&self, blueprint: &str, identifier: &str, property: &str, value: &Value) {
        let key = (blueprint.to_owned(), identifier.to_owned());
        let mut state = self.lock();
        let entity = state.entities.get_mut(&key).expect("it was written");
        entity.wire["properties"][property] = value.clone();
    }

    /// The entity as it was last written.
    pub fn entity(&self, blueprint: &str, identifier: &str) -> Option<Value> {
        let key = (blueprint.to_owned(), identifier.to_owned());
        self.lock()
            .entities
            .get(&key)
            .map(|entity| entity.wire.clone())
    }

    /// All entities as `blueprint/identifier`.
    pub fn entities(&self) -> Vec<String> {
        self.lock()
            .entities
            .keys()
            .map(|(b, i)| format!("{b}/{i}"))
            .collect()
    }

    /// Every confirmed write in order: `+ issue/OPS-7` or `- issue/OPS-7`.
    pub fn writes(&self) -> Vec<String> {
        self.lock().writes.clone()
    }

    /// Identifier and properties of every upsert, in order.
    pub fn history(&self) -> Vec<(String, Value)> {
        self.lock().history.clone()
    }

    /// The blueprints created so far.
    pub fn blueprints(&self) -> Vec<String> {
        self.lock().blueprints.keys().cloned().collect()
    }

    /// The raw items shipped to the lake.
    pub fn shipments(&self) -> Vec<Value> {
        self.lock().shipments.clone()
    }

    /// The app config as the stand-in holds it.
    pub fn app_config(&self) -> Value {
        self.lock().app_config.clone()
    }

    /// Waits until the entity is there.
    pub async fn until_entity(&self, blueprint: &str, identifier: &str) -> Value {
        let what = format!("{blueprint}/{identifier} is in the catalog");
        self.server
            .until(&what, || self.entity(blueprint, identifier).is_some())
            .await;
        self.entity(blueprint, identifier).expect("waited for")
    }

    /// Waits until the entity is gone.
    pub async fn until_gone(&self, blueprint: &str, identifier: &str) {
        let what = format!("{blueprint}/{identifier} is gone from the catalog");
        self.server
            .until(&what, || self.entity(blueprint, identifier).is_none())
            .await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Organization> {
        self.state.lock().expect("no panic while held")
    }
}

impl Organization {
    /// An organisation whose integration has this app config.
    pub(crate) fn new(app_config: Value) -> Self {
        Self {
            app_config,
            integration: Some(json!({})),
            ..Self::default()
        }
    }

    /// Says under which address it is reached.
    pub(crate) fn set_url(&mut self, url: String) {
        self.url = url;
    }

    /// Answers a call.
    pub(crate) fn answer(&mut self, call: &ApiRequest) -> ApiResponse {
        let path = call.path.trim_start_matches('/').trim_start_matches("v1/");
        let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let body: Value = serde_json::from_slice(&call.body).unwrap_or(Value::Null);
        match (call.method.as_str(), segments.as_slice()) {
            ("POST", ["auth", "access_token"]) => ok(&json!({
                "ok": true, "accessToken": "token", "expiresIn": 10_800, "tokenType": "Bearer"
            })),
            ("GET", ["organization"]) => ok(&json!({
                "ok": true, "organization": {"id": "org_1", "featureFlags": self.flags}
            })),
            ("GET", ["integration", "provision-enabled"]) => {
                ok(&json!({"ok": true, "integrations": []}))
            }
            ("GET", ["integration", _]) => self.integration_view(),
            ("POST", ["integration"]) => {
                self.app_config = body["config"].clone();
                self.integration = Some(body);
                self.integration_view()
            }
            ("PATCH", ["integration", _]) => {
                if body["config"].is_object() {
                    self.app_config = body["config"].clone();
                }
                if let (Some(Value::Object(known)), Value::Object(new)) =
                    (&mut self.integration, body)
                {
                    known.extend(new);
                }
                self.integration_view()
            }
            ("PATCH", ["integration", _, "config"]) => {
                self.app_config = body["config"].clone();
                self.integration_view()
            }
            ("GET", ["blueprints", id]) => match self.blueprints.get(*id) {
                Some(blueprint) => ok(&json!({"ok": true, "blueprint": blueprint})),
                None => not_found(),
            },
            ("POST", ["blueprints"]) => {
                let id = body["identifier"].as_str().unwrap_or_default().to_owned();
                self.blueprints.insert(id, body.clone());
                ok(&json!({"ok": true, "blueprint": body}))
            }
            ("PATCH" | "PUT", ["blueprints", id]) => {
                self.blueprints.insert((*id).to_owned(), body.clone());
                ok(&json!({"ok": true, "blueprint": body}))
            }
            ("DELETE", ["blueprints", id]) => {
                self.blueprints.remove(*id);
                ok(&json!({"ok": true}))
            }
            ("POST", ["blueprints", blueprint, "entities", "bulk"]) => {
                let entities = body["entities"].as_array().cloned().unwrap_or_default();
                let written: Vec<_> = entities
                    .into_iter()
                    .enumerate()
                    .map(|(index, entity)| {
                        let (identifier, created) = self.upsert(blueprint, entity, call);
                        json!({"identifier": identifier, "index": index, "created": created})
                    })
                    .collect();
                ok(&json!({"ok": true, "maxBulkSize": 20, "entities": written, "errors": []}))
            }
            ("POST", ["blueprints", blueprint, "entities"]) => {
                self.upsert(blueprint, body.clone(), call);
                ok(&json!({"ok": true, "entity": body}))
            }
            ("POST", ["blueprints", blueprint, "bulk", "entities", "delete"]) => {
                let ids = body["entities"].as_array().cloned().unwrap_or_default();
                let deleted: Vec<_> = ids
                    .iter()
                    .filter_map(Value::as_str)
                    .filter(|id| self.delete(blueprint, id))
                    .collect();
                ok(&json!({"ok": true, "deletedEntities": deleted, "maxBulkSize": 100}))
            }
            ("DELETE", ["blueprints", blueprint, "entities", id]) => {
                if self.delete(blueprint, id) {
                    ok(&json!({"ok": true}))
                } else {
                    not_found()
                }
            }
            ("POST", ["entities", "search"]) => {
                let found: Vec<_> = self
                    .entities
                    .values()
                    .filter(|entity| matches(&body, entity))
                    .map(|entity| entity.wire.clone())
                    .collect();
                ok(&json!({"ok": true, "entities": found}))
            }
            ("GET", ["ingest"]) => ok(&json!({"ingestUrl": format!("{}/lake", self.url)})),
            ("POST", ["lake", ..]) => {
                self.shipments.push(body);
                ok(&json!({"ok": true}))
            }
            _ => ok(&json!({"ok": true})),
        }
    }

    fn integration_view(&self) -> ApiResponse {
        let Some(integration) = &self.integration else {
            return not_found();
        };
        let mut view: Map<String, Value> = integration.as_object().cloned().unwrap_or_default();
        view.insert("config".to_owned(), self.app_config.clone());
        view.entry("installationType").or_insert(json!("OnPrem"));
        view.insert(
            "ingestAttributes".to_owned(),
            json!({
                "ingestUrl": format!("{}/v1/ingest", self.url)
            }),
        );
        ok(&json!({"ok": true, "integration": view}))
    }

    fn upsert(&mut self, blueprint: &str, entity: Value, call: &ApiRequest) -> (String, bool) {
        let identifier = match &entity["identifier"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let merge = call
            .query
            .iter()
            .any(|(name, value)| name == "merge" && value == "true");
        self.writes.push(format!("+ {blueprint}/{identifier}"));
        self.history
            .push((identifier.clone(), entity["properties"].clone()));
        let key = (blueprint.to_owned(), identifier.clone());
        let old = self.entities.get(&key).map(|old| old.wire.clone());
        let created = old.is_none();
        let wire = match old {
            Some(old) if merge => merged(old, entity),
            _ => entity,
        };
        let datasource = call
            .headers
            .get("user-agent")
            .unwrap_or_default()
            .to_owned();
        self.entities.insert(key, Entity { wire, datasource });
        (identifier, created)
    }

    fn delete(&mut self, blueprint: &str, identifier: &str) -> bool {
        let key = (blueprint.to_owned(), identifier.to_owned());
        let existed = self.entities.remove(&key).is_some();
        if existed {
            self.writes.push(format!("- {blueprint}/{identifier}"));
        }
        existed
    }
}

fn merged(mut old: Value, new: Value) -> Value {
    let (Some(into), Value::Object(from)) = (old.as_object_mut(), new) else {
        return old;
    };
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => old.extend(new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
    old
}

/// Evaluates a search object: nested combinators, `=`, `in` and `contains`.
fn matches(search: &Value, entity: &Entity) -> bool {
    if let Some(rules) = search["rules"].as_array() {
        return if search["combinator"] == "or" {
            rules.iter().any(|rule| matches(rule, entity))
        } else {
            rules.iter().all(|rule| matches(rule, entity))
        };
    }
    let subject = match search["property"].as_str() {
        Some("$identifier") => entity.wire["identifier"].as_str(),
        Some("$blueprint") => entity.wire["blueprint"].as_str(),
        Some("$datasource") => Some(entity.datasource.as_str()),
        _ => None,
    };
    let (Some(subject), value) = (subject, &search["value"]) else {
        return false;
    };
    match search["operator"].as_str() {
        Some("=") => value == subject,
        Some("in") => value
            .as_array()
            .is_some_and(|values| values.iter().any(|v| v == subject)),
        Some("contains") => value.as_str().is_some_and(|part| subject.contains(part)),
        _ => false,
    }
}

fn ok(value: &Value) -> ApiResponse {
    ApiResponse::json(value)
}

fn not_found() -> ApiResponse {
    ApiResponse {
        status: 404,
        headers: Vec::new(),
        body: r#"{"ok":false,"error":"not_found","message":"not found"}"#.into(),
    }
}
