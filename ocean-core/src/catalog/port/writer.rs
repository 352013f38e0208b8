//! Writes batches to Port and finds out the fate of each entity.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    client::{CallError, Endpoint, PortClient},
    order::rounds,
    wire::{
        BulkAnswer, DeleteAnswer, FoundEntity, Owner, RefusedEntity, SearchAnswer, WrittenEntity,
        bulk_body, identifier_rule,
    },
};
use crate::{
    catalog::{
        CatalogError, EntityKey, Identifier, Written,
        batch::{Batch, Fate, GroupKey, Item, Report, Sink},
    },
    future::BoxFuture,
    http::{Request, Response},
};

// Port's limit of a bulk delete.
const MAX_DELETES: usize = 100;

/// The [`Sink`] that is Port.
#[derive(Debug)]
pub(super) struct PortWriter {
    client: Arc<PortClient>,
    owner: Owner,
}

/// What the upserts of a batch have in common.
#[derive(Clone, Copy, Debug)]
struct Upserts<'a> {
    blueprint: &'a str,
    merge: bool,
    create_missing_related_entities: bool,
}

impl PortWriter {
    pub(super) fn new(client: Arc<PortClient>) -> Self {
        let options = &client.options;
        Self {
            owner: Owner {
                prefix: format!("port-ocean/{}/", options.integration.kind),
                suffix: format!("/{}/exporter", options.integration.identifier),
            },
            client,
        }
    }
}

impl Sink for PortWriter {
    fn write(&self, batch: Batch) -> BoxFuture<'_, Report> {
        Box::pin(async move {
            match &batch.group {
                GroupKey::Upsert {
                    blueprint,
                    merge,
                    create_missing_related_entities,
                } => {
                    let upserts = Upserts {
                        blueprint,
                        merge: *merge,
                        create_missing_related_entities: *create_missing_related_entities,
                    };
                    self.upsert(upserts, &batch.items).await
                }
                GroupKey::Delete { delete_dependents } => {
                    self.delete(*delete_dependents, &batch.items).await
                }
            }
        })
    }
}

// === Upserts ===

impl PortWriter {
    async fn upsert(&self, upserts: Upserts<'_>, items: &[Item]) -> Report {
        let url = self
            .client
            .url(&["blueprints", upserts.blueprint, "entities", "bulk"]);
        let request = upserts
            .query(Request::post(&url))
            .json_body(bulk_body(items));
        let error = match self.client.call(Endpoint::BulkUpsert, request).await {
            Ok(answer) => return Report::of(self.fates(upserts, items, &answer)),
            Err(error) => error,
        };
        if !is_about_the_content(&error, items.len()) {
            return Report::failed(items.len(), &error, self.client.catalog_error(&error));
        }
        // One entity must not take the others down: each is asked for alone.
        let singles = items.iter().map(|item| self.upsert_one(upserts, item));
        Report::of(join_all(singles).await)
    }

    fn fates(&self, upserts: Upserts<'_>, items: &[Item], answer: &Response) -> Vec<Fate> {
        let answer: BulkAnswer = match answer.json() {
            Ok(answer) => answer,
            Err(error) => return vec![Err(unclear(&error.to_string())); items.len()],
        };
        let mut fates: Vec<Option<Fate>> = vec![None; items.len()];
        for WrittenEntity { index, created } in answer.entities {
            if let Some(fate) = fates.get_mut(index) {
                *fate = Some(Ok(if created {
                    Written::Created
                } else {
                    Written::Updated
                }));
            }
        }
        // After the written ones: an entity that is in both lists counts as refused.
        for refused in answer.errors {
            if let Some(fate) = fates.get_mut(refused.index) {
                *fate = Some(upserts.refusal(&items[refused.index], &refused));
            }
        }
        let missing = || Err(unclear("Port's answer does not mention the entity"));
        fates
            .into_iter()
            .map(|fate| fate.unwrap_or_else(missing))
            .collect()
    }

