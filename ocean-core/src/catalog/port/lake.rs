//! Raw items for Port's data lake, in upstream's form.
//!
//! One post per kind: upstream puts all kinds of an event under the last one's name, which mislabels
//! them. An event with many or large items takes several posts of the same kind, so that none is
//! refused for its size.

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

use super::{
    client::{CallError, Endpoint, PortClient},
    setup,
};
use crate::{
    catalog::{CatalogError, RawPart, RawShipment},
    http::Request,
    raw::Raw,
};

/// The largest post of several items. Port documents no limit for the lake, so it is that of bulk
/// upserts; a larger item travels alone.
const MAX_POST_BYTES: usize = 1 << 20;

/// What a post takes beside its batches, and a batch beside its items, as a rule at most.
const ENVELOPE_BYTES: usize = 512;

/// Posts raw items to the data lake.
#[derive(Debug, Default)]
pub(super) struct Lake {
    // Kept for the lifetime of the process, as upstream does.
    ingest_url: OnceCell<String>,
}

impl Lake {
    /// Ships the items of one event.
    pub(super) async fn ship(
        &self,
        client: &PortClient,
        shipment: &RawShipment,
    ) -> Result<(), CatalogError> {
        let catalog_error = |error: CallError| client.catalog_error(&error);
        let base = self
            .ingest_url
            .get_or_try_init(|| ingest_url(client))
            .await
            .map_err(catalog_error)?;
        for post in posts(shipment, MAX_POST_BYTES) {
            let options = &client.options;
            let url = format!(
                "{}/lake/write/integration-type/{}/integration/{}/sync/{}/kind/{}",
                base.trim_end_matches('/'),
                options.integration.kind,
                options.integration.identifier,
                shipment.event_id,
                post.kind,
            );
            client
                .call(Endpoint::Lake, Request::post(&url).json(&post))
                .await
                .map_err(catalog_error)?;
        }
        Ok(())
    }
}

async fn ingest_url(client: &PortClient) -> Result<String, CallError> {
    let integration = setup::fetch_integration(client).await?;
    let url = integration
        .as_ref()
        .and_then(|found| found.pointer("/ingestAttributes/ingestUrl")?.as_str());
    url.map(str::to_owned).ok_or_else(|| CallError::Held {
        reason: "Port names no ingest address for the integration".to_owned(),
        after: client.options.flags_ttl,
    })
}

// === Post ===

/// The body of one post.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Post<'a> {
    kind: &'a str,
    event_type: &'static str,
    extraction_timestamp: i64,
    /// When the event was received.
    resync_start_time: String,
    event_id: &'a str,
    data: Vec<Batch<'a>>,
}

/// Items of one resource to which the same happened.
#[derive(Serialize)]
struct Batch<'a> {
    request: Nothing,
    response: Nothing,
    items: &'a [Raw],
    metadata: Metadata,
    /// Upstream ships the process's variables that mappings may read; ours reads none here.
    environment_data: Nothing,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    operation: &'static str,
    extraction_timestamp: i64,
    resource_index: usize,
    selector_hash: String,
}

/// An empty object.
#[derive(Serialize)]
struct Nothing {}

/// The posts of a shipment, kind by kind, each of `max_bytes` unless a single item is larger.
fn posts(shipment: &RawShipment, max_bytes: usize) -> Vec<Post<'_>> {
    let mut kinds: Vec<&str> = Vec::new();
    for part in &shipment.parts {
        if !kinds.contains(&&*part.kind) {
            kinds.push(&part.kind);
        }
    }
    let mut posts = Vec::new();
    for kind in kinds {
        let mut post = Post::new(kind, shipment);
        let mut bytes = ENVELOPE_BYTES;
        for part in shipment.parts.iter().filter(|part| &*part.kind == kind) {
            for (operation, items) in [
                ("upsert", &part.results.updated),
                ("delete", &part.results.deleted),
            ] {
                let mut items = &items[..];
                while !items.is_empty() {
                    let fitting = fitting(items, max_bytes.saturating_sub(bytes));
                    if fitting == 0 && !post.data.is_empty() {
                        posts.push(std::mem::replace(&mut post, Post::new(kind, shipment)));
                        bytes = ENVELOPE_BYTES;
                        continue;
                    }
                    let (now, later) = items.split_at(fitting.max(1));
                    post.data.push(Batch::new(part, operation, now, shipment));
                    bytes += ENVELOPE_BYTES + now.iter().map(item_bytes).sum::<usize>();
                    items = later;
                }
            }
        }
        posts.push(post);
    }
    posts
}

