//! Repositories.

use std::convert::Infallible;

use ocean_core::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    client::{GitHubClient, GitHubError},
    payload::{self, in_organization},
    selector::RepositorySelector,
};

/// `repository`, and `member`, which changes who has access.
#[derive(Debug, Deserialize)]
pub struct RepositoryEvent {
    /// The repository.
    pub repository: payload::Repository,
}

/// Keeps repositories in step. An archived one leaves the catalog, as one that is deleted does.
#[webhook_processor(
    path = "/webhook",
    kinds = ["repository"],
    events = ["repository", "member"],
    requires = ["/repository/name", "/repository/owner/login"],
    key = "/repository/id",
    delete_when(pointer = "/action", in = ["archived", "deleted"]),
    delete = "/repository",
    enrich = in_organization,
)]
pub async fn repository(
    event: Payload<RepositoryEvent>,
    selector: Selector<RepositorySelector>,
    github: State<GitHubClient>,
) -> Result<Option<Raw>, GitHubError> {
    github.repository(&event.repository, &selector).await
}

// === Renames ===

/// `repository` with action `renamed`.
#[derive(Debug, Deserialize)]
pub struct RenamedRepositoryEvent {
    /// The repository, all of it, under its new name.
    pub repository: Map<String, Value>,
    /// What changed.
    pub changes: Changes,
}

/// What changed.
#[derive(Debug, Deserialize)]
pub struct Changes {
    /// Of the repository.
    pub repository: ChangedRepository,
}

/// What changed of the repository.
#[derive(Debug, Deserialize)]
pub struct ChangedRepository {
    /// Its name.
    pub name: Former,
}

/// A value that was replaced.
#[derive(Debug, Deserialize)]
pub struct Former {
    /// The value before.
    pub from: String,
}

/// Removes what a repository was under its former name.
#[webhook_processor(
    path = "/webhook",
    kinds = ["repository"],
    event = "repository",
    when(pointer = "/action", eq = "renamed"),
    key = "/repository/id",
    enrich = in_organization,
)]
pub async fn renamed_repository(
    event: Payload<RenamedRepositoryEvent>,
) -> Result<RawResults, Infallible> {
    let RenamedRepositoryEvent {
        mut repository,
        changes,
    } = event.0;
    let name = changes.repository.name.from;
    if let Some(owner) = repository["owner"]["login"].as_str() {
        repository.insert("full_name".to_owned(), format!("{owner}/{name}").into());
    }
    repository.insert("name".to_owned(), name.into());
    Ok(RawResults::deleted([Raw::new(&repository)]))
}
