//! Workflows, which change when their files are pushed.

use std::collections::BTreeSet;

use ocean_core::prelude::*;
use serde::Deserialize;
use serde_json::json;

use crate::{
    client::{GitHubClient, GitHubError},
    payload::{Repository, in_repository},
    selector::AnySelector,
};

/// `push` to a branch.
#[derive(Debug, Deserialize)]
pub struct PushEvent {
    /// The repository.
    pub repository: Repository,
    /// What was pushed.
    #[serde(default)]
    pub commits: Vec<Commit>,
}

/// What one commit did to files.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Commit {
    /// New files.
    pub added: Vec<String>,
    /// Changed files.
    pub modified: Vec<String>,
    /// Files that are gone.
    pub removed: Vec<String>,
}

impl Commit {
    fn files(&self) -> impl Iterator<Item = &String> {
        self.added.iter().chain(&self.modified).chain(&self.removed)
    }
}

impl PushEvent {
    fn workflow_files(&self) -> BTreeSet<&str> {
        let files = self.commits.iter().flat_map(Commit::files);
        files
            .map(String::as_str)
            .filter(|path| is_workflow(path))
            .collect()
    }
}

/// Keeps workflows in step. One whose file is gone leaves the catalog.
#[webhook_processor(
    path = "/webhook",
    kinds = ["workflow"],
    event = "push",
    when(pointer = "/ref", prefix = "refs/heads/"),
    guard = touches_workflows,
    requires = ["/repository/name"],
    key = "/repository/id",
    enrich = in_repository,
)]
pub async fn workflow(
    event: Payload<PushEvent>,
    selector: Selector<AnySelector>,
    github: State<GitHubClient>,
) -> Result<RawResults, GitHubError> {
    let mut results = RawResults::none();
    for path in event.workflow_files() {
        let file = path.rsplit('/').next().unwrap_or(path);
        let address = ["actions", "workflows", file];
        let found = github
            .find_in(&event.repository, &selector, &address)
            .await?;
        results = match found {
            Some(workflow) if !is_deleted(&workflow) => results.and_updated([workflow]),
            Some(workflow) => results.and_deleted([workflow]),
            None => results.and_deleted([Raw::new(&json!({ "path": path }))]),
        };
    }
    Ok(results)
}

// GitHub goes on answering for a workflow with runs whose file is gone.
fn is_deleted(workflow: &Raw) -> bool {
    #[derive(Deserialize)]
    struct Workflow {
        state: String,
    }
    workflow
        .read::<Workflow>()
        .is_ok_and(|workflow| workflow.state == "deleted")
}

fn is_workflow(path: &str) -> bool {
    path.strip_prefix(".github/workflows/").is_some_and(|file| {
        !file.contains('/') && (file.ends_with(".yml") || file.ends_with(".yaml"))
    })
}

/// Asked for every push, most of which touch no workflow.
fn touches_workflows(event: &WebhookEvent) -> bool {
    serde_json::from_slice::<PushEvent>(event.body())
        .is_ok_and(|push| !push.workflow_files().is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::test_support::{Run, Site, sample};

    async fn run(site: &Site, event: &(&str, Value), selector: Value) -> Run {
        crate::test_support::run("workflow", site, event, selector).await
    }

    #[tokio::test]
    async fn pushed_workflows_are_fetched_and_removed_ones_deleted() {
        let run = run(&Site::sample(), &sample("workflow_pushed"), json!({})).await;
        let Run::Done { updated, deleted } = run else {
            panic!("{run:?}");
        };
        assert_eq!((updated.len(), &updated[0]["id"]), (1, &json!(401)));
        assert_eq!((deleted.len(), &deleted[0]["id"]), (1, &json!(402)));
        assert_eq!(deleted[0]["__repository"], "shop");
    }

    #[tokio::test]
    async fn a_workflow_that_github_does_not_know_is_deleted_by_its_path() {
        let (name, mut body) = sample("workflow_pushed");
        body["commits"] = json!([{ "added": [".github/workflows/new.yml"] }]);
        let workflow = run(&Site::sample(), &(name, body), json!({}))
            .await
            .deleted();
        assert_eq!(workflow["path"], ".github/workflows/new.yml");
    }

    #[tokio::test]
    async fn other_pushes_are_ignored() {
        let (name, body) = sample("workflow_pushed");
        let with = |pointer: &str, value: Value| {
            let mut body = body.clone();
            *body.pointer_mut(pointer).unwrap() = value;
            body
        };
        for body in [
            with("/ref", json!("refs/tags/v1")),
            with("/commits", json!([])),
            with(
                "/commits",
                json!([{ "modified": [".github/workflows/README.md"] }]),
            ),
            with(
                "/commits",
                json!([{ "modified": [".github/dependabot.yml"] }]),
            ),
        ] {
            assert_eq!(
                run(&Site::sample(), &(name, body), json!({})).await,
                Run::Ignored
            );
        }
    }
}
