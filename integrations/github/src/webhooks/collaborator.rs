//! Collaborators: who has access to a repository.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{GitHubClient, GitHubError},
    payload::{Account, Repository, in_repository},
    selector::{Affiliation, CollaboratorSelector},
};

/// `member`.
#[derive(Debug, Deserialize)]
pub struct CollaboratorEvent {
    /// The repository.
    pub repository: Repository,
    /// Who has access to it.
    pub member: Account,
}

/// GitHub's answer about somebody's access.
#[derive(Debug, Deserialize)]
struct Permission {
    user: Raw,
}

/// Keeps collaborators in step. Events do not say how somebody came to have access, so a resource
/// with another `affiliation` than `all` is left alone.
#[webhook_processor(
    path = "/webhook",
    kinds = ["collaborator"],
    event = "member",
    requires = ["/member/login", "/repository/name"],
    key = ["/repository/id", "/member/id"],
    delete_when(pointer = "/action", in = ["removed", "deleted"]),
    delete = "/member",
    enrich = in_repository,
)]
pub async fn collaborator(
    event: Payload<CollaboratorEvent>,
    selector: Selector<CollaboratorSelector>,
    github: State<GitHubClient>,
) -> Result<Outcome, GitHubError> {
    if selector.affiliation != Affiliation::All {
        return Ok(RawResults::none().into_outcome());
    }
    let path = ["collaborators", &event.member.login, "permission"];
    let search = selector.repo_search.as_ref();
    let found = github.find_in(&event.repository, search, &path).await?;
    let user = found.and_then(|raw| raw.read::<Permission>().ok());
    Ok(user.map(|permission| permission.user).into_outcome())
}
