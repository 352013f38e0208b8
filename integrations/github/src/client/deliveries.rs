//! The logs in which GitHub keeps what it delivered, and the call that delivers it again.
//!
//! By GitHub's guide "Redelivering webhooks" a log reaches three days back, and what is delivered
//! again keeps its identifier (`X-GitHub-Delivery`), is signed anew, and comes in by the door.

use jiff::Timestamp;
use ocean_core::http::{HttpError, Request};
use serde::Deserialize;

use super::{As, Auth, GitHubClient, GitHubError, Hook, JSON, PAGE, repositories::with_query};
use crate::payload::Repository;

/// The log of one webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    /// That of the app itself.
    App,
    /// Of an organization.
    Organization { login: String, hook: u64 },
    /// Of a repository.
    Repository {
        owner: String,
        name: String,
        hook: u64,
    },
}

impl Log {
    fn who(&self) -> As<'_> {
        match self {
            Self::App => As::App,
            Self::Organization { login: account, .. } | Self::Repository { owner: account, .. } => {
                As::Account(account)
            }
        }
    }

    fn url(&self, github: &GitHubClient, more: &[&str]) -> String {
        let hook = match self {
            Self::App => String::new(),
            Self::Organization { hook, .. } | Self::Repository { hook, .. } => hook.to_string(),
        };
        let path = match self {
            Self::App => vec!["app", "hook"],
            Self::Organization { login, .. } => vec!["orgs", login, "hooks", &hook],
            Self::Repository { owner, name, .. } => vec!["repos", owner, name, "hooks", &hook],
        };
        github.url(&[&path[..], &["deliveries"], more].concat())
    }
}

/// One attempt to deliver an event.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) id: u64,
    /// The event's identifier, which all attempts share.
    pub(crate) guid: String,
    pub(crate) delivered_at: Timestamp,
    pub(crate) status_code: u16,
    pub(crate) event: String,
}

impl GitHubClient {
    /// The logs of all webhooks that deliver to `url`: the app's, and the organization's or, where
    /// none is named, those of the repositories that the token's owner has.
    pub(crate) async fn logs(
        &self,
        url: &str,
        organization: Option<&str>,
    ) -> Result<Vec<Log>, GitHubError> {
        #[derive(Deserialize)]
        struct Config {
            #[serde(default)]
            url: String,
        }
        let mut logs = Vec::new();
        if let Auth::App(_) = self.auth {
            let address = self.url(&["app", "hook", "config"]);
            if let Some(answer) = self.find(As::App, &address, JSON).await?
                && answer.read::<Config>(&address)?.url == url
            {
                logs.push(Log::App);
            }
        }
        match (organization, &self.auth) {
            (Some(login), _) => {
                let hooks = self.hooks(login).await?;
                logs.extend(of_url(&hooks, url).map(|hook| Log::Organization {
                    login: login.to_owned(),
                    hook,
                }));
            }
            (None, Auth::Token(_)) => logs.extend(self.logs_of_repositories(url).await?),
            (None, Auth::App(_)) => {}
        }
        Ok(logs)
    }

    async fn logs_of_repositories(&self, url: &str) -> Result<Vec<Log>, GitHubError> {
        let query = [("affiliation", "owner"), ("per_page", PAGE)];
        let address = with_query(&self.url(&["user", "repos"]), &query);
        let repositories = self.list("", address, None).await?.unwrap_or_default();
        let mut logs = Vec::new();
        for repository in repositories {
            let Ok(Repository { name, owner, .. }) = repository.read() else {
                continue;
            };
            let owner = owner.login;
            let address = self.url(&["repos", &owner, &name, "hooks"]);
            let hooks = match self.list(&owner, address, None).await {
                Ok(hooks) => hooks.unwrap_or_default(),
                // Not every repository lets its webhooks be seen.
                Err(GitHubError::Http(HttpError::Status { .. })) => continue,
                Err(error) => return Err(error),
            };
            let hooks: Vec<Hook> = hooks.iter().filter_map(|hook| hook.read().ok()).collect();
            logs.extend(of_url(&hooks, url).map(|hook| Log::Repository {
                owner: owner.clone(),
                name: name.clone(),
                hook,
            }));
        }
        Ok(logs)
    }

    /// One page of the log, the latest first, and the address of the next.
    pub(crate) async fn deliveries(
        &self,
        log: &Log,
        page: Option<String>,
    ) -> Result<(Vec<Delivery>, Option<String>), GitHubError> {
        let first = || with_query(&log.url(self, &[]), &[("per_page", PAGE)]);
        let url = page.unwrap_or_else(first);
        let answer = self.ask(log.who(), &url, JSON).await?;
        Ok((answer.read(&url)?, answer.next))
    }

    /// Has GitHub deliver the event again.
    pub(crate) async fn deliver_again(&self, log: &Log, id: u64) -> Result<(), GitHubError> {
        let url = log.url(self, &[&id.to_string(), "attempts"]);
        self.send(log.who(), Request::post(&url)).await.map(drop)
    }
}

fn of_url<'a>(hooks: &'a [Hook], url: &'a str) -> impl Iterator<Item = u64> + 'a {
    let delivers = move |hook: &&Hook| hook.config.url == url;
    hooks.iter().filter(delivers).map(|hook| hook.id)
}
