//! Issues, projects, users, versions and worklogs.

use http::StatusCode;
use ocean_core::{Raw, http::Request};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Api, JiraClient, JiraError, ProjectRef, jql};
use crate::{
    id::{Id, IssueKey, IssueRef, ProjectKey},
    selector::{IssueSelector, ProjectSelector, WorklogParams},
};

impl JiraClient {
    /// The issue, if the selector's JQL finds it.
    ///
    /// # Errors
    /// See [`JiraError`].
    pub async fn issue(
        &self,
        issue: &IssueRef,
        selector: &IssueSelector,
    ) -> Result<Option<Raw>, JiraError> {
        let fields: Vec<_> = selector.fields.split(',').map(str::trim).collect();
        let (jql, expand) = (selector.jql.as_deref(), selector.expand.as_deref());
        self.search(issue, jql, &fields, expand).await
    }

    /// Whether `jql` finds the issue.
    ///
    /// # Errors
    /// See [`JiraError`].
    pub async fn finds(&self, issue: &IssueRef, jql: Option<&str>) -> Result<bool, JiraError> {
        let Some(jql) = jql.filter(|jql| !jql.trim().is_empty()) else {
            return Ok(true);
        };
        let found = self.search(issue, Some(jql), &["key"], None).await?;
        Ok(found.is_some())
    }

    async fn search(
        &self,
        issue: &IssueRef,
        jql: Option<&str>,
        fields: &[&str],
        expand: Option<&str>,
    ) -> Result<Option<Raw>, JiraError> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Search<'a> {
            jql: &'a str,
            max_results: u32,
            fields: &'a [&'a str],
            /// Without it the search may still show the issue as it was before the event.
            reconcile_issues: [Id; 1],
            #[serde(skip_serializing_if = "Option::is_none")]
            expand: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            next_page_token: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            #[serde(default)]
            issues: Vec<Raw>,
            next_page_token: Option<String>,
        }

        let url = self.url(Api::Platform, &["search", "jql"]).await?;
        let mut search = Search {
            jql: &jql::restrict(jql, &issue.key),
            max_results: 1,
            fields,
            reconcile_issues: [issue.id],
            expand,
            next_page_token: None,
        };
        loop {
            let request = Request::post(&url).json(&search).repeatable(true);
            let page = match self.send(request).await {
                Ok(response) => response.json::<Page>()?,
                // Jira refuses a JQL that names an issue it does not have, instead of finding
                // nothing; it says so in the language of the account, so the text does not tell.
                Err(error) if is_refusal(&error) => {
                    return match self.issue_ref(issue.id).await? {
                        Some(_) => Err(error),
                        None => Ok(None),
                    };
                }
                Err(error) => return Err(error),
            };
            if let Some(issue) = page.issues.into_iter().next() {
                return Ok(Some(issue));
            }
            // A page may be empty though others follow.
            match page.next_page_token {
                Some(token) => search.next_page_token = Some(token),
                None => return Ok(None),
            }
        }
    }

    /// What names the issue with this id.
    ///
    /// # Errors
    /// See [`JiraError`].
    pub async fn issue_ref(&self, id: Id) -> Result<Option<IssueRef>, JiraError> {
        #[derive(Deserialize)]
        struct Issue {
            key: IssueKey,
        }
        let url = self.url(Api::Platform, &["issue", &id.to_string()]).await?;
        let found = self.find(Request::get(&url).query("fields", "key")).await?;
        let issue = found.map(|response| response.json::<Issue>()).transpose()?;
        Ok(issue.map(|Issue { key }| IssueRef { id, key }))
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

fn is_refusal(error: &JiraError) -> bool {
    matches!(error, JiraError::Http(error) if error.status() == Some(StatusCode::BAD_REQUEST))
}
