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
