//! What can go wrong between Jira and us, and what dispatch should do about it.

use std::time::Duration;

use ocean_core::{ProcessorError, http::HttpError};

// Nobody's retries are used up while Jira is away, so there is no hurry.
const OUTAGE_PAUSE: Duration = Duration::from_secs(30);

/// Why Jira did not answer what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JiraError {
    /// The call failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The OAuth token gives no access to the configured site.
    #[error(
        "the oauth token gives no access to `{host}`; set `jiraHost` to one of the sites it is for: {sites}"
    )]
    UnknownSite {
        /// The configured site.
        host: String,
        /// The sites that the token is for.
        sites: String,
    },
    /// Something else than Jira's API answered, such as the page of a suspended site.
    #[error("`{url}` answered {status} with a page that is not jira's; check `jiraHost`")]
    NotJira {
        /// The address.
        url: String,
        /// The status.
        status: u16,
    },
}

impl From<JiraError> for ProcessorError {
    fn from(error: JiraError) -> Self {
        match &error {
            // All of Jira is out of reach, so the event waits and keeps its retries: those are for
            // faults of the event itself.
            JiraError::NotJira { .. }
            | JiraError::UnknownSite { .. }
            | JiraError::Http(HttpError::Connect { .. }) => Self::unavailable(error, OUTAGE_PAUSE),
            JiraError::Http(HttpError::Throttled { after, .. }) => {
                let after = *after;
                Self::unavailable(error, after)
            }
            JiraError::Http(http) => match http.status().map(|status| status.as_u16()) {
                // Credentials are the operator's to mend; the events are not at fault.
                Some(401) => Self::unavailable(error, OUTAGE_PAUSE),
                Some(429 | 502 | 503) => {
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
