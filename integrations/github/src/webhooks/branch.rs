//! Branches.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{GitHubClient, GitHubError},
    payload::{Repository, in_repository, text},
    selector::{BranchSelector, Everywhere},
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
    let path = ["branches", name];
    let Some(branch) = github.find_in(repository, &selector, &path).await? else {
        return Ok(Outcome::NotFound);
    };
    if !selector.protection_rules {
        return Ok(Some(branch).into_outcome());
    }
    let path = ["branches", name, "protection"];
    let rules = github.find_in(repository, &Everywhere, &path).await?;
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::test_support::{Run, Site, sample};

    async fn run(site: &Site, event: &(&str, Value), selector: Value) -> Run {
        crate::test_support::run("branch", site, event, selector).await
    }

    #[tokio::test]
    async fn created_and_pushed_branches_are_fetched() {
        for (name, branch, is_default) in [
            ("branch_created", "feature/keys", false),
            ("branch_pushed", "main", true),
        ] {
            let found = run(&Site::sample(), &sample(name), json!({}))
                .await
                .updated();
            assert_eq!(found["name"], branch);
            assert_eq!(found["__is_default_branch"], is_default);
            assert_eq!(
                (&found["__repository"], &found["protected"]),
                (&json!("shop"), &json!(is_default))
            );
        }
    }

    #[tokio::test]
    async fn a_deleted_branch_is_deleted_by_its_name() {
        let site = Site::sample();
        let branch = run(&site, &sample("branch_deleted"), json!({}))
            .await
            .deleted();
        assert_eq!(
            (&branch["name"], &branch["__repository"]),
            (&json!("topic"), &json!("shop"))
        );
        assert!(site.calls().is_empty());
    }

    #[tokio::test]
    async fn a_pushed_branch_that_is_gone_is_deleted() {
        let (name, mut body) = sample("branch_pushed");
        body["ref"] = json!("refs/heads/gone");
        let branch = run(&Site::sample(), &(name, body), json!({}))
            .await
            .deleted();
        assert_eq!(branch["name"], "gone");
    }

    #[tokio::test]
    async fn branches_that_the_selector_does_not_name_are_left_alone() {
        let none = Run::Done {
            updated: vec![],
            deleted: vec![],
        };
        for (selector, is_wanted) in [
            (json!({ "defaultBranchOnly": true }), false),
            (json!({ "branchNames": ["main"] }), false),
            (json!({ "branchNames": ["feature/keys"] }), true),
        ] {
            let run = run(&Site::sample(), &sample("branch_created"), selector).await;
            assert_eq!(run != none, is_wanted);
        }
        let selector = json!({ "defaultBranchOnly": true });
        run(&Site::sample(), &sample("branch_pushed"), selector)
            .await
            .updated();
    }

    #[tokio::test]
    async fn the_rules_that_protect_it_are_fetched_if_wanted() {
        for (name, is_protected) in [("branch_pushed", true), ("branch_created", false)] {
            let selector = json!({ "protectionRules": true });
            let branch = run(&Site::sample(), &sample(name), selector)
                .await
                .updated();
            assert_eq!(branch["__protection_rules"].is_object(), is_protected);
        }
    }

    #[tokio::test]
    async fn tags_are_no_branches() {
        for name in ["tag_created", "tag_deleted"] {
            assert_eq!(
                run(&Site::sample(), &sample(name), json!({})).await,
                Run::Ignored
            );
        }
        let (name, mut body) = sample("branch_pushed");
        body["ref"] = json!("refs/tags/v1");
        assert_eq!(
            run(&Site::sample(), &(name, body), json!({})).await,
            Run::Ignored
        );
    }
}
