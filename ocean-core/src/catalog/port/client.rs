//! One call of Port's API: token, user agent, rate limits, breaker, repeats.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;
use tokio::time::{Instant, sleep};
use url::Url;

use super::{
    breaker::Breaker,
    limits::RateLimits,
    options::PortOptions,
    token::{Token, TokenAnswer, TokenCache},
};
use crate::{
    catalog::CatalogError,
    error::StartError,
    http::{HttpClient, HttpError, Request, Response, backoff},
    telemetry::Telemetry,
};

// Credentials are mended by people; asking more often helps nobody.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);
// A refused connection often is a restart of a proxy.
const UNREACHABLE_PAUSE: Duration = Duration::from_secs(1);

/// Port's API.
#[derive(Debug)]
pub(super) struct PortClient {
    http: HttpClient,
    base: Url,
    token: TokenCache,
    limits: Arc<RateLimits>,
    breaker: Breaker,
    /// When Port refused the credentials, and how.
    refused: Mutex<Option<(Instant, String)>>,
    /// What Port said when it last refused a call with a token of its own; none since a call passed.
    denied: Mutex<Option<String>>,
    agent: String,
    exporter_agent: String,
    telemetry: Arc<Telemetry>,
    pub(super) options: PortOptions,
}

/// What is called, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Token,
    BulkUpsert,
    Upsert,
    Delete,
    Search,
    Blueprint,
    Integration,
    Organization,
    Lake,
}

/// Why a call has no usable answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum CallError {
    /// Port refused, failed or did not answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Nothing was sent, or nothing can be expected of sending it again soon.
    #[error("{reason}")]
    Held { reason: String, after: Duration },
    /// Port does not know these credentials.
    #[error("{0}")]
    Credentials(String),
}

impl PortClient {
    pub(super) fn new(options: PortOptions, telemetry: Arc<Telemetry>) -> Result<Self, StartError> {
        let limits = Arc::new(RateLimits::new(telemetry.clone()));
        let http = HttpClient::new(options.http.clone())
            .map_err(StartError::new)?
            .with_throttle(limits.clone());
        let host = options.base_url.host_str().unwrap_or_default().to_owned();
        let agent = options.user_agent();
        // Upstream keeps a trailing slash and asks for `//v1`.
        let base = format!("{}/v1", options.base_url.as_str().trim_end_matches('/'));
        Ok(Self {
            http,
            base: base.parse().map_err(|error| {
                StartError::new(format!(
                    "`OCEAN__PORT__BASE_URL` is not a web address: {error}"
                ))
            })?,
            token: TokenCache::default(),
            limits,
            breaker: Breaker::new(host, telemetry.clone()),
            refused: Mutex::default(),
            denied: Mutex::default(),
            exporter_agent: format!("{agent}/exporter"),
            agent,
            telemetry,
            options,
        })
    }

