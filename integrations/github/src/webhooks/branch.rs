//! Branches.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{GitHubClient, GitHubError},
    payload::{Repository, in_repository, text},
    selector::BranchSelector,
};

const HEADS: &str = "refs/heads/";

/// `create` and `delete` of a branch, `push` to it.
#[derive(Debug, Deserialize)]
pub struct BranchEvent {
    /// The repository.
    pub repository: Repository,
    /// The branch: its name, or with `refs/heads/` before it.
    #[serde(rename = "ref")]
    pub reference: String,
}

fn concerns_a_branch(event: &WebhookEvent) -> bool {
    match event.name() {
        Some("push") => text(event, "/ref").is_some_and(|it| it.starts_with(HEADS)),
        _ => text(event, "/ref_type").as_deref() == Some("branch"),
    }
}

/// Names the branch, which the payload of a deleted one does not.
fn as_branch(event: &WebhookEvent, raw: Raw) -> Raw {
    let name = text(event, "/ref").unwrap_or_default();
    let name = name.strip_prefix(HEADS).unwrap_or(&name);
    let default = text(event, "/repository/default_branch");
    in_repository(event, raw)
        .with("name", name)
        .with("__is_default_branch", &(default.as_deref() == Some(name)))
}

/// Keeps branches in step. Events of one repository are in order, since `push` and `delete` name
/// a branch differently.
#[webhook_processor(
    path = "/webhook",
    kinds = ["branch"],
    events = ["create", "push", "delete"],
    guard = concerns_a_branch,
    requires = ["/ref", "/repository/name"],
    key = "/repository/id",
    delete_on = ["delete"],
    delete = "",
    enrich = as_branch,
)]
pub async fn branch(
    event: Payload<BranchEvent>,
    selector: Selector<BranchSelector>,
    github: State<GitHubClient>,
) -> Result<Outcome, GitHubError> {
    let BranchEvent {
        repository,
        reference,
    } = &event.0;
    let name = reference.strip_prefix(HEADS).unwrap_or(reference);
    if !selector.admits(name, repository) {
        // It never was in the catalog: a name does not change.
        return Ok(RawResults::none().into_outcome());
    }
    let search = selector.repo_search.as_ref();
    let path = ["branches", name];
    let Some(branch) = github.find_in(repository, search, &path).await? else {
        return Ok(Outcome::NotFound);
    };
    if !selector.protection_rules {
        return Ok(Some(branch).into_outcome());
    }
    let path = ["branches", name, "protection"];
    let rules = github.find_in(repository, None, &path).await?;
    Ok(Some(branch.with("__protection_rules", &rules)).into_outcome())
}

impl BranchSelector {
    fn admits(&self, name: &str, repository: &Repository) -> bool {
        match (self.default_branch_only, &*self.branch_names) {
            (true, _) => name == repository.default_branch,
            (false, []) => true,
            (false, names) => names.iter().any(|it| it == name),
        }
    }
}
