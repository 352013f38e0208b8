//! Deletes: a search for what exists and is ours, then one bulk call a blueprint.

use std::collections::HashMap;

use futures_util::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    client::{CallError, Endpoint},
    order::rounds,
    wire::{DeleteAnswer, FoundEntity, SearchAnswer, identifier_rule},
    writer::{PortWriter, is_about_the_content, unclear},
};
use crate::{
    catalog::{
        CatalogError, EntityKey, Identifier, Written,
        batch::{Fate, Item, Report},
    },
    http::Request,
};

// Port's limit of a bulk delete.
const MAX_DELETES: usize = 100;

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
    pub(super) async fn delete(&self, delete_dependents: bool, items: &[Item]) -> Report {
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
