//! The HTTP client that Port's and the tools' clients share: pooling, TLS, proxies, retries, the
//! server's rate-limit hints, and errors that say what dispatch should do.

use std::time::Duration;

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
            verify_tls: true,
            user_agent: concat!("ocean-rust/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}
