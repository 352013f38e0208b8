//! Projects.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{JiraClient, JiraError},
    id::ProjectKey,
    selector::ProjectSelector,
};

/// `project_created`, `project_updated`, `project_archived`, `project_restored_deleted`, ….
#[derive(Debug, Deserialize)]
pub struct ProjectEvent {
    /// The project.
    pub project: Project,
}

/// What names a project.
#[derive(Debug, Deserialize)]
pub struct Project {
    /// Its key.
    pub key: ProjectKey,
}

/// Keeps projects in step. A project in the bin is deleted, one that comes back is not.
#[webhook_processor(
    path = "/webhook",
    kinds = ["project"],
    event_prefix = "project_",
    requires = ["/project/key"],
    key = "/project/id",
    delete_on = ["project_soft_deleted", "project_deleted"],
    delete = "/project",
)]
pub async fn project(
    event: Payload<ProjectEvent>,
    selector: Selector<ProjectSelector>,
    jira: State<JiraClient>,
) -> Result<Option<Raw>, JiraError> {
    jira.project(&event.project.key, &selector).await
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::test_support::{Run, Site, sample};

    async fn run(site: &Site, body: &Value, selector: Value) -> Run {
        crate::test_support::run("project", site, body, selector).await
    }

    #[tokio::test]
    async fn what_exists_is_fetched_with_the_selectors_expansion() {
        for (name, key) in [
            ("project_created", "WEB"),
            ("project_updated", "OPS"),
            ("project_archived", "WEB"),
            ("project_restored_archived", "WEB"),
        ] {
            let project = run(&Site::sample(), &sample(name), json!({}))
                .await
                .updated();
            assert_eq!(project["key"], key, "{name}");
            assert!(project["insight"]["totalIssueCount"].is_u64(), "{name}");
        }
    }

    #[tokio::test]
    async fn a_project_from_the_bin_is_kept() {
        let project = run(
            &Site::sample(),
            &sample("project_restored_deleted"),
            json!({}),
        )
        .await;
        assert_eq!(project.updated()["key"], "WEB");
    }

    #[tokio::test]
    async fn a_deleted_project_is_deleted_whatever_jira_says() {
        for name in ["project_soft_deleted", "project_deleted"] {
            let site = Site::always(500, "{}");
            let gone = run(&site, &sample(name), json!({})).await.deleted();
            assert_eq!(gone["key"], "OLD");
            assert_eq!(site.calls().len(), 0);
        }
    }

    #[tokio::test]
    async fn a_project_that_jira_does_not_have_is_deleted() {
        let mut body = sample("project_updated");
        body["project"]["key"] = json!("NOPE");
        assert_eq!(
            run(&Site::sample(), &body, json!({})).await.deleted()["key"],
            "NOPE"
        );
    }

    #[tokio::test]
    async fn a_project_without_key_is_refused() {
        let body = json!({ "webhookEvent": "project_updated", "project": { "id": 1 } });
        let run = run(&Site::sample(), &body, json!({})).await;
        assert!(matches!(run, Run::Invalid(_)), "{run:?}");
    }
}
