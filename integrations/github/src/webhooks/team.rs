//! Teams, and who belongs to them.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{GitHubClient, GitHubError},
    payload::{Account, in_organization},
    selector::TeamSelector,
};

/// `team` and `membership`.
#[derive(Debug, Deserialize)]
pub struct TeamEvent {
    /// The organization.
    pub organization: Account,
    /// The team.
    pub team: Team,
}

/// What names a team.
#[derive(Debug, Deserialize)]
pub struct Team {
    /// Its name in addresses.
    pub slug: String,
}

/// Keeps teams in step, also when somebody joins or leaves.
#[webhook_processor(
    path = "/webhook",
    kinds = ["team"],
    events = ["team", "membership"],
    requires = ["/team/slug", "/organization/login"],
    key = "/team/id",
    delete_when(pointer = "/action", eq = "deleted"),
    delete = "/team",
    enrich = in_organization,
)]
pub async fn team(
    event: Payload<TeamEvent>,
    selector: Selector<TeamSelector>,
    github: State<GitHubClient>,
) -> Result<Option<Raw>, GitHubError> {
    let organization = &event.organization.login;
    github.team(organization, &event.team.slug, &selector).await
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::test_support::{Run, Site, sample};

    async fn run(site: &Site, event: &(&str, Value), selector: Value) -> Run {
        crate::test_support::run("team", site, event, selector).await
    }

    #[tokio::test]
    async fn teams_are_fetched_with_their_members() {
        for name in [
            "team_created",
            "team_edited",
            "membership_added",
            "membership_removed",
        ] {
            let site = Site::sample();
            let team = run(&site, &sample(name), json!({})).await.updated();
            assert_eq!(
                (&team["id"], &team["__organization"]),
                (&json!(610), &json!("acme"))
            );
            assert_eq!(team["members"]["nodes"][0]["login"], "ann-okafor");
            assert_eq!(team["databaseId"], 610);
            assert_eq!(site.calls(), ["GET /orgs/acme/teams/core", "POST /graphql"]);
        }
    }

    #[tokio::test]
    async fn members_are_left_out_and_identified_as_the_selector_says() {
        let event = sample("team_edited");
        let team = run(&Site::sample(), &event, json!({ "members": false }))
            .await
            .updated();
        assert_eq!(team.get("members"), None);
        let selector = json!({ "includeSAMLEmail": true });
        let team = run(&Site::sample(), &event, selector).await.updated();
        let member = &team["members"]["nodes"][0];
        assert_eq!(member["__SAMLEmail"], "ann-okafor@acme.example.com");
        assert_eq!(member["email"], "ann@example.com");
    }

    #[tokio::test]
    async fn a_deleted_team_is_deleted_without_asking_under_the_id_it_always_had() {
        let site = Site::sample();
        let team = run(&site, &sample("team_deleted"), json!({}))
            .await
            .deleted();
        assert_eq!((&team["id"], site.calls().len()), (&json!(611), 0));
    }

    #[tokio::test]
    async fn a_missing_team_is_deleted_and_one_without_slug_refused() {
        let (name, mut body) = sample("team_edited");
        let site = Site::always(404, "{}");
        run(&site, &(name, body.clone()), json!({})).await.deleted();
        body["team"]["slug"] = Value::Null;
        let run = run(&site, &(name, body), json!({})).await;
        assert!(matches!(run, Run::Invalid(_)), "{run:?}");
    }
}