    /// The URL of a path below `/v1`, its segments encoded.
    pub(super) fn url(&self, segments: &[&str]) -> String {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(segments);
        }
        url.into()
    }

    /// Sends a request with token and user agent. A refused token is replaced once; what is refused
    /// then is told by [`Self::trouble`] until a call passes.
    pub(super) async fn call(
        &self,
        endpoint: Endpoint,
        request: Request,
    ) -> Result<Response, CallError> {
        let request = request.header("user-agent", self.agent_for(endpoint));
        let token = self.token.get(|| self.fetch_token()).await?;
        let authorized = request
            .clone()
            .header("authorization", &token.authorization);
        let result = match self.send(endpoint, authorized).await {
            Err(error) if error.status() == Some(StatusCode::UNAUTHORIZED) => {
                let fresh = self
                    .token
                    .replace(Some(&token), || self.fetch_token())
                    .await?;
                self.send(
                    endpoint,
                    request.header("authorization", &fresh.authorization),
                )
                .await
            }
            result => result,
        };
        match &result {
            Ok(_) => *self.denied() = None,
            Err(error) if error.is_denied() => {
                *self.denied() = Some(format!(
                    "Port gives a token and refuses to work with it; check the rights of \
                     `OCEAN__PORT__CLIENT_ID` ({error})"
                ));
            }
            Err(_) => {}
        }
        result
    }

    /// What a failed call means for the write that needed it.
    pub(super) fn catalog_error(&self, error: &CallError) -> CatalogError {
        let message: Arc<str> = error.to_string().into();
        let http = match error {
            CallError::Held { after, .. } => {
                return CatalogError::Unavailable {
                    message,
                    after: *after,
                };
            }
            // The events are as good as ever; they wait for somebody to mend the settings.
            CallError::Credentials(_) => {
                return CatalogError::Unavailable {
                    message,
                    after: REFUSED_PAUSE,
                };
            }
            // Port's API description does not say whether 403 is about the credentials or a single
            // blueprint. A loss of rights must not turn all events into dead letters, so they wait;
            // what Port refuses of one entity alone is an entry of its answer, and permanent.
            CallError::Http(_) if error.is_denied() => {
                return CatalogError::Unavailable {
                    message,
                    after: REFUSED_PAUSE,
                };
            }
            CallError::Http(http) => http,
        };
        // An answer that cannot be read may be a proxy's; repeating the call does no harm.
        let is_unreadable = matches!(http, HttpError::Decode { .. } | HttpError::TooLarge { .. });
        if !http.is_retryable() && !is_unreadable {
            return CatalogError::Permanent { message };
        }
        // This failure may be the one that opened the breaker, or a probe's.
        if let Some(open) = self.breaker.open() {
            return CatalogError::Unavailable {
                message,
                after: open.after,
            };
        }
        match http {
            HttpError::Connect { .. } => CatalogError::Unavailable {
                message,
                after: UNREACHABLE_PAUSE,
            },
            // Held back before it was sent: no try was made, so none is used up.
            HttpError::Throttled {
                after,
                status: None,
                ..
            } => CatalogError::Unavailable {
                message,
                after: *after,
            },
            _ => CatalogError::Retry {
                message,
                after: http.retry_after(),
            },
        }
    }

    /// Why calls are held back at the moment.
    pub(super) fn trouble(&self) -> Option<String> {
        if let Some(open) = self.breaker.open() {
            return Some(format!(
                "Port is out of reach ({}); next try in {:.1?}",
                open.reason, open.after
            ));
        }
        if let Some((_, reason)) = &*self.refused() {
            return Some(reason.clone());
        }
        if let Some(reason) = &*self.denied() {
            return Some(reason.clone());
        }
        let (group, wait) = self.limits.exhausted()?;
        Some(format!(
            "Port's rate limit for {group} is used up for {wait:.0?}"
        ))
    }

    async fn fetch_token(&self) -> Result<Token, CallError> {
        // Tokens have the smallest rate limit of all, and every event would ask for one.
        if let Some((since, reason)) = &*self.refused()
            && since.elapsed() < REFUSED_PAUSE
        {
            return Err(CallError::Credentials(reason.clone()));
        }
        let request = Request::post(&self.url(&["auth", "access_token"]))
            .header("user-agent", &self.agent)
            .json(&json!({
                "clientId": self.options.client_id,
                "clientSecret": self.options.client_secret,
            }))
            .repeatable(true);
        let answer = match self.send(Endpoint::Token, request).await {
            Ok(response) => response.json::<TokenAnswer>(),
            Err(CallError::Http(error)) if !error.is_retryable() => Err(error),
            Err(error) => return Err(error),
        };
        let token = answer.map(Token::from).map_err(|error| {
            format!(
                "Port gives no access token; check `OCEAN__PORT__CLIENT_ID`, \
                 `OCEAN__PORT__CLIENT_SECRET` and `OCEAN__PORT__BASE_URL` ({error})"
            )
        });
        let refusal = token.as_ref().err();
        *self.refused() = refusal.map(|reason| (Instant::now(), reason.clone()));
        token.map_err(CallError::Credentials)
    }

    fn refused(&self) -> MutexGuard<'_, Option<(Instant, String)>> {
        self.refused
            .lock()
            .expect("no code panics while holding it")
    }

    fn denied(&self) -> MutexGuard<'_, Option<String>> {
        self.denied.lock().expect("no code panics while holding it")
    }

    /// Sends a request as it is; repeats it in place while that is quick and the host is not known
    /// to be out of reach.
    async fn send(&self, endpoint: Endpoint, request: Request) -> Result<Response, CallError> {
        let options = &self.options.http;
        let mut repeats = 0;
        loop {
            let admission = self.breaker.admit().map_err(|open| CallError::Held {
                reason: format!("Port is out of reach: {}", open.reason),
                after: open.after,
            })?;
            let started = Instant::now();
            let result = self.http.send(request.clone().max_retries(0)).await;
            self.telemetry
                .catalog
                .called(endpoint.name(), result_name(&result), started.elapsed());
            admission.record(&result);
            let mut error = match result {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            // A time-out has used up more time than repeats in place may take.
            let is_repeatable = endpoint.is_repeatable(&request)
                && error.is_retryable()
                && !matches!(error, HttpError::Timeout { .. });
            if !is_repeatable || repeats >= options.max_retries {
                return Err(error.into());
            }
            repeats += 1;
            let hinted = error.retry_after();
            let delay = hinted.unwrap_or_else(|| backoff(options.base_delay, repeats));
            if delay > options.max_delay {
                if let HttpError::Status { retry_after, .. } = &mut error {
                    *retry_after = Some(delay);
                }
                return Err(error.into());
            }
            self.telemetry
                .catalog
                .repeating(endpoint.name(), &error, delay);
            sleep(delay).await;
        }
    }

    fn agent_for(&self, endpoint: Endpoint) -> &str {
        match endpoint {
            Endpoint::BulkUpsert
            | Endpoint::Upsert
            | Endpoint::Delete
            | Endpoint::Search
            | Endpoint::Blueprint => &self.exporter_agent,
            _ => &self.agent,
        }
    }
}

