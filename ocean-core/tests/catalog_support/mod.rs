//! A stand-in of Port that keeps entities, and fails on command at any call.

#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "shared by test crates, each of which uses a part, and by tests only"
)]

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use ocean_core::{
    catalog::{
        BatchOptions, Catalog, CatalogError, ChangeSet, Entity, EntityKey, Identifier,
        IntegrationName, PortCatalog, PortOptions, Written,
    },
    http::HttpOptions,
    supervisor::Supervisor,
};
use serde_json::{Value, json};

use crate::loopback::{Call, Loopback, Reply};

/// What happens instead of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// This reply; nothing is done.
    Instead(Reply),
    /// The call is done, and the connection breaks before the answer.
    Lost,
    /// The call is done, and the answer takes a while.
    Slow(Duration),
}

/// The calls of the API that the client makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum At {
    Token,
    Bulk,
    Single,
    Search,
    Delete,
    Blueprint,
    Extra,
    Integration,
    Organization,
    Provision,
    Lake,
}

#[derive(Default)]
pub(crate) struct World {
    /// Blueprint and identifier: the entity and its data source.
    pub(crate) entities: BTreeMap<(String, String), (Value, String)>,
    pub(crate) integration: Option<Value>,
    pub(crate) blueprints: BTreeMap<String, Value>,
    pub(crate) flags: Vec<String>,
    pub(crate) provisioned: Vec<String>,
    /// `+ issue/OPS-7` and `- issue/OPS-7`, as done.
    pub(crate) writes: Vec<String>,
    /// Values of `properties.v` in the order written, by entity.
    pub(crate) history: HashMap<String, Vec<i64>>,
    /// Tokens handed out so far; only the last one is valid.
    pub(crate) tokens: u32,
    pub(crate) expires_in: u64,
    faults: HashMap<At, VecDeque<Fault>>,
    chaos: Option<fn() -> Option<Fault>>,
    base: String,
}

pub(crate) struct FakePort {
    pub(crate) server: Loopback,
    world: Arc<Mutex<World>>,
}

impl FakePort {
    pub(crate) async fn start() -> Self {
        let world = Arc::new(Mutex::new(World {
            expires_in: 10_800,
            ..World::default()
        }));
        let shared = world.clone();
        let server = Loopback::start(move |call| shared.lock().unwrap().answer(call)).await;
        world.lock().unwrap().base = server.url("");
        Self { server, world }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// The next calls there meet these faults, one each.
    pub(crate) fn fail(&self, at: At, faults: impl IntoIterator<Item = Fault>) {
        self.world().faults.entry(at).or_default().extend(faults);
    }

    pub(crate) fn fail_with_status(&self, at: At, statuses: &[u16]) {
        let faults = statuses.iter().map(|s| Fault::Instead(Reply::status(*s)));
        self.fail(at, faults);
    }

    /// Each call meets what `fault` says.
    pub(crate) fn chaos(&self, fault: Option<fn() -> Option<Fault>>) {
        self.world().chaos = fault;
    }

    pub(crate) fn count(&self, at: At) -> usize {
        let calls = self.server.calls();
        calls.iter().filter(|call| At::of(call) == at).count()
    }

    pub(crate) fn last(&self, at: At) -> Call {
        let mut calls = self.server.calls();
        calls.retain(|call| At::of(call) == at);
        calls.pop().unwrap()
    }

    pub(crate) fn options(&self) -> PortOptions {
        let integration = IntegrationName {
            kind: "jira".to_owned(),
            identifier: "my-jira".to_owned(),
            version: "0.1.0".to_owned(),
        };
        let url = self.server.url("/").parse().unwrap();
        PortOptions {
            batch: BatchOptions::default(),
            http: HttpOptions {
                timeout: Duration::from_millis(400),
                base_delay: Duration::from_millis(1),
                max_delay: Duration::from_millis(100),
                ..PortOptions::http_defaults()
            },
            ..PortOptions::new(url, "id", "secret", integration)
        }
    }

    pub(crate) fn catalog(&self) -> Harness {
        self.catalog_with(self.options())
    }

    pub(crate) fn catalog_with(&self, options: PortOptions) -> Harness {
        let supervisor = Supervisor::default();
        let catalog = PortCatalog::start(options, Arc::default(), &supervisor).unwrap();
        Harness {
            catalog,
            _supervisor: supervisor,
        }
    }

    pub(crate) fn ours() -> String {
        "port-ocean/jira/0.0.9/my-jira/exporter".to_owned()
    }

    pub(crate) fn put(
        &self,
        blueprint: &str,
        identifier: &str,
        datasource: &str,
        relations: Value,
    ) {
        let wire =
            json!({"identifier": identifier, "blueprint": blueprint, "relations": relations});
        self.world().entities.insert(
            (blueprint.to_owned(), identifier.to_owned()),
            (wire, datasource.to_owned()),
        );
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        let world = self.world();
        let keys = world.entities.keys();
        keys.map(|(blueprint, id)| format!("{blueprint}/{id}"))
            .collect()
    }
}

/// A running catalog and the tasks beneath it.
pub(crate) struct Harness {
    pub(crate) catalog: Arc<PortCatalog>,
    _supervisor: Supervisor,
}

impl Harness {
    pub(crate) async fn apply(&self, changes: ChangeSet) -> Vec<Result<Written, CatalogError>> {
        self.catalog.apply(changes).await
    }

