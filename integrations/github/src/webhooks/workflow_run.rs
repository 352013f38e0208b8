//! Runs of workflows.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{GitHubClient, GitHubError},
    payload::{Identified, Repository, in_repository},
    selector::{RunStatus, WorkflowRunSelector},
};

/// `workflow_run`.
#[derive(Debug, Deserialize)]
pub struct WorkflowRunEvent {
    /// The repository.
    pub repository: Repository,
    /// The run.
    pub workflow_run: Identified,
}

/// What the selector looks at.
#[derive(Debug, Deserialize)]
struct WorkflowRun {
    status: Option<RunStatus>,
    conclusion: Option<RunStatus>,
}

/// Keeps runs of workflows in step. A run in a status that the selector does not want leaves the
/// catalog.
#[webhook_processor(
    path = "/webhook",
    kinds = ["workflow-run"],
    event = "workflow_run",
    requires = ["/workflow_run/id", "/repository/name"],
    key = ["/repository/id", "/workflow_run/id"],
    delete = "/workflow_run",
    enrich = in_repository,
)]
pub async fn workflow_run(
    event: Payload<WorkflowRunEvent>,
    selector: Selector<WorkflowRunSelector>,
    github: State<GitHubClient>,
) -> Result<Option<Raw>, GitHubError> {
    let path = ["actions", "runs", &event.workflow_run.id];
    let found = github.find_in(&event.repository, &selector, &path).await?;
    Ok(found.filter(|run| selector.admits(run)))
}

impl WorkflowRunSelector {
    fn admits(&self, run: &Raw) -> bool {
        let wanted = match self.statuses.as_deref() {
            None | Some([]) => return true,
            Some(wanted) => wanted,
        };
        run.read::<WorkflowRun>().is_ok_and(|run| {
            let now = [run.status, run.conclusion];
            now.into_iter().flatten().any(|it| wanted.contains(&it))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::test_support::{Run, Site, sample};

    async fn run(site: &Site, event: &(&str, Value), selector: Value) -> Run {
        crate::test_support::run("workflow-run", site, event, selector).await
    }

    #[tokio::test]
    async fn runs_are_fetched() {
        for (name, status) in [
            ("workflow_run_in_progress", "in_progress"),
            ("workflow_run_completed", "completed"),
        ] {
            let it = run(&Site::sample(), &sample(name), json!({}))
                .await
                .updated();
            assert_eq!(
                (&it["status"], &it["__repository"]),
                (&json!(status), &json!("shop"))
            );
        }
    }

    #[tokio::test]
    async fn a_run_in_an_unwanted_status_is_deleted() {
        for (statuses, is_wanted) in [
            (json!(["success"]), true),
            (json!(["completed"]), true),
            (json!(["failure", "in_progress"]), false),
            (json!([]), true),
            (json!(null), true),
        ] {
            let selector = json!({ "statuses": statuses });
            let run = run(&Site::sample(), &sample("workflow_run_completed"), selector).await;
            match is_wanted {
                true => assert_eq!(run.updated()["id"], 60_001),
                false => assert_eq!(run.deleted()["id"], 60_001),
            }
        }
    }

    #[tokio::test]
    async fn a_missing_run_is_deleted_and_one_without_id_refused() {
        let (name, mut body) = sample("workflow_run_completed");
        let site = Site::always(404, "{}");
        run(&site, &(name, body.clone()), json!({})).await.deleted();
        body["workflow_run"]["id"] = Value::Null;
        let run = run(&site, &(name, body), json!({})).await;
        assert!(matches!(run, Run::Invalid(_)), "{run:?}");
    }
}