impl CallError {
    pub(super) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Http(error) => error.status(),
            _ => None,
        }
    }

    /// Whether waiting may help.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Http(error) => error.is_retryable(),
            Self::Held { .. } => true,
            Self::Credentials(_) => false,
        }
    }

    /// Whether Port takes the credentials and refuses what is asked with them.
    pub(super) fn is_denied(&self) -> bool {
        matches!(
            self.status(),
            Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        )
    }

    /// Whether Port shows that it is asked for too much.
    pub(super) fn is_overload(&self) -> bool {
        match self {
            Self::Http(HttpError::Timeout { .. } | HttpError::Throttled { .. }) => true,
            _ => matches!(
                self.status(),
                Some(StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
            ),
        }
    }

    /// The error code in the body of Port's answer, such as `not_found`.
    pub(super) fn code(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct ErrorBody {
            error: String,
        }
        let Self::Http(HttpError::Status { body, .. }) = self else {
            return None;
        };
        let body: ErrorBody = serde_json::from_slice(body as &Bytes).ok()?;
        Some(body.error)
    }
}

impl Endpoint {
    fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::BulkUpsert => "bulk upsert",
            Self::Upsert => "upsert",
            Self::Delete => "delete",
            Self::Search => "search",
            Self::Blueprint => "blueprint",
            Self::Integration => "integration",
            Self::Organization => "organization",
            Self::Lake => "lake",
        }
    }

    // Upstream flags these POSTs: sent twice they do what they do once.
    fn is_repeatable(self, request: &Request) -> bool {
        match self {
            Self::Token
            | Self::BulkUpsert
            | Self::Upsert
            | Self::Delete
            | Self::Search
            | Self::Lake => true,
            Self::Blueprint | Self::Integration | Self::Organization => request.is_repeatable(),
        }
    }
}

fn result_name(result: &Result<Response, HttpError>) -> &'static str {
    let error = match result {
        Ok(_) => return "ok",
        Err(error) => error,
    };
    match (error, error.status().map(|status| status.as_u16())) {
        (_, Some(429)) => "429",
        (_, Some(400..=499)) => "4xx",
        (_, Some(_)) => "5xx",
        (HttpError::Timeout { .. }, _) => "timeout",
        (HttpError::Throttled { .. }, _) => "held back",
        _ => "no connection",
    }
}
