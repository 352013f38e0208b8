//! Tags.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{GitHubClient, GitHubError},
    payload::{Repository, in_repository, text},
    selector::AnySelector,
};

/// `create` and `delete` of a tag.
#[derive(Debug, Deserialize)]
pub struct TagEvent {
    /// The repository.
    pub repository: Repository,
    /// The tag's name.
    #[serde(rename = "ref")]
    pub name: String,
}

/// What a reference of GitHub's leads to.
#[derive(Debug, Deserialize)]
struct Reference {
    object: Option<Raw>,
}

/// Names the tag, and its commit as a list of tags would: a single reference says neither.
fn as_tag(event: &WebhookEvent, raw: Raw) -> Raw {
    let raw = in_repository(event, raw).with("name", &text(event, "/ref"));
    match raw.read() {
        Ok(Reference {
            object: Some(object),
        }) => raw.with("commit", &object),
        _ => raw,
    }
}

/// Keeps tags in step.
#[webhook_processor(
    path = "/webhook",
    kinds = ["tag"],
    events = ["create", "delete"],
    when(pointer = "/ref_type", eq = "tag"),
    requires = ["/ref", "/repository/name"],
    key = ["/repository/id", "/ref"],
    delete_on = ["delete"],
    delete = "",
    enrich = as_tag,
)]
pub async fn tag(
    event: Payload<TagEvent>,
    selector: Selector<AnySelector>,
    github: State<GitHubClient>,
) -> Result<Option<Raw>, GitHubError> {
    let mut path = vec!["git", "ref", "tags"];
    path.extend(event.name.split('/'));
    github.find_in(&event.repository, &selector, &path).await
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::test_support::{Run, Site, sample};

    async fn run(site: &Site, event: &(&str, Value), selector: Value) -> Run {
        crate::test_support::run("tag", site, event, selector).await
    }

    #[tokio::test]
    async fn a_created_tag_is_fetched_with_name_and_commit() {
        let tag = run(&Site::sample(), &sample("tag_created"), json!({}))
            .await
            .updated();
        assert_eq!(tag["name"], "v1.2.0");
        assert_eq!(tag["commit"], tag["object"]);
        assert_eq!(tag["__repository"], "shop");
    }

    #[tokio::test]
    async fn deleted_and_missing_tags_are_deleted_by_their_name() {
        let site = Site::sample();
        let tag = run(&site, &sample("tag_deleted"), json!({}))
            .await
            .deleted();
        assert_eq!((&tag["name"], site.calls().len()), (&json!("v0.9.0"), 0));
        let (name, mut body) = sample("tag_created");
        body["ref"] = json!("team/v2");
        let tag = run(&site, &(name, body), json!({})).await.deleted();
        assert_eq!(
            (&tag["name"], &tag["__organization"]),
            (&json!("team/v2"), &json!("acme"))
        );
        assert_eq!(site.calls(), ["GET /repos/acme/shop/git/ref/tags/team/v2"]);
    }

    #[tokio::test]
    async fn branches_are_no_tags_and_a_tag_without_name_is_refused() {
        let site = Site::sample();
        assert_eq!(
            run(&site, &sample("branch_created"), json!({})).await,
            Run::Ignored
        );
        let (name, mut body) = sample("tag_created");
        body["ref"] = Value::Null;
        let run = run(&site, &(name, body), json!({})).await;
        assert!(matches!(run, Run::Invalid(_)), "{run:?}");
    }
}
