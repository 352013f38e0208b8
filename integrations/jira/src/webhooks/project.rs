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
