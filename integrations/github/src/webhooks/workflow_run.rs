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
    let id = event.workflow_run.id.to_string();
    let (path, search) = (["actions", "runs", &id], selector.repo_search.as_ref());
    let found = github.find_in(&event.repository, search, &path).await?;
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