    async fn upsert_one(&self, upserts: Upserts<'_>, item: &Item) -> Fate {
        let url = self
            .client
            .url(&["blueprints", upserts.blueprint, "entities"]);
        let request = upserts
            .query(Request::post(&url))
            .json_body(item.json.clone());
        match self.client.call(Endpoint::Upsert, request).await {
            Ok(answer) => match answer.json::<Value>() {
                Ok(body) if body["ok"] == false => Err(CatalogError::Permanent {
                    message: format!("Port refuses the entity: {}", body["message"]).into(),
                }),
                Ok(_) if answer.status() == StatusCode::CREATED => Ok(Written::Created),
                Ok(_) => Ok(Written::Updated),
                Err(error) => Err(unclear(&error.to_string())),
            },
            Err(error) if upserts.is_awaited(error.status(), error.code().as_deref()) => {
                Err(CatalogError::Retry {
                    message: error.to_string().into(),
                    after: None,
                })
            }
            Err(error) => Err(self.client.catalog_error(&error)),
        }
    }
}

impl Upserts<'_> {
    fn query(self, request: Request) -> Request {
        let text = |flag| if flag { "true" } else { "false" };
        request
            .query("upsert", "true")
            .query("merge", text(self.merge))
            .query(
                "create_missing_related_entities",
                text(self.create_missing_related_entities),
            )
            .query("validation_only", "false")
            .query("ocean_info_event_type", "http_request")
    }

    /// What an entry under `errors` of a bulk answer means.
    fn refusal(self, item: &Item, refused: &RefusedEntity) -> Fate {
        // A search identifier that finds nothing: there is nothing to update, as upstream has it.
        if refused.identifier == "unknown" && matches!(item.key.identifier, Identifier::Json(_)) {
            return Ok(Written::Skipped);
        }
        let message = refused.text().into();
        let is_passing = matches!(refused.status_code, 408 | 409 | 429 | 500..=599);
        let status = StatusCode::from_u16(refused.status_code).ok();
        if is_passing || self.is_awaited(status, Some(&refused.error)) {
            return Err(CatalogError::Retry {
                message,
                after: None,
            });
        }
        Err(CatalogError::Permanent { message })
    }

    /// Whether the entity waits for a related one, which may be on its way in another event. Where
    /// Port creates missing ones, "not found" means something that will not come.
    fn is_awaited(self, status: Option<StatusCode>, code: Option<&str>) -> bool {
        !self.create_missing_related_entities
            && status == Some(StatusCode::NOT_FOUND)
            && code == Some("not_found")
    }
}

/// Whether a refused bulk call is worth asking for each entity alone: too large as a whole, or one
/// of several is wrong. Credentials and a missing blueprint concern all of them.
fn is_about_the_content(error: &CallError, entities: usize) -> bool {
    match error.status().map(|status| status.as_u16()) {
        Some(413) => true,
        Some(401 | 403 | 404 | 408 | 429) => false,
        Some(400..=499) => entities > 1,
        _ => false,
    }
}

// === Deletes ===

/// An entity to delete that exists and is ours.
#[derive(Debug)]
struct Target {
    /// Its place in the batch.
    place: usize,
    identifier: String,
    relations: Vec<String>,
}

/// Deletes of one blueprint: places in the batch and what they name.
type Wanted<'a> = Vec<(usize, &'a Identifier)>;

