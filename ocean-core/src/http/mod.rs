//! The HTTP client that Port's and the tools' clients share: pooling, TLS, proxies, retries, the
//! server's rate-limit hints, and errors that say what dispatch should do.
//!
//! It owns how a request is repeated and how an answer becomes an error. **It never sleeps longer
//! than [`HttpOptions::max_delay`]: a longer wait is handed back, so that the event waits on disk
//! and the worker is free; no secret of a URL or header reaches an error or a log.**
//!
//! Proxies come from `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`; root certificates
//! from the system's store, or from `SSL_CERT_FILE` and `SSL_CERT_DIR`.
//!
//! ```no_run
//! use ocean_core::http::{HttpClient, HttpError, HttpOptions, Request};
//!
//! # async fn run() -> Result<(), HttpError> {
//! let client = HttpClient::new(HttpOptions::default())?;
//! let request = Request::get("https://example.atlassian.net/rest/api/3/search/jql")
//!     .query("jql", "key = OPS-7")
//!     .basic("me@example.com", "token");
//! let found: serde_json::Value = client.send(request).await?.json()?;
//! # Ok(())
//! # }
//! ```

use std::time::Duration;

mod client;
mod error;
#[cfg(test)]
mod loopback;
mod request;
mod response;
mod retry;
mod throttle;

pub use client::HttpClient;
pub use error::HttpError;
pub use request::Request;
pub use response::Response;
pub(crate) use retry::{backoff, parse_hint};
pub use throttle::Throttle;

/// How a client behaves; the defaults are upstream's for third-party tools.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpOptions {
    /// The time one request may take, body included.
    pub timeout: Duration,
    /// The time to connect.
    pub connect_timeout: Duration,
    /// Requests in flight at once.
    pub max_in_flight: usize,
    /// Repeats after the first send of a request that may be repeated.
    pub max_retries: u32,
    /// The delay before the first repeat; doubles with each.
    pub base_delay: Duration,
    /// A delay longer than this is not waited for here: the request fails as retryable, with the
    /// delay, so that the event waits on disk and a worker is free.
    pub max_delay: Duration,
    /// An answer's body larger than this is an error. Default 64 MiB.
    pub max_body_bytes: usize,
    /// Whether certificates are verified (`OCEAN__SSL__…__VERIFY`).
    pub verify_tls: bool,
    /// The `User-Agent`.
    pub user_agent: String,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            max_in_flight: 100,
            max_retries: 10,
            base_delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(5),
            max_body_bytes: 64 << 20,
            verify_tls: true,
            user_agent: concat!("ocean-rust/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}
