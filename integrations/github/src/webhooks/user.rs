//! Users: the members of an organization.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{GitHubClient, GitHubError},
    payload::{Account, in_organization},
    selector::UserSelector,
};

/// `organization` with action `member_added` or `member_removed`.
#[derive(Debug, Deserialize)]
pub struct MemberEvent {
    /// The organization.
    pub organization: Account,
    /// Who belongs to it.
    pub membership: Membership,
}

/// Who belongs to it.
#[derive(Debug, Deserialize)]
pub struct Membership {
    /// The user.
    pub user: Account,
}

/// Keeps the members of an organization in step.
#[webhook_processor(
    path = "/webhook",
    kinds = ["user"],
    event = "organization",
    when(pointer = "/action", in = ["member_added", "member_removed"]),
    requires = ["/membership/user/login", "/organization/login"],
    key = "/membership/user/id",
    delete_when(pointer = "/action", eq = "member_removed"),
    delete = "/membership/user",
    enrich = in_organization,
)]
pub async fn user(
    event: Payload<MemberEvent>,
    selector: Selector<UserSelector>,
    github: State<GitHubClient>,
) -> Result<Option<Raw>, GitHubError> {
    let (organization, login) = (&event.organization.login, &event.membership.user.login);
    github
        .user(organization, login, selector.include_saml_email)
        .await
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::test_support::{Run, Site, sample};

    async fn run(site: &Site, event: &(&str, Value), selector: Value) -> Run {
        crate::test_support::run("user", site, event, selector).await
    }

    #[tokio::test]
    async fn a_new_member_is_fetched_and_identified_where_no_email_is_known() {
        let user = run(&Site::sample(), &sample("member_joined"), json!({}))
            .await
            .updated();
        assert_eq!(
            (&user["login"], &user["name"]),
            (&json!("ben-ito"), &json!("Ben Ito"))
        );
        assert_eq!(user["email"], "ben-ito@acme.example.com");
        assert_eq!(user["__organization"], "acme");
    }

    #[tokio::test]
    async fn a_former_member_is_deleted_without_asking() {
        let site = Site::sample();
        let user = run(&site, &sample("member_left"), json!({}))
            .await
            .deleted();
        assert_eq!(
            (&user["login"], site.calls().len()),
            (&json!("cal-reyes"), 0)
        );
    }

    #[tokio::test]
    async fn a_missing_user_is_deleted_and_other_actions_are_ignored() {
        let (name, mut body) = sample("member_joined");
        let site = Site::always(404, "{}");
        run(&site, &(name, body.clone()), json!({})).await.deleted();
        body["action"] = json!("member_invited");
        assert_eq!(
            run(&site, &(name, body.clone()), json!({})).await,
            Run::Ignored
        );
        body["action"] = json!("member_added");
        body["membership"] = json!({});
        let run = run(&site, &(name, body), json!({})).await;
        assert!(matches!(run, Run::Invalid(_)), "{run:?}");
    }
}
