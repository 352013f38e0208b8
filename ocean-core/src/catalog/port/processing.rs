//! Which form of data Port wants: entities, raw items, or both (upstream's `processing_mode` and
//! the organisation's feature flags), and how raw items are shipped.

use std::sync::atomic::{AtomicU8, Ordering};

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

use super::{
    client::{CallError, Endpoint, PortClient},
    options::ProcessingMode,
    setup,
};
use crate::{
    catalog::{CatalogError, Processing, RawPart, RawShipment},
    http::Request,
    raw::Raw,
};

const LAKEHOUSE: &str = "LAKEHOUSE_ELIGIBLE";
const PROCESSOR: &str = "DATA_SOURCE_PROCESSOR_ENABLED";

/// The organisation as Port describes it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Organization {
    #[serde(default)]
    pub(super) feature_flags: Vec<String>,
}

#[derive(Deserialize)]
struct OrganizationAnswer {
    organization: Organization,
}

impl Organization {
    pub(super) async fn fetch(client: &PortClient) -> Result<Self, CallError> {
        let request = Request::get(&client.url(&["organization"]));
        let answer = client.call(Endpoint::Organization, request).await?;
        Ok(answer.json::<OrganizationAnswer>()?.organization)
    }

    pub(super) fn has(&self, flag: &str) -> bool {
        self.feature_flags.iter().any(|known| known == flag)
    }

    /// What to send. Without leave to use the lake the items are mapped here, whatever the mode:
    /// upstream then sends nothing at all.
    fn processing(&self, mode: ProcessingMode, lakehouse_enabled: bool) -> Processing {
        match () {
            () if !lakehouse_enabled || !self.has(LAKEHOUSE) => Processing::Entities,
            () if mode == ProcessingMode::Dsp && self.has(PROCESSOR) => Processing::Raw,
            () => Processing::EntitiesAndRaw,
        }
    }
}

/// The current decision; entities until the flags are known, and when they cannot be looked up.
#[derive(Debug, Default)]
pub(super) struct CurrentProcessing(AtomicU8);

impl CurrentProcessing {
    pub(super) fn get(&self) -> Processing {
        match self.0.load(Ordering::Relaxed) {
            1 => Processing::EntitiesAndRaw,
            2 => Processing::Raw,
            _ => Processing::Entities,
        }
    }

    /// Looks the flags up and decides. An outage keeps the last decision: a mode that flips with
    /// every time-out would send half of the events the other way.
    pub(super) async fn refresh(&self, client: &PortClient) -> Result<(), CallError> {
        let options = &client.options;
        if !options.lakehouse_enabled {
            return Ok(());
        }
        let organization = match Organization::fetch(client).await {
            Err(error) if error.is_passing() => return Err(error),
            result => result.unwrap_or_default(),
        };
        let decision = organization.processing(options.processing_mode, options.lakehouse_enabled);
        let number = match decision {
            Processing::Entities => 0,
            Processing::EntitiesAndRaw => 1,
            Processing::Raw => 2,
        };
        self.0.store(number, Ordering::Relaxed);
        Ok(())
    }
}

// === Lake ===

/// Posts raw items to the data lake.
#[derive(Debug, Default)]
pub(super) struct Lake {
    // Kept for the lifetime of the process, as upstream does.
    ingest_url: OnceCell<String>,
}

impl Lake {
    /// Ships the items of one event, one call per kind: upstream puts all kinds of an event under
    /// the last one's name, which mislabels them.
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
        let mut kinds: Vec<&str> = Vec::new();
        for part in &shipment.parts {
            if !kinds.contains(&&*part.kind) {
                kinds.push(&part.kind);
            }
        }
        for kind in kinds {
            let options = &client.options;
            let url = format!(
                "{}/lake/write/integration-type/{}/integration/{}/sync/{}/kind/{kind}",
                base.trim_end_matches('/'),
                options.integration.kind,
                options.integration.identifier,
                shipment.event_id,
            );
            let request = Request::post(&url).json(&body(kind, shipment));
            client
                .call(Endpoint::Lake, request)
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

fn body(kind: &str, shipment: &RawShipment) -> Value {
    let received = shipment.received_at;
    let parts = shipment.parts.iter().filter(|part| &*part.kind == kind);
    let data: Vec<Value> = parts
        .flat_map(|part| {
            let sides = [
                ("upsert", &part.results.updated),
                ("delete", &part.results.deleted),
            ];
            sides
                .into_iter()
                .filter(|(_, items)| !items.is_empty())
                .map(|(operation, items)| batch(part, operation, items, shipment))
                .collect::<Vec<_>>()
        })
        .collect();
    json!({
        "kind": kind,
        "eventType": "live-event",
        "extractionTimestamp": received.as_millisecond(),
        "resyncStartTime": received.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
        "eventId": shipment.event_id,
        "data": data,
    })
}

fn batch(part: &RawPart, operation: &str, items: &[Raw], shipment: &RawShipment) -> Value {
    json!({
        "request": {},
        "response": {},
        "items": items,
        "metadata": {
            "operation": operation,
            "extractionTimestamp": shipment.received_at.as_millisecond(),
            "resourceIndex": part.resource_index,
            "selectorHash": hex::encode(Sha256::digest(part.query.trim().as_bytes())),
        },
        // Upstream ships the process's variables that mappings may read; ours reads none here.
        "environment_data": {},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(flags: &[&str], mode: ProcessingMode, lakehouse: bool, expected: Processing) {
        let organization = Organization {
            feature_flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
        };
        let decision = organization.processing(mode, lakehouse);
        assert_eq!(decision, expected, "{flags:?} {mode:?} {lakehouse}");
    }

    #[test]
    fn mode_and_flags_decide() {
        use Processing::{Entities, EntitiesAndRaw, Raw};
        use ProcessingMode::{Dsp, OceanCore};
        check(&[], Dsp, true, Entities);
        check(&[PROCESSOR], Dsp, true, Entities);
        check(&[LAKEHOUSE], Dsp, true, EntitiesAndRaw);
        check(&[LAKEHOUSE, PROCESSOR], Dsp, true, Raw);
        check(&[LAKEHOUSE, PROCESSOR], OceanCore, true, EntitiesAndRaw);
        check(&[LAKEHOUSE, PROCESSOR], Dsp, false, Entities);
    }
}
