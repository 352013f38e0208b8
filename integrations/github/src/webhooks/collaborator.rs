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
    let found = github.find_in(&event.repository, &selector, &path).await?;
    let user = found.and_then(|raw| raw.read::<Permission>().ok());
    Ok(user.map(|permission| permission.user).into_outcome())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::test_support::{Run, Site, sample};

    async fn run(site: &Site, event: &(&str, Value), selector: Value) -> Run {
        crate::test_support::run("collaborator", site, event, selector).await
    }

    #[tokio::test]
    async fn somebody_who_is_given_access_is_fetched() {
        let it = run(&Site::sample(), &sample("collaborator_added"), json!({}))
            .await
            .updated();
        assert_eq!(
            (&it["login"], &it["__repository"]),
            (&json!("ben-ito"), &json!("shop"))
        );
        assert_eq!(it["permissions"]["push"], true);
    }

    #[tokio::test]
    async fn somebody_who_loses_access_is_deleted_without_asking() {
        let site = Site::sample();
        let it = run(&site, &sample("collaborator_removed"), json!({}))
            .await
            .deleted();
        assert_eq!(
            (&it["login"], &it["__repository"]),
            (&json!("cal-reyes"), &json!("shop"))
        );
        assert!(site.calls().is_empty());
    }

    #[tokio::test]
    async fn an_affiliation_that_events_do_not_tell_is_left_alone() {
        let selector = json!({ "affiliation": "direct" });
        assert_eq!(
            run(&Site::sample(), &sample("collaborator_added"), selector).await,
            Run::Done {
                updated: vec![],
                deleted: vec![]
            }
        );
    }

    #[tokio::test]
    async fn a_missing_collaborator_is_deleted_and_one_without_login_refused() {
        let (name, mut body) = sample("collaborator_added");
        let site = Site::always(404, "{}");
        run(&site, &(name, body.clone()), json!({})).await.deleted();
        body["member"] = json!({});
        let run = run(&site, &(name, body), json!({})).await;
        assert!(matches!(run, Run::Invalid(_)), "{run:?}");
    }
}
