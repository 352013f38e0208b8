//! Pull requests.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{GitHubClient, GitHubError},
    payload::{Numbered, Repository, in_repository},
    selector::{self, PullRequestSelector},
};

/// `pull_request`.
#[derive(Debug, Deserialize)]
pub struct PullRequestEvent {
    /// The repository.
    pub repository: Repository,
    /// The pull request.
    pub pull_request: Numbered,
}

/// What the selector looks at.
#[derive(Debug, Deserialize)]
struct PullRequest {
    state: selector::State,
}

/// Keeps pull requests in step. One in a state that the selector does not want leaves the catalog.
#[webhook_processor(
    path = "/webhook",
    kinds = ["pull-request"],
    event = "pull_request",
    requires = ["/pull_request/number", "/repository/name"],
    key = ["/repository/id", "/pull_request/number"],
    delete = "/pull_request",
    enrich = in_repository,
)]
pub async fn pull_request(
    event: Payload<PullRequestEvent>,
    selector: Selector<PullRequestSelector>,
    github: State<GitHubClient>,
) -> Result<Option<Raw>, GitHubError> {
    let number = event.pull_request.number.to_string();
    let (path, search) = (["pulls", &number], selector.repo_search.as_ref());
    let found = github.find_in(&event.repository, search, &path).await?;
    Ok(found.filter(|pull| selector.admits(pull)))
}

impl PullRequestSelector {
    fn admits(&self, pull: &Raw) -> bool {
        pull.read::<PullRequest>()
            .is_ok_and(|pull| self.states.contains(&pull.state))
    }
}
