//! The calls of GitHub's REST API that the processors share.
//!
//! It owns addresses, credentials, paging, rate limits and what "not found" means. It knows
//! nothing of events. **`None` means that GitHub itself said the object does not exist (or that we
//! may not see it); everything else that goes wrong is an error.**
//!
//! Each call asks GitHub anew. An answer that GitHub confirms with 304 is as current as a new one.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;
use ocean_core::{
    Raw, StartContext,
    http::{HttpClient, HttpError, HttpOptions, Request},
    source::Secret,
};
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use crate::{config::GitHubConfig, payload::Repository, selector::InRepositories};

mod app;
mod deliveries;
mod error;
mod etag;
mod hooks;
mod people;
mod repositories;
mod throttle;

pub(crate) use deliveries::{Delivery, Log};
pub use error::GitHubError;
pub(crate) use hooks::{Hook, NewHook};

use app::{App, Token};
use etag::{Etags, Known};
use throttle::RateLimits;

const JSON: &str = "application/vnd.github+json";
const RAW: &str = "application/vnd.github.raw+json";
const API_VERSION: &str = "2022-11-28";
const PAGE: &str = "100";

/// A client of GitHub. All processors share it, and with it its connections, limits and tokens.
#[derive(Debug)]
pub struct GitHubClient {
    http: HttpClient,
    host: Url,
    auth: Auth,
    etags: Etags,
}

#[derive(Debug)]
enum Auth {
    Token(Secret),
    App(Box<App>),
}

/// Who a request is made for: with an app, each account has a token of its own.
#[derive(Clone, Copy, Debug)]
enum As<'a> {
    Account(&'a str),
    App,
}

impl GitHubClient {
    /// A client for these settings. Talks to nobody yet.
    ///
    /// # Errors
    /// What is wrong with address or credentials.
    pub fn new(cx: &StartContext<GitHubConfig>) -> Result<Self, GitHubError> {
        let config = &cx.config;
        let host = config.github_host.0.clone();
        if !matches!(host.scheme(), "http" | "https") {
            let reason = format!("`githubHost` is `{host}`; it must start with https://");
            return Err(HttpError::Invalid { reason }.into());
        }
        let auth = match (
            &config.github_token,
            &config.github_app_id,
            &config.github_app_private_key,
        ) {
            (Some(token), ..) => Auth::Token(token.clone()),
            (None, Some(id), Some(key)) => {
                Auth::App(Box::new(App::new(id.clone(), key, cx.clock)?))
            }
            _ => return Err(GitHubError::NoCredentials),
        };
        let options = HttpOptions {
            timeout: Duration::from_secs(30),
            // By GitHub's guide no more than 100 requests at once, over all clients of a user.
            max_in_flight: 20,
            ..cx.http.clone()
        };
        Ok(Self {
            http: HttpClient::new(options)?.with_throttle(Arc::new(RateLimits::default())),
            host,
            auth,
            etags: Etags::default(),
        })
    }

    /// Proves address and credentials.
    ///
    /// # Errors
    /// Why GitHub cannot be used.
    pub async fn probe(&self) -> Result<(), GitHubError> {
        let (who, url) = match &self.auth {
            Auth::Token(_) => (As::Account(""), self.url(&["meta"])),
            Auth::App(_) => (As::App, self.url(&["app"])),
        };
        self.ask(who, &url, JSON).await.map(drop)
    }

    /// What is under `path` of the repository, if there is such a thing and the search finds the
    /// repository.
    ///
    /// # Errors
    /// See [`GitHubError`].
    pub async fn find_in(
        &self,
        repository: &Repository,
        within: &impl InRepositories,
        path: &[&str],
    ) -> Result<Option<Raw>, GitHubError> {
        if !self.finds(repository, within.search()).await? {
            return Ok(None);
        }
        let owner = &repository.owner.login;
        let url = self.url(&[&["repos", owner, &repository.name], path].concat());
        self.find_raw(owner, &url).await
    }

    // === Requests ===

    async fn find_raw(&self, owner: &str, url: &str) -> Result<Option<Raw>, GitHubError> {
        let found = self.find(As::Account(owner), url, JSON).await?;
        found.map(|answer| answer.raw(url)).transpose()
    }

