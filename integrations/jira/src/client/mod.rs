//! The calls of Jira's REST API that the processors share.
//!
//! It owns addresses, authorization, paging and what "not found" means. It knows nothing of events.
//! **`None` means that Jira itself said the object does not exist (or that we may not see it);
//! everything else that goes wrong is an error.**
//!
//! Each call asks Jira anew. Answers are not shared between events, not even while a call is under
//! way: a call that began before an event may show the state before it.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use ocean_core::{
    Raw, StartContext,
    http::{HttpClient, HttpError, HttpOptions, Request, Response},
};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::OnceCell;
use url::Url;

use crate::config::JiraConfig;

mod agile;
mod auth;
mod error;
mod jql;
mod platform;
mod throttle;
mod webhooks;

pub use error::JiraError;
pub(crate) use webhooks::{NewWebhook, Webhook};

use auth::{Api, Auth, join};
use throttle::RateLimits;

const ATLASSIAN: &str = "https://api.atlassian.com";

/// A client of one Jira site. All processors share it, and with it its connections and limits.
#[derive(Debug)]
pub struct JiraClient {
    http: HttpClient,
    auth: Auth,
    site: Url,
    // Where OAuth's own calls go; differs in tests only.
    atlassian: Url,
    // Found on the first call that needs it, and then as constant as the site itself.
    cloud_id: OnceCell<String>,
}

impl JiraClient {
    /// A client for the site of these settings. Talks to nobody yet.
    ///
    /// # Errors
    /// [`JiraError::Http`]: the site's address or the HTTP options cannot be used.
    pub fn new(cx: &StartContext<JiraConfig>) -> Result<Self, JiraError> {
        let config = &cx.config;
        let invalid = |reason: String| HttpError::Invalid { reason };
        if !matches!(config.jira_host.scheme(), "http" | "https") {
            let host = &config.jira_host;
            return Err(invalid(format!(
                "`jiraHost` is `{host}`; it must start with https://"
            ))
            .into());
        }
        let token = config.atlassian_user_token.clone();
        let options = HttpOptions {
            timeout: Duration::from_secs(30),
            max_in_flight: 10,
            ..cx.http.clone()
        };
        Ok(Self {
            http: HttpClient::new(options)?.with_throttle(Arc::new(RateLimits::default())),
            auth: match &cx.oauth_token_file {
                Some(file) => Auth::OAuth {
                    file: file.clone(),
                    fallback: token,
                },
                None => Auth::Basic {
                    email: config.atlassian_user_email.clone(),
                    token,
                },
            },
            site: config.jira_host.clone(),
            atlassian: Url::parse(ATLASSIAN).expect("a constant"),
            cloud_id: OnceCell::new(),
        })
    }

    /// Proves address and credentials.
    ///
    /// # Errors
    /// Why Jira cannot be used.
    pub async fn probe(&self) -> Result<(), JiraError> {
        let url = self.url(Api::Platform, &["myself"]).await?;
        self.send(Request::get(&url)).await.map(drop)
    }

    // === Requests ===

    async fn find_raw(&self, request: Request) -> Result<Option<Raw>, JiraError> {
        let found = self.find(request).await?;
        Ok(found.map(|response| response.raw()).transpose()?)
    }

    async fn find(&self, request: Request) -> Result<Option<Response>, JiraError> {
        match self.send(request).await {
            Ok(response) => Ok(Some(response)),
            Err(JiraError::Http(error)) if error.status() == Some(StatusCode::NOT_FOUND) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn read<T: DeserializeOwned>(&self, request: Request) -> Result<T, JiraError> {
        Ok(self.send(request).await?.json()?)
    }

    async fn send(&self, request: Request) -> Result<Response, JiraError> {
        let token = self.auth.token();
        // Only a token in a file can be another one when it is refused.
        let again = self.auth.is_oauth().then(|| request.clone());
        let mut answer = self.http.send(self.auth.authorize(request, &token)).await;
        let refused = |answer: &Result<_, HttpError>| {
            answer.as_ref().err().and_then(HttpError::status) == Some(StatusCode::UNAUTHORIZED)
        };
        if let Some(request) = again
            && refused(&answer)
        {
            // It may have been renewed while the request was under way.
            let fresh = self.auth.token();
            if fresh != token {
                answer = self.http.send(self.auth.authorize(request, &fresh)).await;
            }
        }
        answer.map_err(|error| match error {
            // The page of a moved or suspended site must not pass for "this issue is gone".
            HttpError::Status {
                url, status, body, ..
            } if is_foreign(status, &body) => JiraError::NotJira {
                url,
                status: status.as_u16(),
            },
            error => error.into(),
        })
    }

    // === Addresses ===

    async fn url(&self, api: Api, segments: &[&str]) -> Result<String, JiraError> {
        let (base, path): (_, &[&str]) = match (api, self.auth.is_oauth()) {
            (Api::Platform, _) => (&self.site, &["rest", "api", "3"]),
            (Api::Agile, false) => (&self.site, &["rest", "agile", "1.0"]),
            (Api::Agile, true) => {
                let site = self.cloud_id().await?;
                let agile = ["ex", "jira", site, "rest", "agile", "latest"];
                return Ok(join(&self.atlassian, &agile, segments));
            }
            (Api::Webhooks, false) => (&self.site, &["rest", "webhooks", "1.0", "webhook"]),
            (Api::Webhooks, true) => (&self.site, &["rest", "api", "3", "webhook"]),
        };
        Ok(join(base, path, segments))
    }

    async fn cloud_id(&self) -> Result<&str, JiraError> {
        #[derive(Deserialize)]
        struct Site {
            id: String,
            url: String,
        }
        let find = async || {
            if let Some(id) = cloud_id_in(&self.site) {
                return Ok(id);
            }
            let url = join(
                &self.atlassian,
                &["oauth", "token", "accessible-resources"],
                &[],
            );
            let sites: Vec<Site> = self.read(Request::get(&url)).await?;
            let host = self.site.as_str().trim_end_matches('/');
            let named = |site: &&Site| site.url.trim_end_matches('/') == host;
            match sites.iter().find(named) {
                Some(site) => Ok(site.id.clone()),
                None => Err(JiraError::UnknownSite {
                    host: host.to_owned(),
                    sites: sites
                        .iter()
                        .map(|site| &*site.url)
                        .collect::<Vec<_>>()
                        .join(", "),
                }),
            }
        };
        self.cloud_id
            .get_or_try_init(find)
            .await
            .map(String::as_str)
    }
}

#[derive(Deserialize)]
struct ProjectRef {
    key: String,
}

/// Whether a refusal is a page, such as that of a moved or suspended site, and not Jira's JSON.
fn is_foreign(status: StatusCode, body: &[u8]) -> bool {
    matches!(status.as_u16(), 403 | 404 | 410) && body.trim_ascii_start().starts_with(b"<")
}

/// The site's id, if its address is one of those under which OAuth reaches it.
fn cloud_id_in(site: &Url) -> Option<String> {
    let mut segments = site.path_segments()?;
    let is_api = site.host_str() == Some("api.atlassian.com")
        && segments.next() == Some("ex")
        && segments.next() == Some("jira");
    let id = segments.next()?;
    (is_api && !id.is_empty()).then(|| id.to_owned())
}

#[cfg(test)]
mod tests;
