//! Which form of data Port wants: entities, raw items, or both (upstream's `processing_mode` and
//! the organisation's feature flags).

use std::sync::atomic::{AtomicU8, Ordering};

use serde::Deserialize;

use super::{
    client::{CallError, Endpoint, PortClient},
    options::ProcessingMode,
};
use crate::{catalog::Processing, http::Request};

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
