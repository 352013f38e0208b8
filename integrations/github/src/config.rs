//! The integration's own settings, as `.port/spec.yaml` declares them.

use ocean_core::source::Secret;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use url::Url;

/// Settings of the integration, set by `OCEAN__INTEGRATION__CONFIG__…`.
#[derive(Clone, Debug, Deserialize)]
pub struct GitHubConfig {
    /// The address of the REST API: `https://api.github.com`, or `https://<host>/api/v3` of a
    /// GitHub Enterprise server.
    #[serde(default, deserialize_with = "host")]
    pub github_host: ApiHost,
    /// A personal access token. Either this or an app is needed.
    #[serde(default, deserialize_with = "secret")]
    pub github_token: Option<Secret>,
    /// The id of a GitHub App.
    #[serde(default, deserialize_with = "id")]
    pub github_app_id: Option<String>,
    /// The private key of that app: PEM, or PEM once more in base64.
    #[serde(default, deserialize_with = "secret")]
    pub github_app_private_key: Option<Secret>,
    /// The organization whose webhook is registered.
    #[serde(default, deserialize_with = "text")]
    pub github_organization: Option<String>,
    /// The secrets with which GitHub may sign its webhooks, the one for new webhooks first.
    #[serde(default, deserialize_with = "secrets")]
    pub webhook_secret: Vec<Secret>,
    /// Whether an existing webhook is left as it is, even if it lacks the secret.
    #[serde(default)]
    pub skip_webhook_patching: Option<bool>,
}

/// The address of GitHub's REST API.
#[derive(Clone, Debug)]
pub struct ApiHost(pub Url);

impl Default for ApiHost {
    fn default() -> Self {
        Self(Url::parse("https://api.github.com").expect("a constant"))
    }
}

fn host<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ApiHost, D::Error> {
    let url = Option::<Url>::deserialize(deserializer)?;
    Ok(url.map(ApiHost).unwrap_or_default())
}

fn secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Secret>, D::Error> {
    Ok(Secret::parse(&Value::deserialize(deserializer)?))
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(text(deserializer)?.map(Secret::new))
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.trim().is_empty()))
}

// The spec says text, but an id that was written as a number means the same.
fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(settings: Value) -> GitHubConfig {
        serde_json::from_value(settings).unwrap()
    }

    #[test]
    fn everything_has_a_default() {
        let config = config(json!({ "github_host": null, "github_token": "" }));
        assert_eq!(config.github_host.0.as_str(), "https://api.github.com/");
        assert!(config.github_token.is_none() && config.webhook_secret.is_empty());
    }

    #[test]
    fn an_app_id_may_be_a_number_and_secrets_several() {
        let config = config(json!({ "github_app_id": 7, "webhook_secret": "new\nold" }));
        assert_eq!(config.github_app_id.as_deref(), Some("7"));
        assert_eq!(config.webhook_secret.len(), 2);
    }

    #[test]
    fn secrets_do_not_appear_in_debug_output() {
        let config = config(json!({
            "github_token": "hush-1", "github_app_private_key": "hush-2", "webhook_secret": "hush-3",
        }));
        let text = format!("{config:?}");
        assert!(!text.contains("hush"), "{text}");
    }
}
