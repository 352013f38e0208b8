//! Releases.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{GitHubClient, GitHubError},
    payload::{Identified, Repository, in_repository},
    selector::AnySelector,
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
    selector: Selector<AnySelector>,
    github: State<GitHubClient>,
) -> Result<Option<Raw>, GitHubError> {
    let path = ["releases", &event.release.id];
    github.find_in(&event.repository, &selector, &path).await
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::test_support::{Run, Site, sample};

    async fn run(site: &Site, event: &(&str, Value), selector: Value) -> Run {
        crate::test_support::run("release", site, event, selector).await
    }

    #[tokio::test]
    async fn published_and_edited_releases_are_fetched() {
        for name in ["release_published", "release_edited"] {
            let release = run(&Site::sample(), &sample(name), json!({}))
                .await
                .updated();
            assert_eq!(release["tag_name"], "v1.2.0");
            assert_eq!(release["__repository"], "shop");
        }
    }

    #[tokio::test]
    async fn a_deleted_release_is_deleted_without_asking() {
        let site = Site::sample();
        let release = run(&site, &sample("release_deleted"), json!({}))
            .await
            .deleted();
        assert_eq!(
            (&release["id"], &release["__repository"]),
            (&json!(302), &json!("shop"))
        );
        assert!(site.calls().is_empty());
    }

    #[tokio::test]
    async fn a_missing_release_is_deleted_and_one_without_id_refused() {
        let (name, mut body) = sample("release_edited");
        let site = Site::always(404, "{}");
        run(&site, &(name, body.clone()), json!({})).await.deleted();
        body["release"] = json!({});
        let run = run(&site, &(name, body), json!({})).await;
        assert!(matches!(run, Run::Invalid(_)), "{run:?}");
    }
}
