//! The integration's own settings, as `.port/spec.yaml` declares them.

use std::fmt;

use serde::Deserialize;
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
    /// The organization whose teams are read.
    #[serde(default)]
    pub atlassian_organization_id: Option<String>,
    /// The secrets with which Jira may sign its webhooks, the one for new webhooks first.
    #[serde(default)]
    pub webhook_secret: Secrets,
}

// === Secret ===

/// Text that never reaches a log.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

// === Secrets ===

/// Several valid secrets, one a line or a list, so that one can be replaced without a gap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Option<OneOrMany>")]
pub struct Secrets(Vec<Secret>);

impl Secrets {
    /// The secret that new webhooks are registered with.
    pub fn first(&self) -> Option<&Secret> {
        self.0.first()
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Lines(String),
    List(Vec<String>),
}

impl From<Option<OneOrMany>> for Secrets {
    fn from(value: Option<OneOrMany>) -> Self {
        let lines = match value {
            None => Vec::new(),
            Some(OneOrMany::Lines(text)) => text.lines().map(str::to_owned).collect(),
            Some(OneOrMany::List(list)) => list,
        };
        let secrets = lines.iter().map(|line| line.trim());
        Self(
            secrets
                .filter(|secret| !secret.is_empty())
                .map(|secret| Secret(secret.to_owned()))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(webhook_secret: serde_json::Value) -> JiraConfig {
        serde_json::from_value(serde_json::json!({
            "jira_host": "https://example.atlassian.net",
            "atlassian_user_email": "ann@example.com",
            "atlassian_user_token": "t0ken",
            "webhook_secret": webhook_secret,
            "app_host": null,
        }))
        .unwrap()
    }

    #[test]
    fn secrets_are_lines_or_a_list() {
        for (setting, first) in [
            (serde_json::json!("new\nold"), Some("new")),
            (serde_json::json!(" only \n"), Some("only")),
            (serde_json::json!(["new", "old"]), Some("new")),
            (serde_json::json!(""), None),
            (serde_json::json!(null), None),
        ] {
            let secrets = config(setting.clone()).webhook_secret;
            assert_eq!(secrets.first().map(Secret::reveal), first, "{setting}");
        }
    }

    #[test]
    fn secrets_do_not_appear_in_debug_output() {
        let text = format!("{:?}", config(serde_json::json!("hush")));
        assert!(!text.contains("t0ken") && !text.contains("hush"), "{text}");
    }
}
