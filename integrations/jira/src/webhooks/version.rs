//! Versions, which are releases at Port.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{JiraClient, JiraError},
    id::Id,
};

/// `jira:version_created`, `jira:version_released`, `jira:version_deleted`, ….
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionEvent {
    /// What happened.
    pub webhook_event: String,
    /// The version.
    pub version: WithRaw<Version>,
    /// The version that took over the issues of a deleted one.
    pub merged_to: Option<Version>,
}

/// What names a version.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// Its id.
    pub id: Id,
    /// Its project.
    pub project_id: Option<Id>,
}

/// Keeps releases in step, also the one that a deleted release was merged into. Events of one
/// project are in order, because a merge concerns two of its releases.
#[webhook_processor(
    path = "/webhook",
    kinds = ["release"],
    event_prefix = "jira:version_",
    requires = ["/version/id"],
    key = "/version/projectId",
)]
pub async fn version(
    event: Payload<VersionEvent>,
    jira: State<JiraClient>,
) -> Result<RawResults, JiraError> {
    let merged = match &event.merged_to {
        Some(target) => jira.version(target.id).await?,
        None => None,
    };
    let version = match event.webhook_event.as_str() {
        "jira:version_deleted" => None,
        _ => jira.version(event.version.id).await?,
    };
    let results = match version {
        Some(version) => RawResults::updated([version]),
        None => RawResults::deleted([jira
            .with_project_key(event.version.raw(), event.version.project_id)
            .await?]),
    };
    Ok(results.and_updated(merged))
}