    pub(crate) async fn upsert(&self, identifiers: &[&str]) -> Vec<Result<Written, CatalogError>> {
        self.apply(upserts(identifiers)).await
    }

    pub(crate) async fn delete(&self, identifiers: &[&str]) -> Vec<Result<Written, CatalogError>> {
        self.apply(deletes(identifiers)).await
    }
}

pub(crate) fn key(blueprint: &str, identifier: &str) -> EntityKey {
    EntityKey {
        blueprint: blueprint.into(),
        identifier: Identifier::Text(identifier.into()),
    }
}

pub(crate) fn entity(blueprint: &str, identifier: &str, value: i64) -> Entity {
    let wire = json!({
        "identifier": identifier, "blueprint": blueprint,
        "properties": {"v": value}, "relations": {},
    });
    Entity {
        key: key(blueprint, identifier),
        json: wire.to_string().into(),
    }
}

pub(crate) fn upserts(identifiers: &[&str]) -> ChangeSet {
    ChangeSet {
        upserts: identifiers
            .iter()
            .map(|id| entity("issue", id, 1))
            .collect(),
        ..ChangeSet::default()
    }
}

pub(crate) fn deletes(identifiers: &[&str]) -> ChangeSet {
    ChangeSet {
        deletes: identifiers.iter().map(|id| key("issue", id)).collect(),
        ..ChangeSet::default()
    }
}

/// The fates as words, refusals with their class.
pub(crate) fn words(fates: &[Result<Written, CatalogError>]) -> Vec<String> {
    fates
        .iter()
        .map(|fate| match fate {
            Ok(written) => written.to_string(),
            Err(CatalogError::Retry { .. }) => "retry".to_owned(),
            Err(CatalogError::Unavailable { .. }) => "unavailable".to_owned(),
            Err(CatalogError::Permanent { .. }) => "permanent".to_owned(),
            Err(_) => "unknown".to_owned(),
        })
        .collect()
}

impl At {
    pub(crate) fn of(call: &Call) -> Self {
        let segments: Vec<&str> = call.path().trim_start_matches("/v1/").split('/').collect();
        match segments[..] {
            ["auth", ..] => Self::Token,
            ["blueprints", _, "entities", "bulk"] => Self::Bulk,
            ["blueprints", _, "entities"] => Self::Single,
            ["blueprints", _, "bulk", ..] => Self::Delete,
            ["blueprints", _, "scorecards"] | ["actions" | "pages"] => Self::Extra,
            ["blueprints", ..] => Self::Blueprint,
            ["entities", "search"] => Self::Search,
            ["organization"] => Self::Organization,
            ["integration", "provision-enabled"] => Self::Provision,
            ["integration", ..] => Self::Integration,
            _ => Self::Lake,
        }
    }
}

fn ok(body: Value) -> Reply {
    Reply::json(200, &body)
}

fn refusal(status: u16, code: &str) -> Reply {
    Reply::json(
        status,
        &json!({"ok": false, "error": code, "message": format!("{code} it is")}),
    )
}

impl World {
    fn answer(&mut self, call: &Call) -> Reply {
        let at = At::of(call);
        let scripted = self.faults.get_mut(&at).and_then(VecDeque::pop_front);
        let fault = scripted.or_else(|| self.chaos.and_then(|chaos| chaos()));
        match fault {
            Some(Fault::Instead(reply)) => reply,
            Some(Fault::Lost) => {
                self.serve(at, call);
                Reply::Reset
            }
            Some(Fault::Slow(delay)) => Reply::After(delay, Box::new(self.serve(at, call))),
            None => self.serve(at, call),
        }
    }

