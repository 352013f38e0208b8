//! Upserts: one bulk call, and what its answer means for each entity.

use futures_util::future::join_all;
use http::StatusCode;
use serde_json::Value;

use super::{
    client::Endpoint,
    wire::{BulkAnswer, RefusedEntity, WrittenEntity, bulk_body},
    writer::{PortWriter, is_about_the_content, unclear},
};
use crate::{
    catalog::{
        CatalogError, Identifier, Written,
        batch::{Fate, Item, Report},
    },
    http::{Request, Response},
};

/// What the upserts of a batch have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upserts<'a> {
    pub(super) blueprint: &'a str,
    pub(super) merge: bool,
    pub(super) create_missing_related_entities: bool,
}

impl PortWriter {
    pub(super) async fn upsert(&self, upserts: Upserts<'_>, items: &[Item]) -> Report {
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
