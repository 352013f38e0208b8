//! Issues.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{JiraClient, JiraError},
    id::{Id, IssueKey},
    selector::IssueSelector,
};

/// `jira:issue_created`, `jira:issue_updated`.
#[derive(Debug, Deserialize)]
pub struct IssueEvent {
    /// The issue.
    pub issue: Issue,
}

/// What names an issue.
#[derive(Debug, Deserialize)]
pub struct Issue {
    /// Its id, which it keeps when it moves to another project.
    pub id: Id,
    /// Its key.
    pub key: IssueKey,
}

/// Keeps issues in step. An issue that the selector's JQL does not find leaves the catalog.
#[webhook_processor(
    path = "/webhook",
    kinds = ["issue"],
    event_prefix = "jira:issue_",
    requires = ["/issue/id", "/issue/key"],
    key = "/issue/id",
    delete_on = ["jira:issue_deleted"],
    delete = "/issue",
)]
pub async fn issue(
    event: Payload<IssueEvent>,
    selector: Selector<IssueSelector>,
    jira: State<JiraClient>,
) -> Result<Option<Raw>, JiraError> {
    jira.issue(&event.issue.key, event.issue.id, &selector)
        .await
}