    fn serve(&mut self, at: At, call: &Call) -> Reply {
        if at == At::Token {
            self.tokens += 1;
            return ok(json!({
                "ok": true, "accessToken": format!("t{}", self.tokens),
                "expiresIn": self.expires_in, "tokenType": "Bearer",
            }));
        }
        let token = format!("Bearer t{}", self.tokens);
        if call.header("authorization") != Some(&token) {
            return refusal(401, "unauthorized");
        }
        let body = call.json();
        let segments: Vec<&str> = call.path().split('/').skip(2).collect();
        match (at, &*call.method) {
            (At::Bulk, _) => {
                let entities = body["entities"].as_array().unwrap();
                assert!((1..=20).contains(&entities.len()), "{}", entities.len());
                assert!(call.body.len() <= 1 << 20 || entities.len() == 1);
                let (mut written, mut errors) = (Vec::new(), Vec::new());
                for (index, entity) in entities.iter().enumerate() {
                    match self.upsert(segments[1], entity, call) {
                        Ok(created) => written.push(json!({
                            "identifier": entity["identifier"], "index": index, "created": created,
                        })),
                        Err((status, code)) => errors.push(json!({
                            "identifier": entity["identifier"], "index": index,
                            "statusCode": status, "error": code, "message": "no",
                        })),
                    }
                }
                let status = if errors.is_empty() { 200 } else { 207 };
                let body = json!({"ok": errors.is_empty(), "entities": written, "errors": errors});
                Reply::json(status, &body)
            }
            (At::Single, _) => match self.upsert(segments[1], &body, call) {
                Ok(created) => Reply::json(
                    if created { 201 } else { 200 },
                    &json!({"ok": true, "entity": body}),
                ),
                Err((status, code)) => refusal(status, code),
            },
            (At::Search, _) => {
                let found = self.entities.values();
                let found = found.filter(|(wire, source)| matches(&body, wire, source));
                let found: Vec<_> = found.map(|(wire, _)| wire.clone()).collect();
                ok(json!({"ok": true, "entities": found}))
            }
            (At::Delete, _) => {
                let dependents = call.target.contains("delete_dependents=true");
                let mut deleted = Vec::new();
                for id in body["entities"].as_array().unwrap() {
                    let id = id.as_str().unwrap();
                    if self.delete(segments[1], id, dependents) {
                        deleted.push(id);
                    }
                }
                ok(json!({"ok": true, "deletedEntities": deleted, "maxBulkSize": 100}))
            }
            (At::Blueprint, "GET") => match self.blueprints.get(segments[1]) {
                Some(found) => ok(json!({"ok": true, "blueprint": found})),
                None => refusal(404, "not_found"),
            },
            (At::Blueprint, "DELETE") => {
                self.blueprints.remove(segments[1]);
                ok(json!({"ok": true}))
            }
            (At::Blueprint, _) => {
                let id = body["identifier"].as_str().unwrap().to_owned();
                self.blueprints.insert(id, body);
                ok(json!({"ok": true}))
            }
            (At::Extra, _) => ok(json!({"ok": true})),
            (At::Organization, _) => ok(json!({
                "organization": {"id": "org_1", "featureFlags": self.flags},
            })),
            (At::Provision, _) => ok(json!({"integrations": self.provisioned})),
            (At::Integration, "GET") => match &self.integration {
                Some(found) => {
                    let mut found = found.clone();
                    found["ingestAttributes"] = json!({"ingestUrl": format!("{}/in", self.base)});
                    ok(json!({"ok": true, "integration": found}))
                }
                None => refusal(404, "not_found"),
            },
            (At::Integration, "POST") => {
                self.integration = Some(body);
                ok(json!({"ok": true}))
            }
            (At::Integration, _) => {
                let known = self.integration.as_mut().unwrap().as_object_mut().unwrap();
                known.extend(body.as_object().unwrap().clone());
                ok(json!({"ok": true}))
            }
            (At::Lake | At::Token, _) => ok(json!({"ok": true})),
        }
    }

