//! The integration's own settings, as `.port/spec.yaml` declares them.

use ocean_core::source::Secret;
use serde::{Deserialize, Deserializer};
use url::Url;

/// Settings of the integration, set by `OCEAN__INTEGRATION__CONFIG__…`.
#[derive(Clone, Debug, Deserialize)]
pub struct JiraConfig {
    /// The address of the Jira site.
    pub jira_host: Url,
    /// The e-mail address of the account whose token is used.
    pub atlassian_user_email: String,
    /// The API token, or an OAuth access token where no token file can be read.
    pub atlassian_user_token: Secret,
    /// The secrets with which Jira may sign its webhooks, the one for new webhooks first.
    #[serde(default, deserialize_with = "secrets")]
    pub webhook_secret: Vec<Secret>,
}

fn secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Secret>, D::Error> {
    Ok(Secret::parse(&serde_json::Value::deserialize(
        deserializer,
    )?))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn config(webhook_secret: Value) -> JiraConfig {
        serde_json::from_value(json!({
            "jira_host": "https://example.atlassian.net",
            "atlassian_user_email": "ann@example.com",
            "atlassian_user_token": "t0ken",
            "atlassian_organization_id": null,
            "app_host": null,
            "webhook_secret": webhook_secret,
        }))
        .unwrap()
    }

    #[test]
    fn there_may_be_several_webhook_secrets_or_none() {
        for (setting, secrets) in [
            (json!("new\nold"), vec!["new", "old"]),
            (json!(["new", "old"]), vec!["new", "old"]),
            (json!(null), vec![]),
        ] {
            let config = config(setting);
            let texts: Vec<_> = config.webhook_secret.iter().map(Secret::expose).collect();
            assert_eq!(texts, secrets);
        }
    }

    #[test]
    fn secrets_do_not_appear_in_debug_output() {
        let text = format!("{:?}", config(json!("hush")));
        assert!(!text.contains("t0ken") && !text.contains("hush"), "{text}");
    }
}
