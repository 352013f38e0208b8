//! Settings of the Redis stream: upstream's names, meanings and defaults
//! (`OCEAN__LIVE_EVENTS__REDIS__..`, `port_ocean/config/settings.py`).

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use url::Url;

use super::reader::{Reader, positive};
use crate::ingress::stream::{StreamOptions, StreamTls, Upkeep};

/// Who reads a stream.
pub(super) struct Identity<'a> {
    pub(super) kind: &'a str,
    pub(super) identifier: &'a str,
    pub(super) base_url: Option<&'a Url>,
}

impl Reader<'_> {
    /// The stream that is to be read, if any.
    pub(super) fn stream(&mut self, identity: &Identity<'_>) -> Option<StreamOptions> {
        let is_asked = self.flag("OCEAN__LIVE_EVENTS__IS_REDIS_STREAM_CONSUMER_ENABLED");
        let queue = self.text("OCEAN__QUEUE__TYPE").unwrap_or_default();
        if !is_asked && !queue.eq_ignore_ascii_case("redis") {
            return None;
        }
        if queue.eq_ignore_ascii_case("memory") {
            self.problems.add(
                "`OCEAN__QUEUE__TYPE`: entries of a Redis stream are removed once they are stored, \
                 so they need a queue on disk; use `redis` or `embedded`",
            );
        }
        let key = self.stream_key(identity.base_url).unwrap_or_default();
        let host = rustix::system::uname();
        let host = host.nodename().to_string_lossy();
        let url = self.stream_url();
        let tls = self.stream_tls(url.scheme() == "rediss");
        let username = self.text("OCEAN__LIVE_EVENTS__REDIS__USERNAME");
        let password = self.text("OCEAN__LIVE_EVENTS__REDIS__PASSWORD");
        if username.is_some() && password.is_none() {
            self.problems.add(
                "`OCEAN__LIVE_EVENTS__REDIS__USERNAME`: a user needs \
                 `OCEAN__LIVE_EVENTS__REDIS__PASSWORD`",
            );
        }
        Some(StreamOptions {
            url,
            username,
            password,
            tls,
            key,
            group: format!("{}.{}", identity.kind, identity.identifier),
            consumer: format!("{}-{host}", identity.identifier),
            block: self
                .parsed("OCEAN__LIVE_EVENTS__REDIS__BLOCK_MS", positive)
                .map_or(Duration::ZERO, |millis| {
                    Duration::from_millis(millis.get() as u64)
                }),
            read_count: self.count("OCEAN__LIVE_EVENTS__REDIS__READ_COUNT"),
            ttl: self.stream_ttl(),
            upkeep: self.upkeep(),
            error_pause: self.pause("OCEAN__LIVE_EVENTS__REDIS__CONNECTION_ERROR_BACKOFF_SECONDS"),
            start_retries: self
                .parsed(
                    "OCEAN__LIVE_EVENTS__REDIS__CONNECTION_STARTUP_MAX_RETRIES",
                    |text| {
                        text.parse()
                            .map_err(|_| format!("`{text}` is not a whole number"))
                    },
                )
                .unwrap_or_default(),
            start_pause: self
                .pause("OCEAN__LIVE_EVENTS__REDIS__CONNECTION_STARTUP_INITIAL_BACKOFF_SECONDS"),
            start_pause_factor: self
                .parsed(
                    "OCEAN__LIVE_EVENTS__REDIS__CONNECTION_STARTUP_EXPONENTIAL_BASE",
                    factor,
                )
                .unwrap_or(1.0),
        })
    }

    /// The key that the gateway writes to, which follows from the address that senders post to.
    fn stream_key(&mut self, base_url: Option<&Url>) -> Option<String> {
        let path = base_url.map(Url::path).unwrap_or_default();
        let id = path
            .split_once("/live-events/")
            .and_then(|(_, rest)| rest.split('/').find(|part| !part.is_empty()));
        if id.is_none() {
            self.problems.add(
                "`OCEAN__BASE_URL`: the Redis stream is named by it, so it must be the address at \
                 the gateway, such as https://gateway.example/live-events/<uuid>",
            );
        }
        id.map(|id| format!("{id}/live-events/raw/event-stream"))
    }

    fn stream_url(&mut self) -> Url {
        let url = self.parsed("OCEAN__LIVE_EVENTS__REDIS__URL", |text| {
            let url = Url::parse(text).ok().filter(Url::has_host);
            url.filter(|url| matches!(url.scheme(), "redis" | "rediss"))
                .ok_or_else(|| "is not an address such as redis://localhost:6379".to_owned())
        });
        url.unwrap_or_else(|| Url::parse("redis://localhost").expect("a valid URL"))
    }

    fn stream_ttl(&mut self) -> Option<Duration> {
        let name = "OCEAN__LIVE_EVENTS__REDIS__STREAM_TTL_SECONDS";
        // In YAML a null says that nothing is given, so it has to be a word.
        let is_none = |text: String| matches!(&*text.to_lowercase(), "none" | "null");
        if self.text(name).is_some_and(is_none) {
            return None;
        }
        Some(self.pause(name))
    }

    /// Encryption, if the address or its setting asks for it: a password must not go in clear because
    /// one of them was forgotten.
    fn stream_tls(&mut self, is_in_url: bool) -> Option<StreamTls> {
        let authority = self.pem("OCEAN__LIVE_EVENTS__REDIS__CA");
        let certificate = self.pem("OCEAN__LIVE_EVENTS__REDIS__CERT");
        let key = self.pem("OCEAN__LIVE_EVENTS__REDIS__PRIVATE_KEY");
        if certificate.is_some() != key.is_some() {
            self.problems.add(
                "`OCEAN__LIVE_EVENTS__REDIS__CERT` and `OCEAN__LIVE_EVENTS__REDIS__PRIVATE_KEY` \
                 belong together: set both or none",
            );
        }
        let is_wanted = self.flag("OCEAN__LIVE_EVENTS__REDIS__ENABLE_TLS") || is_in_url;
        if !is_wanted && (authority.is_some() || certificate.is_some()) {
            self.problems.add(
                "`OCEAN__LIVE_EVENTS__REDIS__CA` and `OCEAN__LIVE_EVENTS__REDIS__CERT` have no use \
                 without `OCEAN__LIVE_EVENTS__REDIS__ENABLE_TLS=true`",
            );
        }
        is_wanted.then(|| StreamTls {
            authority,
            identity: certificate.zip(key),
        })
    }

    fn upkeep(&mut self) -> Upkeep {
        let is_wanted = self.flag("OCEAN__LIVE_EVENTS__REDIS__STREAM_MAINTENANCE_WORKER_ENABLED");
        let forgets =
            self.flag("OCEAN__LIVE_EVENTS__REDIS__STREAM_MAINTENANCE_CONSUMER_CLEANUP_ENABLED");
        let stuck_after = self.pause("OCEAN__LIVE_EVENTS__REDIS__PEL_STUCK_TIMEOUT_SECONDS");
        let forget_after = self
            .pause("OCEAN__LIVE_EVENTS__REDIS__STREAM_MAINTENANCE_CONSUMER_CLEANUP_IDLE_SECONDS");
        Upkeep {
            every: self
                .pause("OCEAN__LIVE_EVENTS__REDIS__STREAM_MAINTENANCE_SCAN_INTERVAL_SECONDS"),
            stuck_after: is_wanted.then_some(stuck_after),
            count: self.count("OCEAN__LIVE_EVENTS__REDIS__PEL_XAUTOCLAIM_COUNT"),
            forget_after: (is_wanted && forgets).then_some(forget_after),
        }
    }

    fn count(&mut self, name: &str) -> usize {
        self.parsed(name, positive).map_or(1, |count| count.get())
    }

    /// A duration above 0.
    fn pause(&mut self, name: &str) -> Duration {
        self.parsed(name, |text| match super::duration(text)? {
            Duration::ZERO => Err("must be more than 0".to_owned()),
            pause => Ok(pause),
        })
        .unwrap_or_default()
    }

    fn pem(&mut self, name: &str) -> Option<Vec<u8>> {
        self.parsed(name, |text| {
            // Wrapped at 76 signs by some tools.
            let text: String = text.split_whitespace().collect();
            let pem = BASE64_STANDARD.decode(text).ok();
            pem.filter(|pem| pem.starts_with(b"-----BEGIN"))
                .ok_or_else(|| "is not PEM in base64".to_owned())
        })
    }
}

fn factor(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok();
    factor
        .filter(|factor: &f64| factor.is_finite() && *factor > 0.0)
        .ok_or_else(|| format!("`{text}` is not a number above 0"))
}