    async fn find(
        &self,
        who: As<'_>,
        url: &str,
        accept: &str,
    ) -> Result<Option<Answer>, GitHubError> {
        match self.ask(who, url, accept).await {
            Ok(answer) => Ok(Some(answer)),
            Err(GitHubError::Http(error)) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All items of a list that goes over several pages; `field` is where they are if the answer
    /// is not the list itself.
    async fn list(
        &self,
        owner: &str,
        url: String,
        field: Option<&str>,
    ) -> Result<Option<Vec<Raw>>, GitHubError> {
        let mut items = Vec::new();
        let mut next = Some(url);
        while let Some(url) = next {
            let Some(answer) = self.find(As::Account(owner), &url, JSON).await? else {
                return Ok(None);
            };
            items.extend(match field {
                None => answer.read::<Vec<Raw>>(&url)?,
                Some(field) => answer
                    .read::<std::collections::HashMap<String, Raw>>(&url)?
                    .remove(field)
                    .and_then(|items| items.read::<Vec<Raw>>().ok())
                    .unwrap_or_default(),
            });
            next = answer.next;
        }
        Ok(Some(items))
    }

    async fn ask(&self, who: As<'_>, url: &str, accept: &str) -> Result<Answer, GitHubError> {
        let key = format!("{accept} {url}");
        let known = self.etags.get(&key);
        let request = Request::get(url).header("accept", accept);
        let request = match &known {
            Some(known) => request.header("if-none-match", known.etag.as_str()),
            None => request,
        };
        let response = self.send(who, request).await?;
        if let (StatusCode::NOT_MODIFIED, Some(known)) = (response.status(), known) {
            return Ok(Answer {
                body: known.body,
                next: known.next,
            });
        }
        let answer = Answer {
            body: response.bytes().clone(),
            next: response
                .header("link")
                .and_then(next_page)
                .filter(|next| self.is_ours(next))
                .map(str::to_owned),
        };
        if let Some(etag) = response.header("etag") {
            self.etags.put(
                &key,
                Known {
                    etag: etag.to_owned(),
                    body: answer.body.clone(),
                    next: answer.next.clone(),
                },
            );
        }
        Ok(answer)
    }

    async fn send(
        &self,
        who: As<'_>,
        request: Request,
    ) -> Result<ocean_core::http::Response, GitHubError> {
        let request = request.header("x-github-api-version", API_VERSION);
        let token = self.token(who).await?;
        let answer = self.http.send(request.clone().bearer(token.expose())).await;
        let is_refused = |error: &HttpError| error.status() == Some(StatusCode::UNAUTHORIZED);
        match (answer, &self.auth, who) {
            // The installation's token may have been revoked before its time.
            (Err(error), Auth::App(app), As::Account(account)) if is_refused(&error) => {
                let slot = app.slot(account);
                let mut kept = slot.lock().await;
                if kept.as_ref().is_some_and(|kept| kept.secret == token) {
                    *kept = None;
                }
                drop(kept);
                let token = self.token(who).await?;
                Ok(self.http.send(request.bearer(token.expose())).await?)
            }
            (answer, ..) => Ok(answer?),
        }
    }

    // === Tokens ===

    async fn token(&self, who: As<'_>) -> Result<Secret, GitHubError> {
        let (app, account) = match (&self.auth, who) {
            (Auth::Token(token), _) => return Ok(token.clone()),
            (Auth::App(app), As::App) => return Ok(app.jwt()),
            (Auth::App(app), As::Account(account)) => (app, account),
        };
        let slot = app.slot(account);
        let mut kept = slot.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| app.is_fresh(token)) {
            return Ok(token.secret.clone());
        }
        let token = self.installation_token(app, account).await?;
        Ok(kept.insert(token).secret.clone())
    }

    async fn installation_token(&self, app: &App, account: &str) -> Result<Token, GitHubError> {
        #[derive(Deserialize)]
        struct Installation {
            id: u64,
        }
        #[derive(Deserialize)]
        struct Issued {
            token: String,
            expires_at: Timestamp,
        }
        let asked = |request: Request| {
            request
                .header("accept", JSON)
                .header("x-github-api-version", API_VERSION)
                .bearer(app.jwt().expose())
        };
        let mut found = None;
        for kind in ["orgs", "users"] {
            let url = self.url(&[kind, account, "installation"]);
            match self.http.send(asked(Request::get(&url))).await {
                Ok(answer) => {
                    found = Some(answer.json::<Installation>()?);
                    break;
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        let Some(Installation { id }) = found else {
            return Err(GitHubError::NotInstalled {
                account: account.to_owned(),
            });
        };
        let url = self.url(&["app", "installations", &id.to_string(), "access_tokens"]);
        let answer = self.http.send(asked(Request::post(&url))).await?;
        let Issued { token, expires_at } = answer.json()?;
        Ok(Token {
            secret: Secret::new(token),
            expires_at,
        })
    }

    // === Addresses ===

    fn url(&self, segments: &[&str]) -> String {
        let mut url = self.host.clone();
        url.path_segments_mut()
            .expect("checked to be http or https when the client was made")
            .pop_if_empty()
            .extend(segments);
        url.into()
    }

    // A token must not follow a link to somebody else.
    fn is_ours(&self, link: &str) -> bool {
        Url::parse(link).is_ok_and(|link| link.origin() == self.host.origin())
    }
}

/// An answer, new or confirmed.
#[derive(Debug)]
struct Answer {
    body: Bytes,
    next: Option<String>,
}

impl Answer {
    fn raw(&self, url: &str) -> Result<Raw, GitHubError> {
        Raw::parse(self.body.clone()).map_err(|error| undecodable(url, &error))
    }

    fn read<T: DeserializeOwned>(&self, url: &str) -> Result<T, GitHubError> {
        serde_json::from_slice(&self.body).map_err(|error| undecodable(url, &error))
    }
}

fn undecodable(url: &str, error: &serde_json::Error) -> GitHubError {
    HttpError::Decode {
        url: url.to_owned(),
        reason: error.to_string(),
    }
    .into()
}

/// The address after `rel="next"` in a `Link` header (RFC 8288).
fn next_page(link: &str) -> Option<&str> {
    link.split(',').find_map(|link| {
        let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = |parameter: &str| matches!(parameter.trim(), r#"rel="next""# | "rel=next");
        parameters.split(';').any(is_next).then_some(address)
    })
}

#[cfg(test)]
mod tests;