/// How many of the first items fit into a batch of so many bytes.
fn fitting(items: &[Raw], max_bytes: usize) -> usize {
    let mut bytes = ENVELOPE_BYTES;
    let too_many = |item: &Raw| {
        bytes += item_bytes(item);
        bytes > max_bytes
    };
    items.iter().position(too_many).unwrap_or(items.len())
}

fn item_bytes(item: &Raw) -> usize {
    item.as_bytes().len() + 1
}

impl<'a> Post<'a> {
    fn new(kind: &'a str, shipment: &'a RawShipment) -> Self {
        let received = shipment.received_at;
        Self {
            kind,
            event_type: "live-event",
            extraction_timestamp: received.as_millisecond(),
            resync_start_time: received.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
            event_id: &shipment.event_id,
            data: Vec::new(),
        }
    }
}

impl<'a> Batch<'a> {
    fn new(
        part: &RawPart,
        operation: &'static str,
        items: &'a [Raw],
        shipment: &RawShipment,
    ) -> Self {
        Self {
            request: Nothing {},
            response: Nothing {},
            items,
            metadata: Metadata {
                operation,
                extraction_timestamp: shipment.received_at.as_millisecond(),
                resource_index: part.resource_index,
                selector_hash: hex::encode(Sha256::digest(part.query.trim().as_bytes())),
            },
            environment_data: Nothing {},
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::outcome::RawResults;

    fn items(sizes: &[usize]) -> impl Iterator<Item = Raw> {
        sizes.iter().map(|size| Raw::new(&"x".repeat(size - 2)))
    }

    fn part(kind: &str, updated: &[usize], deleted: &[usize]) -> RawPart {
        RawPart {
            kind: kind.into(),
            resource_index: 0,
            query: "true".into(),
            results: Arc::new(RawResults::updated(items(updated)).and_deleted(items(deleted))),
        }
    }

    /// Checks the posts, of 10,000 bytes at most, by the sizes of the items in their batches.
    fn check(parts: Vec<RawPart>, expected: &[&str]) {
        let shipment = RawShipment {
            event_id: "77".to_owned(),
            received_at: jiff::Timestamp::UNIX_EPOCH,
            parts,
        };
        let describe = |post: &Post<'_>| {
            let count: usize = post.data.iter().map(|batch| batch.items.len()).sum();
            let bytes = serde_json::to_vec(post).unwrap().len();
            assert!(bytes <= 10_000 || count == 1, "{bytes} bytes");
            let mut text = post.kind.to_owned();
            for batch in &post.data {
                let sizes = batch.items.iter().map(|item| item.as_bytes().len());
                let sizes: Vec<_> = sizes.collect();
                text += &format!(" {} {sizes:?}", batch.metadata.operation);
            }
            text
        };
        let found: Vec<_> = posts(&shipment, 10_000).iter().map(describe).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn many_items_are_shipped_in_several_posts() {
        check(
            vec![part("issue", &[4_000, 4_000, 4_000], &[1_000, 4_000])],
            &[
                "issue upsert [4000, 4000]",
                "issue upsert [4000] delete [1000]",
                "issue delete [4000]",
            ],
        );
    }

    #[test]
    fn an_item_larger_than_a_post_travels_alone() {
        check(
            vec![part("issue", &[100, 20_000, 100], &[])],
            &[
                "issue upsert [100]",
                "issue upsert [20000]",
                "issue upsert [100]",
            ],
        );
    }

    #[test]
    fn each_kind_has_posts_of_its_own() {
        check(
            vec![
                part("issue", &[100], &[]),
                part("project", &[100], &[]),
                part("issue", &[], &[200]),
            ],
            &["issue upsert [100] delete [200]", "project upsert [100]"],
        );
    }
}
