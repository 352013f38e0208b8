//! What an integration brings beside its blueprints: actions, scorecards and pages. Created once,
//! after the blueprints; what Port refuses is logged, as upstream does.

use serde::Deserialize;
use serde_json::Value;
use tracing::{info, warn};

use super::client::{CallError, Endpoint, PortClient};
use crate::{error::StartError, http::Request, integration::Assets};

/// The parsed files.
#[derive(Debug)]
pub(super) struct Extras {
    actions: Vec<Value>,
    scorecards: Vec<Scorecards>,
    pages: Vec<Value>,
}

/// Scorecards of one blueprint.
#[derive(Debug, Deserialize)]
struct Scorecards {
    blueprint: String,
    data: Vec<Value>,
}

impl Extras {
    pub(super) fn parse(assets: &Assets) -> Result<Self, StartError> {
        Ok(Self {
            actions: list("actions.json", assets.actions)?,
            scorecards: list("scorecards.json", assets.scorecards)?,
            pages: list("pages.json", assets.pages)?,
        })
    }

    /// Creates all of them.
    ///
    /// # Errors
    /// An outage; what was created until then is refused when it is tried again, and stays.
    pub(super) async fn create(&self, client: &PortClient) -> Result<(), CallError> {
        let mut all = Vec::new();
        for action in &self.actions {
            all.push((client.url(&["actions"]), action));
        }
        for Scorecards { blueprint, data } in &self.scorecards {
            let url = client.url(&["blueprints", blueprint, "scorecards"]);
            all.extend(data.iter().map(|scorecard| (url.clone(), scorecard)));
        }
        for page in &self.pages {
            all.push((client.url(&["pages"]), page));
        }
        let mut count = 0;
        for (url, body) in all {
            let request = Request::post(&url).json(body);
            match client.call(Endpoint::Blueprint, request).await {
                Ok(_) => count += 1,
                Err(error) if error.is_passing() => return Err(error),
                Err(error) => {
                    let identifier = body["identifier"].as_str().unwrap_or("without identifier");
                    warn!(%error, url, identifier, "Port does not create this.");
                }
            }
        }
        if count > 0 {
            info!(count, "Actions, scorecards and pages were created at Port.");
        }
        Ok(())
    }
}

fn list<T: for<'de> Deserialize<'de>>(file: &str, text: &str) -> Result<Vec<T>, StartError> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    // JSON is YAML, so that either format works.
    serde_saphyr::from_str(text)
        .map_err(|error| StartError::new(format!("`{file}` is not a list: {error}")))
}
