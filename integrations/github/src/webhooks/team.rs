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
