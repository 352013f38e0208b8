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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::test_support::{Run, Site, sample};

    async fn run(site: &Site, event: &(&str, Value), selector: Value) -> Run {
        crate::test_support::run("repository", site, event, selector).await
    }

    #[tokio::test]
    async fn created_and_changed_repositories_are_fetched() {
        for name in [
            "repository_created",
            "repository_edited",
            "repository_unarchived",
        ] {
            let site = Site::sample();
            let repository = run(&site, &sample(name), json!({})).await.updated();
            assert_eq!(repository["topics"], json!(["service"]), "as fetched");
            assert_eq!(repository["__organization"], "acme");
            assert_eq!(site.calls(), ["GET /repos/acme/shop"]);
        }
    }

    #[tokio::test]
    async fn what_the_selector_includes_is_fetched_too() {
        let selector = json!({
            "includedFiles": ["README.md", "docs/none.md"],
            "includedRelations": {
                "collaborators": { "affiliation": "direct" },
                "teams": true, "sbom": true, "customProperties": true, "pages": true,
            },
        });
        let site = Site::sample();
        let it = run(&site, &sample("repository_edited"), selector)
            .await
            .updated();
        assert_eq!(
            it["__includedFiles"],
            json!({ "README.md": "# Shop\n", "docs/none.md": null })
        );
        assert_eq!(it["__collaborators"][0]["login"], "ben-ito");
        assert_eq!(it["__teams"][0]["slug"], "core");
        assert_eq!(it["__sbom"]["name"], "acme/shop");
        assert_eq!(it["__custom_properties"][0]["value"], "1");
        assert_eq!(it["__pages"], json!({}), "there are none");
        let asked = "GET /repos/acme/shop/collaborators?per_page=100&affiliation=direct";
        assert!(
            site.calls().iter().any(|call| call == asked),
            "{:?}",
            site.calls()
        );
    }

    #[tokio::test]
    async fn somebodys_access_is_fetched_anew() {
        let selector = json!({ "include": ["collaborators"] });
        let it = run(&Site::sample(), &sample("collaborator_added"), selector).await;
        assert_eq!(it.updated()["__collaborators"][0]["login"], "ben-ito");
    }

    #[tokio::test]
    async fn archived_and_deleted_repositories_are_deleted_without_asking() {
        for (name, expected) in [
            ("repository_archived", "shop"),
            ("repository_deleted", "attic"),
        ] {
            let site = Site::sample();
            let repository = run(&site, &sample(name), json!({})).await.deleted();
            assert_eq!(
                (&repository["name"], site.calls().len()),
                (&json!(expected), 0)
            );
        }
    }

    #[tokio::test]
    async fn a_renamed_repository_leaves_nothing_under_its_former_name() {
        let run = run(&Site::sample(), &sample("repository_renamed"), json!({})).await;
        let Run::Done { updated, deleted } = run else {
            panic!("{run:?}");
        };
        assert_eq!((updated.len(), &updated[0]["name"]), (1, &json!("shop")));
        assert_eq!((deleted.len(), &deleted[0]["name"]), (1, &json!("store")));
        assert_eq!(deleted[0]["full_name"], "acme/store");
        assert_eq!(deleted[0]["id"], updated[0]["id"]);
    }

    #[tokio::test]
    async fn a_missing_repository_is_deleted_and_one_without_owner_refused() {
        let (name, mut body) = sample("repository_edited");
        let site = Site::always(404, "{}");
        run(&site, &(name, body.clone()), json!({})).await.deleted();
        body["repository"]["owner"] = json!({});
        let run = run(&site, &(name, body), json!({})).await;
        assert!(matches!(run, Run::Invalid(_)), "{run:?}");
    }
}
