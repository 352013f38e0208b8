//! Who we are to Jira, and under which addresses its APIs are.

use std::path::PathBuf;

use ocean_core::{http::Request, source::Secret};
use url::Url;

/// How requests are authorized.
#[derive(Debug)]
pub(super) enum Auth {
    /// With the e-mail address and an API token of an account.
    Basic { email: String, token: Secret },
    /// With an OAuth access token that another process keeps fresh in a file.
    OAuth { file: PathBuf, fallback: Secret },
}

impl Auth {
    /// The token as it is now.
    pub(super) fn token(&self) -> Secret {
        match self {
            Self::Basic { token, .. } => token.clone(),
            // The file holds one line and lies on a local volume: reading it takes microseconds.
            Self::OAuth { file, fallback } => std::fs::read_to_string(file)
                .map(|token| Secret::new(token.trim()))
                .unwrap_or_else(|_| fallback.clone()),
        }
    }

    pub(super) fn authorize(&self, request: Request, token: &Secret) -> Request {
        match self {
            Self::Basic { email, .. } => request.basic(email, token.expose()),
            Self::OAuth { .. } => request.bearer(token.expose()),
        }
    }

    pub(super) fn is_oauth(&self) -> bool {
        matches!(self, Self::OAuth { .. })
    }
}

// === Api ===

/// The parts of Jira's REST API that are under addresses of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    /// Issues, projects, users, versions, worklogs.
    Platform,
    /// Boards and sprints.
    Agile,
    /// The registration of webhooks.
    Webhooks,
}

/// `base` followed by `path` and `segments`, each part of them encoded.
pub(super) fn join(base: &Url, path: &[&str], segments: &[&str]) -> String {
    let mut url = base.clone();
    url.path_segments_mut()
        .expect("checked to be http or https when the client was made")
        .pop_if_empty()
        .extend(path)
        .extend(segments);
    url.into()
}