impl PortWriter {
    async fn delete(&self, delete_dependents: bool, items: &[Item]) -> Report {
        let mut fates: Vec<Fate> = vec![Ok(Written::Absent); items.len()];
        let mut by_blueprint: HashMap<&str, Wanted<'_>> = HashMap::new();
        for (place, Item { key, .. }) in items.iter().enumerate() {
            match searchable(key) {
                Ok(()) => by_blueprint
                    .entry(&key.blueprint)
                    .or_default()
                    .push((place, &key.identifier)),
                Err(error) => fates[place] = Err(error),
            }
        }
        let mut report = Report::of(Vec::new());

        let searches = by_blueprint
            .into_iter()
            .map(|(blueprint, wanted)| async move {
                self.find(blueprint, wanted, delete_dependents).await
            });
        let mut targets = Vec::new();
        for (found, failed) in join_all(searches).await {
            targets.extend(found);
            for (place, error) in failed {
                report.overloaded |= error.is_overload();
                fates[place] = Err(self.client.catalog_error(&error));
            }
        }

        let order = if delete_dependents {
            vec![(0..targets.len()).collect()]
        } else {
            let entities: Vec<_> = targets
                .iter()
                .map(|target| (&*target.identifier, target.relations.clone()))
                .collect();
            rounds(&entities)
        };
        for round in order {
            let mut by_blueprint: HashMap<&str, Vec<&Target>> = HashMap::new();
            for target in round.into_iter().map(|index| &targets[index]) {
                let blueprint = &items[target.place].key.blueprint;
                by_blueprint.entry(blueprint).or_default().push(target);
            }
            let calls = by_blueprint.iter().flat_map(|(blueprint, targets)| {
                targets
                    .chunks(MAX_DELETES)
                    .map(|targets| self.delete_found(blueprint, targets, delete_dependents))
            });
            for (place, fate, overloaded) in join_all(calls).await.into_iter().flatten() {
                report.overloaded |= overloaded;
                // A search identifier may name several entities: one failure is a failure.
                if fates[place].is_ok() {
                    fates[place] = fate;
                }
            }
        }
        report.fates = fates;
        report
    }

    /// Those of the wanted entities that exist and are ours, and the places whose search failed.
    async fn find(
        &self,
        blueprint: &str,
        wanted: Wanted<'_>,
        delete_dependents: bool,
    ) -> (Vec<Target>, Vec<(usize, CallError)>) {
        let mut texts = HashMap::new();
        let mut rules = Vec::new();
        for (place, identifier) in &wanted {
            match identifier {
                Identifier::Text(text) => {
                    texts.insert(&**text, *place);
                }
                Identifier::Json(text) => {
                    let rule = serde_json::from_str(text).unwrap_or(Value::Null);
                    rules.push((*place, rule));
                }
            }
        }
        let mut targets = Vec::new();
        let mut failed = Vec::new();
        if !texts.is_empty() {
            let mut identifiers: Vec<&str> = texts.keys().copied().collect();
            identifiers.sort_unstable();
            match self
                .search(blueprint, identifier_rule(&identifiers), delete_dependents)
                .await
            {
                Ok(found) => targets.extend(found.into_iter().filter_map(|entity| {
                    let place = *texts.get(&*entity.identifier)?;
                    Some(Target::new(place, entity))
                })),
                // One identifier that the search does not take must not keep the others alive.
                Err(error) if texts.len() > 1 && !error.is_passing() => {
                    rules.extend(
                        texts
                            .iter()
                            .map(|(text, place)| (*place, identifier_rule(&[text]))),
                    );
                }
                Err(error) => {
                    failed.extend(texts.values().map(|place| (*place, error.clone())));
                }
            }
        }
        let searches = rules.into_iter().map(|(place, rule)| async move {
            (place, self.search(blueprint, rule, delete_dependents).await)
        });
        for (place, result) in join_all(searches).await {
            match result {
                Ok(found) => {
                    targets.extend(found.into_iter().map(|entity| Target::new(place, entity)));
                }
                Err(error) => failed.push((place, error)),
            }
        }
        (targets, failed)
    }

    async fn search(
        &self,
        blueprint: &str,
        rule: Value,
        delete_dependents: bool,
    ) -> Result<Vec<FoundEntity>, CallError> {
        let mut request = Request::post(&self.client.url(&["entities", "search"]))
            .query("exclude_calculated_properties", "true");
        // Relations decide the order only when dependents stay.
        if delete_dependents {
            request = request
                .query("include", "blueprint")
                .query("include", "identifier");
        }
        let request = request.json(&self.owner.search(blueprint, rule));
        let answer = self.client.call(Endpoint::Search, request).await?;
        Ok(answer.json::<SearchAnswer>()?.entities)
    }

