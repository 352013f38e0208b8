//! Why a request failed, and what dispatch should do about it.

use std::{fmt::Write as _, time::Duration};

use bytes::Bytes;
use http::{Method, StatusCode};
use url::Url;

use crate::error::ProcessorError;

// Enough for any error message of an API; more would be a page of HTML.
const EXCERPT_CHARS: usize = 300;

/// Why a request failed after all its repeats. URLs are without user, query and fragment.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The server answered with an error.
    #[error("{method} {url} answered {status}{}", excerpt(.body))]
    Status {
        /// The request's method.
        method: Method,
        /// The request's URL.
        url: String,
        /// The answer's status.
        status: StatusCode,
        /// The answer's body.
        body: Bytes,
        /// The wait that the server asked for, or the one that was too long to wait here.
        retry_after: Option<Duration>,
    },
    /// The tool's rate limit is used up.
    #[error("{method} {url} is held back by the rate limit for {after:?}")]
    Throttled {
        /// The request's method.
        method: Method,
        /// The request's URL.
        url: String,
        /// The wait.
        after: Duration,
        /// The status, if the server refused; none if the request was not even sent.
        status: Option<StatusCode>,
    },
    /// No complete answer in time.
    #[error("{method} {url} got no answer within {limit:?}")]
    Timeout {
        /// The request's method.
        method: Method,
        /// The request's URL.
        url: String,
        /// The time limit.
        limit: Duration,
    },
    /// No connection: name resolution, refusal, TLS.
    #[error("no connection to {url}: {reason}")]
    Connect {
        /// The request's URL.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The connection broke before the answer was complete.
    #[error("{method} {url} broke off: {reason}")]
    Broken {
        /// The request's method.
        method: Method,
        /// The request's URL.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The answer is larger than the client accepts.
    #[error("the answer of {url} is larger than {limit} bytes")]
    TooLarge {
        /// The request's URL.
        url: String,
        /// The limit.
        limit: usize,
    },
    /// The answer is not the JSON that was expected.
    #[error("the answer of {url} cannot be read: {reason}")]
    Decode {
        /// The request's URL.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The request or the client cannot be built.
    #[error("{reason}")]
    Invalid {
        /// What is wrong with it.
        reason: String,
    },
}

impl HttpError {
    /// The answer's status, if there was an answer.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            Self::Throttled { status, .. } => *status,
            _ => None,
        }
    }

    /// Whether the server said that the thing does not exist (404 or 410).
    pub fn is_not_found(&self) -> bool {
        matches!(
            self.status(),
            Some(StatusCode::NOT_FOUND | StatusCode::GONE)
        )
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Status { status, .. } => {
                status.is_server_error()
                    || matches!(
                        *status,
                        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
                    )
            }
            Self::Throttled { .. }
            | Self::Timeout { .. }
            | Self::Connect { .. }
            | Self::Broken { .. } => true,
            Self::TooLarge { .. } | Self::Decode { .. } | Self::Invalid { .. } => false,
        }
    }

    /// The least wait before another try, if one is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            Self::Throttled { after, .. } => Some(*after),
            _ => None,
        }
    }

    pub(super) fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid {
            reason: reason.into(),
        }
    }

    pub(super) fn decode(url: &str, error: &serde_json::Error) -> Self {
        Self::Decode {
            url: url.to_owned(),
            reason: error.to_string(),
        }
    }

    /// What a failed send or read means. The text of `error` names the whole URL, so it is cut.
    pub(super) fn of(method: &Method, url: &Url, limit: Duration, error: reqwest::Error) -> Self {
        let (method, url) = (method.clone(), public_url(url));
        if error.is_connect() {
            Self::Connect {
                url,
                reason: innermost(&error.without_url()),
            }
        } else if error.is_timeout() {
            Self::Timeout { method, url, limit }
        } else {
            Self::Broken {
                method,
                url,
                reason: innermost(&error.without_url()),
            }
        }
    }
}

impl From<HttpError> for ProcessorError {
    fn from(error: HttpError) -> Self {
        match (error.is_retryable(), error.retry_after()) {
            (true, Some(delay)) => Self::retry_after(error, delay),
            (true, None) => Self::retry(error),
            (false, _) => Self::permanent(error),
        }
    }
}

/// `url` without what may be secret: user, password, query, fragment.
pub(super) fn public_url(url: &Url) -> String {
    let mut public = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
    if let Some(port) = url.port() {
        let _ = write!(public, ":{port}");
    }
    public.push_str(url.path());
    public
}

// The outer errors only say "error sending request"; the cause stands at the end of the chain.
fn innermost(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(EXCERPT_CHARS * 4)]);
    let text = text.trim();
    if text.is_empty() {
        return String::new();
    }
    let mut excerpt = String::from(": ");
    excerpt.extend(
        text.chars()
            .take(EXCERPT_CHARS)
            .map(|c| if c.is_control() { ' ' } else { c }),
    );
    excerpt
}
