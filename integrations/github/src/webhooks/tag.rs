//! Tags.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{GitHubClient, GitHubError},
    payload::{Repository, in_repository, text},
    selector::InRepositories,
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
    selector: Selector<InRepositories>,
    github: State<GitHubClient>,
) -> Result<Option<Raw>, GitHubError> {
    let mut path = vec!["git", "ref", "tags"];
    path.extend(event.name.split('/'));
    github
        .find_in(&event.repository, selector.repo_search.as_ref(), &path)
        .await
}
