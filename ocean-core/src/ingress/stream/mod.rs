//! The second door: events that upstream's live-events gateway wrote to a Redis stream.
//!
//! **An entry is acknowledged once its events are durable, so it is lost no more than one whose
//! sender heard 200.** What the first door would refuse is recorded as refused here: nobody waits
//! for an answer. Both doors share everything behind verification.
//!
//! Names of stream, group and consumer, and the fields of an entry, are upstream's, so that old and
//! new processes can share a group while a team switches
//! (`port_ocean/consumers/redis_stream_consumer.py` and `port-labs/ocean-gateway`).

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tracing::warn;
use url::Url;

use super::{Check, IngressParts};
use crate::{error::StartError, supervisor::Shutdown};

mod connection;
mod consumer;
mod entry;

use connection::{Connection, StreamError};
use consumer::Consumer;

/// The longest pause before the first connection is tried anew.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Settings of the stream's door (`OCEAN__LIVE_EVENTS__REDIS__..`).
#[derive(Clone)]
pub(crate) struct StreamOptions {
    /// Where Redis is, such as `redis://localhost:6379`; a number in the path is the database.
    pub url: Url,
    /// The user's name and password, if Redis asks for them.
    pub username: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// Encryption, if it is wanted.
    pub tls: Option<StreamTls>,
    /// The stream's key: `<uuid>/live-events/raw/event-stream`.
    pub key: String,
    /// The consumer group: `<integration type>.<integration identifier>`.
    pub group: String,
    /// The consumer: `<integration identifier>-<hostname>`.
    pub consumer: String,
    /// How long a read waits for entries.
    pub block: Duration,
    /// Entries of one read, which are stored in one commit.
    pub read_count: usize,
    /// The life of a stream that is made here; `None` for one that stays.
    pub ttl: Option<Duration>,
    /// What is done for entries and consumers that somebody left behind.
    pub upkeep: Upkeep,
    /// The pause before a lost connection is made anew.
    pub error_pause: Duration,
    /// How often the first connection is tried anew before the start fails.
    pub start_retries: u32,
    /// The pause before the first of them.
    pub start_pause: Duration,
    /// By how much each further pause is longer.
    pub start_pause_factor: f64,
}

/// How Redis is encrypted; what is absent comes from the system.
#[derive(Clone, Default)]
pub(crate) struct StreamTls {
    /// The certificates that Redis's may be signed with, as PEM.
    pub authority: Option<Vec<u8>>,
    /// Our own certificate and its key, as PEM.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// What is done for entries and consumers that somebody left behind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upkeep {
    /// How often. Our own entries that were left are tried again as often.
    pub every: Duration,
    /// Entries that have been with a consumer for longer are taken over; `None` leaves them.
    pub stuck_after: Option<Duration>,
    /// Entries that are taken over at once.
    pub count: usize,
    /// Consumers with nothing to do for longer are removed; `None` keeps them.
    pub forget_after: Option<Duration>,
}

impl StreamOptions {
    #[cfg(test)]
    fn of_tests() -> Self {
        Self {
            url: Url::parse("redis://127.0.0.1:1").expect("a valid URL"),
            username: None,
            password: None,
            tls: None,
            key: "u/live-events/raw/event-stream".to_owned(),
            group: "jira.test".to_owned(),
            consumer: "test-host".to_owned(),
            block: Duration::from_secs(1),
            read_count: 10,
            ttl: None,
            upkeep: Upkeep {
                every: Duration::from_secs(30),
                stuck_after: None,
                count: 100,
                forget_after: None,
            },
            error_pause: Duration::from_secs(5),
            start_retries: 0,
            start_pause: Duration::from_secs(1),
            start_pause_factor: 2.0,
        }
    }

    fn unreadable(&self, problem: &StreamError) -> StartError {
        StartError::new(format_args!(
            "cannot read the Redis stream of {self}: {problem}; see OCEAN__LIVE_EVENTS__REDIS__URL"
        ))
    }
}

/// Whose stream it is and where. The address may hold a password, and whoever knows the key can post
/// to the gateway.
impl fmt::Display for StreamOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.url.host_str().unwrap_or("?");
        let port = self.url.port().unwrap_or(6379);
        write!(f, "{} at {host}:{port}", self.group)
    }
}

impl fmt::Debug for StreamOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamOptions({self})")
    }
}

// === Stream ===

/// A stream that can be read.
#[derive(Debug)]
pub(crate) struct Stream {
    options: StreamOptions,
    connection: Connection,
    status: Status,
}

impl Stream {
    /// Connects and makes sure that the consumer group exists; tries again as often as the options
    /// say.
    ///
    /// # Errors
    /// Redis cannot be reached or does not let us in.
    pub(crate) async fn open(options: StreamOptions) -> Result<Self, StartError> {
        let mut pause = options.start_pause;
        let mut left = options.start_retries;
        loop {
            let problem = match Connection::open(&options).await {
                Ok(connection) => {
                    return Ok(Self {
                        options,
                        connection,
                        status: Status::default(),
                    });
                }
                Err(problem) => problem,
            };
            if left == 0 {
                return Err(options.unreadable(&problem));
            }
            left -= 1;
            warn!(%problem, retries_left = left, "Redis cannot be reached.");
            tokio::time::sleep(pause).await;
            let longer = pause.as_secs_f64() * options.start_pause_factor;
            pause = Duration::try_from_secs_f64(longer)
                .map_or(LONGEST_PAUSE, |longer| longer.min(LONGEST_PAUSE));
        }
    }

    /// Connects as [`open`](Self::open) does, once, and leaves nothing behind.
    ///
    /// # Errors
    /// As for `open`.
    pub(crate) async fn probe(options: &StreamOptions) -> Result<(), StartError> {
        let probed = Connection::probe(options).await;
        probed.map_err(|problem| options.unreadable(&problem))
    }

    pub(crate) fn options(&self) -> &StreamOptions {
        &self.options
    }

    /// The check that Redis is connected. Without it the first door still works.
    pub(crate) fn check(&self) -> Check {
        let status = self.status.clone();
        Check::degrading("redis", move || status.trouble().map_or(Ok(()), Err))
    }

    /// Takes in events until shutdown, with what the first door works with. May be cancelled anywhere: what is not acknowledged then is
    /// read again, and recognised if it was stored.
    pub(crate) async fn consume(self, parts: IngressParts, mut shutdown: Shutdown) {
        let consumer = Consumer::new(self.options, self.status, parts);
        tokio::select! {
            () = consumer.run(self.connection) => {}
            () = shutdown.requested() => {}
        }
    }
}

// === Status ===

/// Whether Redis is connected, for health checks.
#[derive(Clone, Debug, Default)]
struct Status(Arc<Mutex<Option<String>>>);

impl Status {
    /// Returns whether there was trouble before.
    fn set(&self, trouble: Option<String>) -> bool {
        let mut status = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *status, trouble).is_some()
    }

    fn trouble(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
