//! Users.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::client::{JiraClient, JiraError};

/// `user_created`, `user_updated`.
#[derive(Debug, Deserialize)]
pub struct UserEvent {
    /// The user.
    pub user: User,
}

/// What names a user.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The id of the Atlassian account.
    pub account_id: String,
}

/// Keeps users in step.
#[webhook_processor(
    path = "/webhook",
    kinds = ["user"],
    event_prefix = "user_",
    requires = ["/user/accountId"],
    key = "/user/accountId",
    delete_on = ["user_deleted"],
    delete = "/user",
)]
pub async fn user(
    event: Payload<UserEvent>,
    jira: State<JiraClient>,
) -> Result<Option<Raw>, JiraError> {
    jira.user(&event.user.account_id).await
}
