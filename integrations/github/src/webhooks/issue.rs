//! Issues.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{GitHubClient, GitHubError},
    payload::{Numbered, Repository, in_repository},
    selector::{self, IssueSelector, IssueState},
};

/// `issues`.
#[derive(Debug, Deserialize)]
pub struct IssueEvent {
    /// The repository.
    pub repository: Repository,
    /// The issue.
    pub issue: Numbered,
}

/// What the selector looks at.
#[derive(Debug, Deserialize)]
struct Issue {
    state: selector::State,
    #[serde(default)]
    labels: Vec<Label>,
}

#[derive(Debug, Deserialize)]
struct Label {
    name: String,
}

/// Keeps issues in step. One that the selector does not want leaves the catalog, and so does one
/// that moves to another repository, where it is opened anew.
#[webhook_processor(
    path = "/webhook",
    kinds = ["issue"],
    event = "issues",
    requires = ["/issue/number", "/repository/name"],
    key = ["/repository/id", "/issue/number"],
    delete_when(pointer = "/action", in = ["deleted", "transferred"]),
    delete = "/issue",
    enrich = in_repository,
)]
pub async fn issue(
    event: Payload<IssueEvent>,
    selector: Selector<IssueSelector>,
    github: State<GitHubClient>,
) -> Result<Option<Raw>, GitHubError> {
    let number = event.issue.number.to_string();
    let (path, search) = (["issues", &number], selector.repo_search.as_ref());
    let found = github.find_in(&event.repository, search, &path).await?;
    Ok(found.filter(|issue| selector.admits(issue)))
}

impl IssueSelector {
    fn admits(&self, issue: &Raw) -> bool {
        issue.read::<Issue>().is_ok_and(|issue| {
            let state_fits = match self.state {
                IssueState::All => true,
                IssueState::Open => issue.state == selector::State::Open,
                IssueState::Closed => issue.state == selector::State::Closed,
            };
            state_fits && self.labels.iter().flatten().all(|it| issue.has(it))
        })
    }
}

impl Issue {
    fn has(&self, label: &str) -> bool {
        let label = label.to_lowercase();
        self.labels.iter().any(|it| it.name.to_lowercase() == label)
    }
}
