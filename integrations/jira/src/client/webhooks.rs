//! The calls by which a webhook is registered.

use ocean_core::http::Request;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, JiraClient, JiraError};

// By Atlassian's reference a filter is required and cannot be empty, so it names a project that
// cannot exist.
const ALL_ISSUES: &str = "project not in (1a6f3f5e-7f0e-4c53-9e55-2b1df0c6d0a4)";

/// A webhook that exists.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Webhook {
    #[serde(default)]
    pub(crate) id: Option<u64>,
    #[serde(default)]
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) events: Vec<String>,
    pub(crate) enabled: Option<bool>,
    pub(crate) is_signed: Option<bool>,
    // Webhooks of administrators have filters by section, those of OAuth apps one JQL.
    #[serde(default)]
    filters: serde_json::Map<String, Value>,
    jql_filter: Option<String>,
}

impl Webhook {
    /// The JQL that keeps events of some issues back, if there is one.
    pub(crate) fn jql(&self) -> Option<&str> {
        let own = self.jql_filter.as_deref();
        let by_section = self.filters.values().filter_map(Value::as_str);
        own.into_iter()
            .chain(by_section)
            .find(|jql| !jql.trim().is_empty() && *jql != ALL_ISSUES)
    }
}

/// A webhook to register.
#[derive(Debug)]
pub(crate) struct NewWebhook<'a> {
    pub(crate) name: &'a str,
    pub(crate) url: &'a str,
    pub(crate) events: &'a [&'a str],
    pub(crate) secret: Option<&'a str>,
}

impl JiraClient {
    /// Whether webhooks are those of an OAuth app: one an app, without secret, for 30 days.
    pub(crate) fn is_oauth(&self) -> bool {
        self.auth.is_oauth()
    }

    /// Whether the account may register webhooks.
    pub(crate) async fn is_admin(&self) -> Result<bool, JiraError> {
        let url = self.url(Api::Platform, &["mypermissions"]).await?;
        let request = Request::get(&url).query("permissions", "ADMINISTER");
        let answer: Value = self.read(request).await?;
        let verdict = answer.pointer("/permissions/ADMINISTER/havePermission");
        Ok(verdict == Some(&Value::Bool(true)))
    }

    /// The webhooks that we may see.
    pub(crate) async fn webhooks(&self) -> Result<Vec<Webhook>, JiraError> {
        #[derive(Deserialize)]
        struct Page {
            values: Vec<Webhook>,
        }
        let url = self.url(Api::Webhooks, &[]).await?;
        match self.is_oauth() {
            true => Ok(self.read::<Page>(Request::get(&url)).await?.values),
            false => self.read(Request::get(&url)).await,
        }
    }

    /// Registers a webhook.
    pub(crate) async fn create_webhook(&self, webhook: &NewWebhook<'_>) -> Result<(), JiraError> {
        let NewWebhook {
            name,
            url,
            events,
            secret,
        } = webhook;
        let body = match (self.is_oauth(), secret) {
            (true, _) => json!({
                "url": url,
                "webhooks": [{ "jqlFilter": ALL_ISSUES, "events": events }],
            }),
            (false, Some(secret)) => {
                json!({ "name": name, "url": url, "events": events, "secret": secret })
            }
            (false, None) => json!({ "name": name, "url": url, "events": events }),
        };
        let address = self.url(Api::Webhooks, &[]).await?;
        self.send(Request::post(&address).json(&body))
            .await
            .map(drop)
    }

    /// Puts the end of an OAuth app's webhook 30 days from now.
    pub(crate) async fn refresh_webhook(&self, id: u64) -> Result<(), JiraError> {
        let url = self.url(Api::Webhooks, &["refresh"]).await?;
        let body = json!({ "webhookIds": [id] });
        self.send(Request::put(&url).json(&body)).await.map(drop)
    }
}
