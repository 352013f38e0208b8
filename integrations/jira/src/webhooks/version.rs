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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::test_support::{Run, Site, sample};

    async fn run(site: &Site, body: &Value, selector: Value) -> Run {
        crate::test_support::run("release", site, body, selector).await
    }

    #[tokio::test]
    async fn what_exists_is_fetched_with_its_projects_key() {
        for (name, id) in [
            ("version_created", "1003"),
            ("version_updated", "1002"),
            ("version_released", "1001"),
            ("version_unreleased", "1002"),
            ("version_moved", "1002"),
        ] {
            let version = run(&Site::sample(), &sample(name), json!({}))
                .await
                .updated();
            assert_eq!(
                (&version["id"], &version["__projectKey"]),
                (&json!(id), &json!("OPS")),
                "{name}"
            );
        }
    }

    #[tokio::test]
    async fn a_deleted_version_is_deleted_with_its_projects_key() {
        let site = Site::sample();
        let gone = run(&site, &sample("version_deleted"), json!({}))
            .await
            .deleted();
        assert_eq!(
            (&gone["id"], &gone["__projectKey"]),
            (&json!("1004"), &json!("OPS"))
        );
        assert_eq!(site.calls(), ["GET /rest/api/3/project/10000"]);
    }

    #[tokio::test]
    async fn a_merge_deletes_one_version_and_updates_the_other() {
        let run = run(&Site::sample(), &sample("version_merged"), json!({})).await;
        let Run::Done { updated, deleted } = run else {
            panic!("{run:?}");
        };
        assert_eq!((deleted.len(), &deleted[0]["id"]), (1, &json!("1004")));
        assert_eq!((updated.len(), &updated[0]["id"]), (1, &json!("1003")));
        assert_eq!(updated[0]["__projectKey"], "OPS");
    }

    #[tokio::test]
    async fn a_version_that_jira_does_not_have_is_deleted() {
        let body = json!({ "webhookEvent": "jira:version_updated", "version": { "id": 404 } });
        assert_eq!(
            run(&Site::sample(), &body, json!({})).await.deleted(),
            body["version"]
        );
    }

    #[tokio::test]
    async fn a_version_without_id_is_refused() {
        let body = json!({ "webhookEvent": "jira:version_updated", "version": { "projectId": 1 } });
        let run = run(&Site::sample(), &body, json!({})).await;
        assert_eq!(
            run,
            Run::Invalid("invalid payload: no value at `/version/id`".to_owned())
        );
    }
}
