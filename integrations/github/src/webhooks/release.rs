//! Releases.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{GitHubClient, GitHubError},
    payload::{Identified, Repository, in_repository},
    selector::InRepositories,
};

/// `release`.
#[derive(Debug, Deserialize)]
pub struct ReleaseEvent {
    /// The repository.
    pub repository: Repository,
    /// The release.
    pub release: Identified,
}

/// Keeps releases in step.
#[webhook_processor(
    path = "/webhook",
    kinds = ["release"],
    event = "release",
    requires = ["/release/id", "/repository/name"],
    key = ["/repository/id", "/release/id"],
    delete_when(pointer = "/action", eq = "deleted"),
    delete = "/release",
    enrich = in_repository,
)]
pub async fn release(
    event: Payload<ReleaseEvent>,
    selector: Selector<InRepositories>,
    github: State<GitHubClient>,
) -> Result<Option<Raw>, GitHubError> {
    let (id, search) = (event.release.id.to_string(), selector.repo_search.as_ref());
    github
        .find_in(&event.repository, search, &["releases", &id])
        .await
}
