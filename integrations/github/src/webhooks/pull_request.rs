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
    let path = ["pulls", &event.pull_request.number];
    let found = github.find_in(&event.repository, &selector, &path).await?;
    Ok(found.filter(|pull| selector.admits(pull)))
}

impl PullRequestSelector {
    fn admits(&self, pull: &Raw) -> bool {
        pull.read::<PullRequest>()
            .is_ok_and(|pull| self.states.contains(&pull.state))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::test_support::{Run, Site, sample};

    async fn run(site: &Site, event: &(&str, Value), selector: Value) -> Run {
        crate::test_support::run("pull-request", site, event, selector).await
    }

    #[tokio::test]
    async fn every_action_fetches_the_pull_request() {
        for name in [
            "pull_request_opened",
            "pull_request_synchronize",
            "pull_request_review_requested",
        ] {
            let pull = run(&Site::sample(), &sample(name), json!({}))
                .await
                .updated();
            assert_eq!(
                (&pull["number"], &pull["__repository"]),
                (&json!(11), &json!("shop"))
            );
        }
    }

    #[tokio::test]
    async fn a_pull_request_in_an_unwanted_state_is_deleted_as_the_payload_has_it() {
        for (selector, is_wanted) in [
            (json!({}), false),
            (json!({ "states": ["open"] }), false),
            (json!({ "states": ["open", "closed"] }), true),
            (json!({ "states": ["closed"] }), true),
        ] {
            let run = run(&Site::sample(), &sample("pull_request_closed"), selector).await;
            let pull = match is_wanted {
                true => run.updated(),
                false => run.deleted(),
            };
            // What the default mapping makes the identifier of.
            assert_eq!(pull["head"]["repo"]["name"], "shop");
            assert_eq!(
                (&pull["id"], &pull["__organization"]),
                (&json!(80012), &json!("acme"))
            );
        }
    }

    #[tokio::test]
    async fn a_missing_pull_request_is_deleted_and_one_without_number_refused() {
        let site = Site::always(404, "{}");
        let (name, mut body) = sample("pull_request_opened");
        run(&site, &(name, body.clone()), json!({})).await.deleted();
        body["pull_request"]["number"] = json!("eleven");
        let run = run(&site, &(name, body), json!({})).await;
        assert!(matches!(run, Run::Invalid(_)), "{run:?}");
    }
}
