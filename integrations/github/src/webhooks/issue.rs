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
    let path = ["issues", &event.issue.number];
    let found = github.find_in(&event.repository, &selector, &path).await?;
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::test_support::{Run, Site, sample};

    async fn run(site: &Site, event: &(&str, Value), selector: Value) -> Run {
        crate::test_support::run("issue", site, event, selector).await
    }

    #[tokio::test]
    async fn opened_and_labeled_issues_are_fetched_with_their_repository() {
        for name in ["issue_opened", "issue_labeled"] {
            let site = Site::sample();
            let issue = run(&site, &sample(name), json!({})).await.updated();
            assert_eq!(issue["number"], 7);
            assert_eq!(issue["__repository"], "shop");
            assert_eq!(issue["__organization"], "acme");
            assert_eq!(issue["__repository_object"]["full_name"], "acme/shop");
            assert_eq!(site.calls(), ["GET /repos/acme/shop/issues/7"]);
        }
    }

    #[tokio::test]
    async fn deleted_and_transferred_issues_are_deleted_without_asking() {
        for name in ["issue_deleted", "issue_transferred"] {
            let site = Site::sample();
            let issue = run(&site, &sample(name), json!({ "state": "all" })).await;
            let issue = issue.deleted();
            assert_eq!(
                (&issue["number"], &issue["__repository"]),
                (&json!(9), &json!("shop"))
            );
            assert!(site.calls().is_empty());
        }
    }

    #[tokio::test]
    async fn issues_that_the_selector_does_not_want_are_deleted() {
        for (name, selector, is_wanted) in [
            ("issue_closed", json!({}), false),
            ("issue_closed", json!({ "state": "closed" }), true),
            ("issue_closed", json!({ "state": "all" }), true),
            ("issue_opened", json!({ "state": "closed" }), false),
            (
                "issue_opened",
                json!({ "labels": ["infra", "security"] }),
                true,
            ),
            (
                "issue_opened",
                json!({ "labels": ["infra", "docs"] }),
                false,
            ),
            ("issue_opened", json!({ "labels": [] }), true),
        ] {
            let run = run(&Site::sample(), &sample(name), selector).await;
            let issue = match is_wanted {
                true => run.updated(),
                false => run.deleted(),
            };
            assert_eq!(issue["__repository"], "shop");
        }
    }

    #[tokio::test]
    async fn an_issue_of_a_repository_that_the_search_does_not_find_is_deleted() {
        let site = Site::always(200, r#"{"total_count":0,"items":[]}"#);
        let selector = json!({ "repoSearch": { "query": "topic:service" } });
        run(&site, &sample("issue_opened"), selector)
            .await
            .deleted();
        assert_eq!(
            site.calls(),
            ["GET /search/repositories?q=topic:service repo:acme/shop"]
        );
    }

    #[tokio::test]
    async fn an_issue_that_github_does_not_have_is_deleted() {
        for site in [Site::always(404, "{}"), Site::always(410, "{}")] {
            let issue = run(&site, &sample("issue_opened"), json!({}))
                .await
                .deleted();
            assert_eq!(issue["number"], 7);
        }
    }

    #[tokio::test]
    async fn an_error_of_github_is_neither_an_update_nor_a_delete() {
        let site = Site::always(500, "{}");
        let run = run(&site, &sample("issue_opened"), json!({})).await;
        assert!(matches!(run, Run::Failed(_)), "{run:?}");
    }

    #[tokio::test]
    async fn an_issue_without_number_is_refused_and_other_events_are_ignored() {
        let (name, mut body) = sample("issue_opened");
        body["issue"]["number"] = Value::Null;
        let site = Site::sample();
        assert_eq!(
            run(&site, &(name, body.clone()), json!({})).await,
            Run::Invalid("invalid payload: no value at `/issue/number`".to_owned())
        );
        let run = run(&site, &("issue_comment", body), json!({})).await;
        assert_eq!(run, Run::Ignored);
    }
}
