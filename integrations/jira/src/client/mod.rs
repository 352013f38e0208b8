//! The calls of Jira's REST API that the processors share.
//!
//! It owns addresses, authorization, paging and what "not found" means. It knows nothing of events.
//! **`None` means that Jira itself said the object does not exist (or that we may not see it);
//! everything else that goes wrong is an error.**
//!
//! Each call asks Jira anew. Answers are not shared between events, not even while a call is under
//! way: a call that began before an event may show the state before it.

use std::{sync::Arc, time::Duration};

use ocean_core::{
    Raw, StartContext,
    http::{HttpClient, HttpError, HttpOptions, Request, Response},
};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::OnceCell;
use url::Url;

use crate::{
    config::JiraConfig,
    id::{Id, IssueKey, ProjectKey},
    selector::{IssueSelector, ProjectSelector, WorklogParams},
};

mod auth;
mod error;
mod jql;
mod throttle;
mod webhooks;

pub use error::JiraError;
pub(crate) use webhooks::{NewWebhook, Webhook};

use auth::{Api, Auth, join};
use throttle::RateLimits;

const ATLASSIAN: &str = "https://api.atlassian.com";
const PAGE: usize = 50;

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

    // === Platform ===

    /// The issue `key`, if the selector's JQL finds it.
    ///
    /// # Errors
    /// See [`JiraError`].
    pub async fn issue(
        &self,
        key: &IssueKey,
        id: Id,
        selector: &IssueSelector,
    ) -> Result<Option<Raw>, JiraError> {
        let fields: Vec<_> = selector.fields.split(',').map(str::trim).collect();
        self.search(
            key,
            id,
            selector.jql.as_deref(),
            &fields,
            selector.expand.as_deref(),
        )
        .await
    }

    /// Whether `jql` finds the issue.
    ///
    /// # Errors
    /// See [`JiraError`].
    pub async fn finds(
        &self,
        key: &IssueKey,
        id: Id,
        jql: Option<&str>,
    ) -> Result<bool, JiraError> {
        let Some(jql) = jql.filter(|jql| !jql.trim().is_empty()) else {
            return Ok(true);
        };
        let found = self.search(key, id, Some(jql), &["key"], None).await?;
        Ok(found.is_some())
    }

    async fn search(
        &self,
        key: &IssueKey,
        id: Id,
        jql: Option<&str>,
        fields: &[&str],
        expand: Option<&str>,
    ) -> Result<Option<Raw>, JiraError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            #[serde(default)]
            issues: Vec<Raw>,
            next_page_token: Option<String>,
        }

        let url = self.url(Api::Platform, &["search", "jql"]).await?;
        let mut body = serde_json::json!({
            "jql": jql::restrict(jql, key),
            "maxResults": 1,
            "fields": fields,
            // Without it the search may still show the issue as it was before the event.
            "reconcileIssues": [id],
        });
        if let Some(expand) = expand {
            body["expand"] = expand.into();
        }
        loop {
            let page = match self
                .send(Request::post(&url).json(&body).repeatable(true))
                .await
            {
                Ok(response) => response.json::<Page>()?,
                Err(error) if says_issue_is_unknown(&error, key) => return Ok(None),
                Err(error) => return Err(error),
            };
            if let Some(issue) = page.issues.into_iter().next() {
                return Ok(Some(issue));
            }
            // A page may be empty though others follow.
            match page.next_page_token {
                Some(token) => body["nextPageToken"] = token.into(),
                None => return Ok(None),
            }
        }
    }

    /// The key of the issue with this id.
    ///
    /// # Errors
    /// See [`JiraError`].
    pub async fn issue_key(&self, id: Id) -> Result<Option<IssueKey>, JiraError> {
        #[derive(Deserialize)]
        struct Issue {
            key: IssueKey,
        }
        let url = self.url(Api::Platform, &["issue", &id.to_string()]).await?;
        let found = self.find(Request::get(&url).query("fields", "key")).await?;
        let issue = found.map(|response| response.json::<Issue>()).transpose()?;
        Ok(issue.map(|issue| issue.key))
    }

    /// The worklog with these expansions.
    ///
    /// # Errors
    /// See [`JiraError`].
    pub async fn worklog(
        &self,
        issue: &IssueKey,
        id: Id,
        params: &WorklogParams,
    ) -> Result<Option<Raw>, JiraError> {
        let (issue, id) = (issue.to_string(), id.to_string());
        let url = self
            .url(Api::Platform, &["issue", &issue, "worklog", &id])
            .await?;
        let request = expanded(Request::get(&url), params.expand.as_deref());
        self.find_raw(request).await
    }

    /// The project `key`, with the selector's expansions.
    ///
    /// # Errors
    /// See [`JiraError`].
    pub async fn project(
        &self,
        key: &ProjectKey,
        selector: &ProjectSelector,
    ) -> Result<Option<Raw>, JiraError> {
        let expand = selector.expand.as_deref();
        let url = self.url(Api::Platform, &["project", key.as_str()]).await?;
        let Some(project) = self.find_raw(expanded(Request::get(&url), expand)).await? else {
            return Ok(None);
        };
        let wants_insight = expand.is_some_and(|e| e.split(',').any(|e| e.trim() == "insight"));
        if !wants_insight || read::<Insight>(&project).insight.is_some() {
            return Ok(Some(project));
        }
        // By Atlassian's reference only the search expands `insight`, not the single project.
        Ok(Some(match self.insight(key).await? {
            Some(insight) => project.with("insight", &insight),
            None => project,
        }))
    }

    async fn insight(&self, key: &ProjectKey) -> Result<Option<Raw>, JiraError> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Page {
            values: Vec<Insight>,
        }
        let url = self.url(Api::Platform, &["project", "search"]).await?;
        let request = Request::get(&url)
            .query("keys", key.as_str())
            .query("expand", "insight");
        let page = match self.find(request).await? {
            Some(response) => response.json::<Page>()?,
            None => Page::default(),
        };
        Ok(page.values.into_iter().find_map(|project| project.insight))
    }

    /// The user with this account.
    ///
    /// # Errors
    /// See [`JiraError`].
    pub async fn user(&self, account_id: &str) -> Result<Option<Raw>, JiraError> {
        let url = self.url(Api::Platform, &["user"]).await?;
        self.find_raw(Request::get(&url).query("accountId", account_id))
            .await
    }

    /// The version, with its project's key as `__projectKey`.
    ///
    /// # Errors
    /// See [`JiraError`].
    pub async fn version(&self, id: Id) -> Result<Option<Raw>, JiraError> {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct Version {
            project_id: Option<Id>,
        }
        let url = self
            .url(Api::Platform, &["version", &id.to_string()])
            .await?;
        let Some(version) = self.find_raw(Request::get(&url)).await? else {
            return Ok(None);
        };
        let project = read::<Version>(&version).project_id;
        self.with_project_key(version, project).await.map(Some)
    }

    /// `version` with its project's key as `__projectKey`, if there is such a project.
    ///
    /// # Errors
    /// See [`JiraError`].
    pub async fn with_project_key(
        &self,
        version: Raw,
        project: Option<Id>,
    ) -> Result<Raw, JiraError> {
        let Some(project) = project else {
            return Ok(version);
        };
        let url = self
            .url(Api::Platform, &["project", &project.to_string()])
            .await?;
        let key = match self.find(Request::get(&url)).await? {
            Some(response) => Some(response.json::<ProjectRef>()?.key),
            None => None,
        };
        Ok(match key {
            Some(key) => version.with("__projectKey", &key),
            None => version,
        })
    }

    // === Agile ===

    /// The board, with the keys of its projects as `__projectKeys`.
    ///
    /// # Errors
    /// See [`JiraError`].
    pub async fn board(&self, id: Id) -> Result<Option<Raw>, JiraError> {
        let url = self.url(Api::Agile, &["board", &id.to_string()]).await?;
        let Some(board) = self.find_raw(Request::get(&url)).await? else {
            return Ok(None);
        };
        let keys = self.project_keys(id).await?;
        Ok(Some(board.with("__projectKeys", &keys)))
    }

    async fn project_keys(&self, board: Id) -> Result<Vec<String>, JiraError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            #[serde(default)]
            values: Vec<ProjectRef>,
            is_last: Option<bool>,
        }
        let url = self
            .url(Api::Agile, &["board", &board.to_string(), "project"])
            .await?;
        let mut keys = Vec::new();
        loop {
            let request = Request::get(&url)
                .query("maxResults", PAGE.to_string())
                .query("startAt", keys.len().to_string());
            // A board whose projects cannot be listed is a board without projects, not a deleted
            // one: its own call has just shown it.
            let Some(response) = self.find(request).await? else {
                return Ok(keys);
            };
            let page = response.json::<Page>()?;
            let count = page.values.len();
            keys.extend(page.values.into_iter().map(|project| project.key));
            if count == 0 || page.is_last.unwrap_or(count < PAGE) {
                return Ok(keys);
            }
        }
    }

    /// The sprint.
    ///
    /// # Errors
    /// See [`JiraError`].
    pub async fn sprint(&self, id: Id) -> Result<Option<Raw>, JiraError> {
        let url = self.url(Api::Agile, &["sprint", &id.to_string()]).await?;
        self.find_raw(Request::get(&url)).await
    }

    // === Requests ===

    async fn find_raw(&self, request: Request) -> Result<Option<Raw>, JiraError> {
        let found = self.find(request).await?;
        Ok(found.map(|response| response.raw()).transpose()?)
    }

    async fn find(&self, request: Request) -> Result<Option<Response>, JiraError> {
        match self.send(request).await {
            Ok(response) => Ok(Some(response)),
            Err(JiraError::Http(error)) if error.status() == Some(http::StatusCode::NOT_FOUND) => {
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
        let mut answer = self
            .http
            .send(self.auth.authorize(request.clone(), &token))
            .await;
        let refused = |answer: &Result<_, HttpError>| {
            answer.as_ref().err().and_then(HttpError::status)
                == Some(http::StatusCode::UNAUTHORIZED)
        };
        if refused(&answer) {
            // The token in the file may have been renewed while the request was under way.
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
        Ok(match (api, self.auth.is_oauth()) {
            (Api::Platform, _) => join(&self.site, &[&["rest", "api", "3"], segments].concat()),
            (Api::Agile, false) => {
                join(&self.site, &[&["rest", "agile", "1.0"], segments].concat())
            }
            (Api::Agile, true) => {
                let id = self.cloud_id().await?;
                let agile = ["ex", "jira", id, "rest", "agile", "latest"];
                join(&self.atlassian, &[&agile[..], segments].concat())
            }
            (Api::Webhooks, false) => {
                let webhook = ["rest", "webhooks", "1.0", "webhook"];
                join(&self.site, &[&webhook[..], segments].concat())
            }
            (Api::Webhooks, true) => join(
                &self.site,
                &[&["rest", "api", "3", "webhook"], segments].concat(),
            ),
        })
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
            let url = join(&self.atlassian, &["oauth", "token", "accessible-resources"]);
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

#[derive(Default, Deserialize)]
#[serde(default)]
struct Insight {
    insight: Option<Raw>,
}

/// What `raw` says of `T`; an answer without it says nothing.
fn read<T: DeserializeOwned + Default>(raw: &Raw) -> T {
    raw.read().unwrap_or_default()
}

fn expanded(request: Request, expand: Option<&str>) -> Request {
    match expand {
        Some(expand) => request.query("expand", expand),
        None => request,
    }
}

/// Whether a refusal is a page, such as that of a moved or suspended site, and not Jira's JSON.
fn is_foreign(status: http::StatusCode, body: &[u8]) -> bool {
    matches!(status.as_u16(), 403 | 404 | 410) && body.trim_ascii_start().starts_with(b"<")
}

/// Jira refuses a JQL that names an issue it does not have, instead of finding nothing.
fn says_issue_is_unknown(error: &JiraError, key: &IssueKey) -> bool {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Refusal {
        error_messages: Vec<String>,
    }
    let JiraError::Http(HttpError::Status { status, body, .. }) = error else {
        return false;
    };
    let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
    let key = format!("'{key}'");
    *status == http::StatusCode::BAD_REQUEST
        && refusal
            .error_messages
            .iter()
            .any(|message| message.contains(&key) && message.contains("does not exist"))
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
