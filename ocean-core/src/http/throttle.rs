//! The hook by which a tool's client obeys the tool's own rate limiter.

use std::{fmt, time::Duration};

use http::{HeaderMap, StatusCode};
use url::Url;

/// Watches answers and delays requests. It holds no lock while a request waits: the client sleeps,
/// and asks again afterwards.
pub trait Throttle: Send + Sync + fmt::Debug {
    /// How long a request to `url` must wait before it may be sent; `None` lets it through. Called
    /// again after the wait, so a limiter counts a request only when it answers `None`.
    fn before(&self, url: &Url) -> Option<Duration> {
        let _ = url;
        None
    }

    /// Sees each answer, also those that are repeated. `Some` says that the answer is a refusal by
    /// the rate limiter whatever its status, as with GitHub's 403, and how long to wait.
    fn after(&self, url: &Url, status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
        let _ = (url, status, headers);
        None
    }
}
