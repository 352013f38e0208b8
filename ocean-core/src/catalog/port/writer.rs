//! Writes batches to Port and finds out the fate of each entity.

use std::sync::Arc;

use super::{
    client::{CallError, PortClient},
    upsert::Upserts,
    wire::Owner,
};
use crate::{
    catalog::{
        CatalogError,
        batch::{Batch, Fate, GroupKey, Report, Sink},
    },
    future::BoxFuture,
};

/// The [`Sink`] that is Port.
#[derive(Debug)]
pub(super) struct PortWriter {
    pub(super) client: Arc<PortClient>,
    pub(super) owner: Owner,
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

/// The fate of a write that Port said nothing clear about.
pub(super) fn unclear(reason: &str) -> CatalogError {
    CatalogError::Retry {
        message: reason.into(),
        after: None,
    }
}

/// Whether a refused bulk call is worth asking for each entity alone: too large as a whole, or one
/// of several is wrong. Credentials and a missing blueprint concern all of them.
pub(super) fn is_about_the_content(error: &CallError, entities: usize) -> bool {
    match error.status().map(|status| status.as_u16()) {
        Some(413) => true,
        Some(401 | 403 | 404 | 408 | 429) => false,
        Some(400..=499) => entities > 1,
        _ => false,
    }
}

impl Report {
    pub(super) fn of(fates: Vec<Fate>) -> Self {
        Self {
            fates,
            overloaded: false,
        }
    }

    pub(super) fn failed(count: usize, error: &CallError, fate: CatalogError) -> Self {
        Self {
            fates: vec![Err(fate); count],
            overloaded: error.is_overload(),
        }
    }
}
