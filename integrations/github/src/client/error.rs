//! What can go wrong between GitHub and us, and what dispatch should do about it.

use std::time::Duration;

use ocean_core::{ProcessorError, http::HttpError};

// Nobody's retries are used up while GitHub is away, so there is no hurry.
const OUTAGE_PAUSE: Duration = Duration::from_secs(30);
// By GitHub's guide: how long to stay away after a secondary limit that names no time.
const SECONDARY_PAUSE: Duration = Duration::from_secs(60);

/// Why GitHub did not answer what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitHubError {
    /// The call failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Neither a token nor an app is configured.
    #[error("no credentials; set `githubToken`, or `githubAppId` and `githubAppPrivateKey`")]
    NoCredentials,
    /// The app's private key cannot be used.
    #[error(
        "`githubAppPrivateKey` is no RSA private key in PEM ({reason}); download one in the app's settings"
    )]
    PrivateKey {
        /// What is wrong with it.
        reason: String,
    },
    /// The app is not installed where the event comes from.
    #[error("the app is not installed for `{account}`; install it there")]
    NotInstalled {
        /// The organization or user.
        account: String,
    },
    /// GitHub answered a GraphQL query with errors.
    #[error("github refused a query: {message}")]
    Query {
        /// What GitHub says.
        message: String,
    },
}

impl From<GitHubError> for ProcessorError {
    fn from(error: GitHubError) -> Self {
        match &error {
            // All of GitHub is out of reach, so the event waits and keeps its retries: those are
            // for faults of the event itself.
            GitHubError::NoCredentials
            | GitHubError::PrivateKey { .. }
            | GitHubError::Http(HttpError::Connect { .. }) => {
                Self::unavailable(error, OUTAGE_PAUSE)
            }
            GitHubError::Query { .. } => Self::retry(error),
            // Somebody else's event waits for nothing.
            GitHubError::NotInstalled { .. } => Self::permanent(error),
            GitHubError::Http(HttpError::Throttled { after, .. }) => {
                let after = *after;
                Self::unavailable(error, after)
            }
            GitHubError::Http(HttpError::Status { status, body, .. })
                if matches!(status.as_u16(), 403 | 429) && names_a_rate_limit(body) =>
            {
                Self::unavailable(error, SECONDARY_PAUSE)
            }
            GitHubError::Http(http) => match http.status().map(|status| status.as_u16()) {
                // Credentials are the operator's to mend; the events are not at fault.
                Some(401) => Self::unavailable(error, OUTAGE_PAUSE),
                Some(502 | 503) => {
                    let after = http.retry_after().unwrap_or(OUTAGE_PAUSE);
                    Self::unavailable(error, after)
                }
                _ => match http.is_retryable() {
                    true => Self::retry(error),
                    false => Self::permanent(error),
                },
            },
        }
    }
}

// A secondary limit may come as a 403 that only its text tells from a lack of permission.
fn names_a_rate_limit(body: &[u8]) -> bool {
    String::from_utf8_lossy(body)
        .to_ascii_lowercase()
        .contains("rate limit")
}
