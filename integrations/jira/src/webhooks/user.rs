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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::test_support::{Run, Site, sample};

    async fn run(site: &Site, body: &Value, selector: Value) -> Run {
        crate::test_support::run("user", site, body, selector).await
    }

    #[tokio::test]
    async fn created_and_updated_users_are_fetched() {
        for (name, email) in [
            ("user_created", "ben@example.com"),
            ("user_updated", "ann@example.com"),
        ] {
            let user = run(&Site::sample(), &sample(name), json!({}))
                .await
                .updated();
            assert_eq!(user["emailAddress"], email);
        }
    }

    #[tokio::test]
    async fn a_deleted_user_is_deleted_whatever_jira_says() {
        let body = sample("user_deleted");
        let gone = run(&Site::always(500, "{}"), &body, json!({}))
            .await
            .deleted();
        assert_eq!(gone, body["user"]);
    }

    #[tokio::test]
    async fn a_user_that_jira_does_not_have_is_deleted() {
        let body = json!({ "webhookEvent": "user_updated", "user": { "accountId": "a1" } });
        assert_eq!(
            run(&Site::sample(), &body, json!({})).await.deleted(),
            body["user"]
        );
    }

    #[tokio::test]
    async fn a_user_without_account_is_refused() {
        let body = json!({ "webhookEvent": "user_updated", "user": { "displayName": "Ann" } });
        let run = run(&Site::sample(), &body, json!({})).await;
        assert_eq!(
            run,
            Run::Invalid("invalid payload: no value at `/user/accountId`".to_owned())
        );
    }
}