    /// Deletes entities that were found, and tells the fate by place in the batch.
    async fn delete_found(
        &self,
        blueprint: &str,
        targets: &[&Target],
        delete_dependents: bool,
    ) -> Vec<(usize, Fate, bool)> {
        let error = match self
            .delete_call(blueprint, targets, delete_dependents)
            .await
        {
            Ok(fates) => {
                let places = targets.iter().map(|target| target.place);
                return places
                    .zip(fates)
                    .map(|(place, fate)| (place, fate, false))
                    .collect();
            }
            Err(error) => error,
        };
        if targets.len() > 1 && !error.is_passing() && is_about_the_content(&error, targets.len()) {
            // One that cannot go must not keep the others.
            let singles = targets.iter().map(|target| async move {
                let result = self
                    .delete_call(blueprint, &[target], delete_dependents)
                    .await;
                let fate = match result {
                    Ok(mut fates) => fates.remove(0),
                    Err(error) => Err(self.client.catalog_error(&error)),
                };
                (target.place, fate, false)
            });
            return join_all(singles).await;
        }
        let fate = match error.status() {
            // The blueprint went away between search and delete, and its entities with it.
            Some(StatusCode::NOT_FOUND) => Ok(Written::Absent),
            _ => Err(self.client.catalog_error(&error)),
        };
        let overloaded = error.is_overload();
        let places = targets.iter().map(|target| target.place);
        places
            .map(|place| (place, fate.clone(), overloaded))
            .collect()
    }

    async fn delete_call(
        &self,
        blueprint: &str,
        targets: &[&Target],
        delete_dependents: bool,
    ) -> Result<Vec<Fate>, CallError> {
        let url = self
            .client
            .url(&["blueprints", blueprint, "bulk", "entities", "delete"]);
        let identifiers: Vec<_> = targets.iter().map(|target| &target.identifier).collect();
        let request = Request::post(&url)
            .query(
                "delete_dependents",
                if delete_dependents { "true" } else { "false" },
            )
            .query("ocean_info_event_type", "http_request")
            .json(&json!({"entities": identifiers}));
        let answer = self.client.call(Endpoint::Delete, request).await?;
        let answer: DeleteAnswer = answer.json()?;
        let fates = targets.iter().map(|target| {
            if answer.deleted_entities.contains(&target.identifier) {
                Ok(Written::Deleted)
            } else {
                // Somebody else was faster, or something still depends on it: the next search
                // tells which.
                Err(unclear(&format!(
                    "Port did not delete {blueprint}/{}; entities may depend on it",
                    target.identifier
                )))
            }
        });
        Ok(fates.collect())
    }
}

impl Target {
    fn new(place: usize, found: FoundEntity) -> Self {
        Self {
            place,
            relations: found.targets(),
            identifier: found.identifier,
        }
    }
}

/// Port's identifiers are text, or found by a search object.
fn searchable(key: &EntityKey) -> Result<(), CatalogError> {
    match &key.identifier {
        Identifier::Json(text) if !text.starts_with('{') => Err(CatalogError::Permanent {
            message: format!(
                "the identifier {text} of a {} is not text; let the mapping make it text, as with \
                 `tostring`",
                key.blueprint
            )
            .into(),
        }),
        _ => Ok(()),
    }
}

fn unclear(reason: &str) -> CatalogError {
    CatalogError::Retry {
        message: reason.into(),
        after: None,
    }
}

impl Report {
    fn of(fates: Vec<Fate>) -> Self {
        Self {
            fates,
            overloaded: false,
        }
    }

    fn failed(count: usize, error: &CallError, fate: CatalogError) -> Self {
        Self {
            fates: vec![Err(fate); count],
            overloaded: error.is_overload(),
        }
    }
}
