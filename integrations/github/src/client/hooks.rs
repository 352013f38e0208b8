//! The calls by which an organization's webhook is registered.

use ocean_core::http::Request;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{As, GitHubClient, GitHubError, PAGE, repositories::with_query};

/// A webhook that exists.
#[derive(Debug, Deserialize)]
pub(crate) struct Hook {
    pub(crate) id: u64,
    #[serde(default)]
    pub(crate) active: bool,
    #[serde(default)]
    pub(crate) events: Vec<String>,
    #[serde(default)]
    pub(crate) config: HookConfig,
}

/// How it delivers.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct HookConfig {
    #[serde(default)]
    pub(crate) url: String,
    /// Masked, so it only tells whether there is one.
    pub(crate) secret: Option<String>,
}

/// A webhook as it should be.
#[derive(Debug)]
pub(crate) struct NewHook<'a> {
    pub(crate) url: &'a str,
    pub(crate) events: &'a [&'a str],
    pub(crate) secret: Option<&'a str>,
}

impl NewHook<'_> {
    fn config(&self) -> Value {
        let mut config = json!({ "url": self.url, "content_type": "json" });
        if let Some(secret) = self.secret {
            config["secret"] = secret.into();
        }
        config
    }
}

impl GitHubClient {
    /// The organization's webhooks.
    pub(crate) async fn hooks(&self, organization: &str) -> Result<Vec<Hook>, GitHubError> {
        let url = with_query(
            &self.url(&["orgs", organization, "hooks"]),
            &[("per_page", PAGE)],
        );
        let found = self
            .list(organization, url, None)
            .await?
            .unwrap_or_default();
        Ok(found.iter().filter_map(|hook| hook.read().ok()).collect())
    }

    /// Registers a webhook.
    pub(crate) async fn create_hook(
        &self,
        organization: &str,
        hook: &NewHook<'_>,
    ) -> Result<(), GitHubError> {
        let body = json!({
            "name": "web", "active": true, "events": hook.events, "config": hook.config(),
        });
        let request = Request::post(&self.url(&["orgs", organization, "hooks"])).json(&body);
        self.send(As::Account(organization), request)
            .await
            .map(drop)
    }

    /// Gives an existing webhook the wanted address and secret.
    pub(crate) async fn configure_hook(
        &self,
        organization: &str,
        id: u64,
        hook: &NewHook<'_>,
    ) -> Result<(), GitHubError> {
        let url = self.url(&["orgs", organization, "hooks", &id.to_string()]);
        let request = Request::patch(&url).json(&json!({ "config": hook.config() }));
        self.send(As::Account(organization), request)
            .await
            .map(drop)
    }
}