    /// Identifiers that start with `bad` are refused, relations to what is not there too.
    fn upsert(
        &mut self,
        blueprint: &str,
        entity: &Value,
        call: &Call,
    ) -> Result<bool, (u16, &'static str)> {
        let id = entity["identifier"]
            .as_str()
            .unwrap_or("unknown")
            .to_owned();
        if id.starts_with("bad") {
            return Err((422, "invalid"));
        }
        let creates_missing = call.target.contains("create_missing_related_entities=true");
        for target in entity["relations"]
            .as_object()
            .into_iter()
            .flat_map(|r| r.values())
        {
            let is_there = self
                .entities
                .keys()
                .any(|(_, known)| Some(&**known) == target.as_str());
            if !is_there && !creates_missing {
                return Err((404, "not_found"));
            }
        }
        let name = format!("{blueprint}/{id}");
        self.writes.push(format!("+ {name}"));
        if let Some(value) = entity["properties"]["v"].as_i64() {
            self.history.entry(name).or_default().push(value);
        }
        let source = call.header("user-agent").unwrap_or_default().to_owned();
        let old = self
            .entities
            .insert((blueprint.to_owned(), id), (entity.clone(), source));
        Ok(old.is_none())
    }

    fn delete(&mut self, blueprint: &str, id: &str, dependents: bool) -> bool {
        let is_needed = self.entities.values().any(|(wire, _)| {
            let relations = wire["relations"].as_object();
            relations.is_some_and(|r| r.values().any(|target| target == id))
        });
        if is_needed && !dependents {
            return false;
        }
        let key = (blueprint.to_owned(), id.to_owned());
        let existed = self.entities.remove(&key).is_some();
        if existed {
            self.writes.push(format!("- {blueprint}/{id}"));
        }
        existed
    }
}

/// Evaluates a search: nested combinators, `=`, `in` and `contains`.
fn matches(search: &Value, wire: &Value, source: &str) -> bool {
    if let Some(rules) = search["rules"].as_array() {
        let mut each = rules.iter().map(|rule| matches(rule, wire, source));
        return match search["combinator"].as_str() {
            Some("or") => each.any(|is_match| is_match),
            _ => each.all(|is_match| is_match),
        };
    }
    let subject = match search["property"].as_str().unwrap() {
        "$datasource" => json!(source),
        name => wire[name.trim_start_matches('$')].clone(),
    };
    let value = &search["value"];
    match search["operator"].as_str().unwrap() {
        "=" => *value == subject,
        "in" => value.as_array().unwrap().contains(&subject),
        "contains" => subject
            .as_str()
            .is_some_and(|text| text.contains(value.as_str().unwrap())),
        other => panic!("operator {other}"),
    }
}
