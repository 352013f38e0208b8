//! The connection to Redis, and the few commands that are asked of it.

use std::{fmt, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ConnectionInfo, ErrorKind, FromRedisValue,
    IntoConnectionInfo as _, Pipeline, ProtocolVersion, RedisError, RedisResult, ServerErrorKind,
    TlsCertificates, TlsMode, Value, aio::MultiplexedConnection, cluster::ClusterClientBuilder,
    cluster_async::ClusterConnection, streams::StreamInfoConsumersReply,
};

use super::{StreamOptions, StreamTls, entry::Entry};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take beyond the time that a read waits for entries.
const ANSWER: Duration = Duration::from_secs(10);
/// The consumer of upstream's own upkeep, the same in all of its processes.
const UPSTREAMS_UPKEEP: &str = "stream-maintenance-worker";

/// A connection whose stream and consumer group exist.
pub(super) struct Connection {
    server: Server,
    key: String,
    group: String,
    consumer: String,
    block: Duration,
    read_count: usize,
}

/// One Redis, or a cluster.
enum Server {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// Why Redis did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum StreamError {
    /// The consumer group is gone and has to be made again.
    #[error("the consumer group is gone")]
    NoGroup,
    /// Anything else. The error is no source of this one: of an answer that cannot be read it shows
    /// the whole, payloads included.
    #[error("{}", describe(.0))]
    Redis(RedisError),
}

impl StreamError {
    /// Whether Redis refuses the command as such, while others may go on.
    pub(super) fn is_refusal(&self) -> bool {
        let Self::Redis(error) = self else {
            return false;
        };
        matches!(
            error.kind(),
            ErrorKind::Server(ServerErrorKind::ResponseError | ServerErrorKind::NoPerm)
        )
    }
}

fn describe(error: &RedisError) -> String {
    match error.kind() {
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => {
            "an answer of unexpected form".to_owned()
        }
        _ => error.to_string(),
    }
}

impl From<RedisError> for StreamError {
    fn from(error: RedisError) -> Self {
        match error.code() {
            // The second is what a read hears that waits while the stream is deleted.
            Some("NOGROUP" | "UNBLOCKED") => Self::NoGroup,
            _ => Self::Redis(error),
        }
    }
}

/// Which entries a read asks for.
#[derive(Clone, Debug)]
pub(super) enum Read {
    /// Those that this consumer was given before and has not acknowledged, behind this id.
    Own(String),
    /// Those that no consumer was given.
    New,
}

impl Read {
    /// All that this consumer has not acknowledged, from the oldest on.
    pub(super) fn all_own() -> Self {
        Self::Own("0".to_owned())
    }

    /// What to read after a read of this that ended with `last`.
    pub(super) fn behind(&self, last: Option<&Entry>) -> Self {
        match (self, last) {
            (Self::Own(_), Some(last)) => Self::Own(last.id.clone()),
            // All that was left from before is through.
            (Self::Own(_), None) | (Self::New, _) => Self::New,
        }
    }
}

/// Entries that were taken over from their consumers.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) entries: Vec<Entry>,
    /// Where to go on; `None` at the end.
    pub(super) next: Option<String>,
}

impl Connection {
    /// Connects, and makes stream and group if they are not there.
    ///
    /// # Errors
    /// Redis cannot be reached or does not let us in.
    pub(super) async fn open(options: &StreamOptions) -> Result<Self, StreamError> {
        let server = Server::connect(options).await?;
        let mut connection = Self::of(server, options);
        connection.try_acknowledging().await?;
        connection.make_group(options.ttl).await?;
        Ok(connection)
    }

    /// Connects as [`open`](Self::open) does, and makes nothing.
    pub(super) async fn probe(options: &StreamOptions) -> Result<(), StreamError> {
        let server = Server::connect(options).await?;
        Self::of(server, options).try_acknowledging().await
    }

    fn of(server: Server, options: &StreamOptions) -> Self {
        Self {
            server,
            key: options.key.clone(),
            group: options.group.clone(),
            consumer: options.consumer.clone(),
            block: options.block,
            read_count: options.read_count,
        }
    }

    /// Acknowledges what is not there: a user who may not would read the same entries again and
    /// again.
    async fn try_acknowledging(&mut self) -> Result<(), StreamError> {
        self.acknowledge(&["0-0".to_owned()]).await
    }

    /// The group begins with the oldest entry there is: one that came before the group is an event
    /// like any other.
    async fn make_group(&mut self, ttl: Option<Duration>) -> Result<(), StreamError> {
        let existed: bool = self.ask(redis::cmd("EXISTS").arg(&self.key)).await?;
        let mut make = redis::cmd("XGROUP");
        make.arg("CREATE").arg(&self.key).arg(&self.group);
        match self.ask::<()>(make.arg("0").arg("MKSTREAM")).await {
            Err(StreamError::Redis(error)) if error.code() == Some("BUSYGROUP") => return Ok(()),
            made => made?,
        }
        if let (false, Some(ttl)) = (existed, ttl) {
            let mut expire = redis::cmd("EXPIRE");
            self.ask::<()>(expire.arg(&self.key).arg(ttl.as_secs().max(1)))
                .await?;
        }
        Ok(())
    }

    /// The next entries; none if nothing came within the time that a read waits.
    pub(super) async fn read(&mut self, which: &Read) -> Result<Vec<Entry>, StreamError> {
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP").arg(&self.group).arg(&self.consumer);
        read.arg("COUNT").arg(self.read_count);
        let after = match which {
            Read::Own(id) => id,
            Read::New => {
                read.arg("BLOCK").arg(millis(self.block));
                ">"
            }
        };
        read.arg("STREAMS").arg(&self.key).arg(after);
        let streams: Option<Vec<(Vec<u8>, Vec<Entry>)>> = self.ask(&read).await?;
        let streams = streams.unwrap_or_default();
        Ok(streams
            .into_iter()
            .flat_map(|(_, entries)| entries)
            .collect())
    }

    /// Takes over up to `count` entries from `start` on that have been with any consumer for longer
    /// than `stuck_after`.
    pub(super) async fn claim(
        &mut self,
        stuck_after: Duration,
        start: &str,
        count: usize,
    ) -> Result<Claimed, StreamError> {
        let mut claim = redis::cmd("XAUTOCLAIM");
        claim.arg(&self.key).arg(&self.group).arg(&self.consumer);
        claim.arg(millis(stuck_after)).arg(start);
        claim.arg("COUNT").arg(count);
        let mut parts: Vec<Value> = self.ask(&claim).await?;
        // Redis 6.2 puts nil in place of an entry that was deleted, later ones name them in a third part.
        let parsed = |parts: &mut Vec<Value>| -> RedisResult<Claimed> {
            let mut part = |index| parts.get_mut(index).map(std::mem::take).unwrap_or_default();
            let next: String = redis::from_redis_value(part(0))?;
            let entries: Vec<Option<Entry>> = redis::from_redis_value(part(1))?;
            Ok(Claimed {
                entries: entries.into_iter().flatten().collect(),
                next: (next != "0-0").then_some(next),
            })
        };
        Ok(parsed(&mut parts)?)
    }

    /// Begins anew to count the time that entries have been with this consumer.
    pub(super) async fn hold(&mut self, ids: &[String]) -> Result<(), StreamError> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut hold = redis::cmd("XCLAIM");
        hold.arg(&self.key).arg(&self.group).arg(&self.consumer);
        self.ask(hold.arg(0).arg(ids).arg("JUSTID")).await
    }

    /// Acknowledges entries and removes them from the stream, all or none.
    pub(super) async fn acknowledge(&mut self, ids: &[String]) -> Result<(), StreamError> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut both = redis::pipe();
        both.atomic();
        both.cmd("XACK").arg(&self.key).arg(&self.group).arg(ids);
        both.cmd("XDEL").arg(&self.key).arg(ids);
        self.server.ask_all(&both).await?;
        Ok(())
    }

    /// Removes consumers that have nothing to do and said nothing for `idle`. Returns how many
    /// entries were given to one of them just then, and are nobody's now.
    pub(super) async fn forget_consumers(&mut self, idle: Duration) -> Result<u64, StreamError> {
        let mut list = redis::cmd("XINFO");
        list.arg("CONSUMERS").arg(&self.key).arg(&self.group);
        let StreamInfoConsumersReply { consumers } = self.ask(&list).await?;
        let is_ours = |name: &str| name == self.consumer || name == UPSTREAMS_UPKEEP;
        let idle = millis(idle);
        let gone = consumers
            .into_iter()
            .filter(|consumer| consumer.pending == 0 && consumer.idle as u64 >= idle)
            .filter(|consumer| !is_ours(&consumer.name));
        let mut dropped = 0;
        for consumer in gone.collect::<Vec<_>>() {
            let mut forget = redis::cmd("XGROUP");
            forget.arg("DELCONSUMER").arg(&self.key).arg(&self.group);
            dropped += self.ask::<u64>(forget.arg(&consumer.name)).await?;
        }
        Ok(dropped)
    }

    async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, StreamError> {
        Ok(self.server.ask(command).await?)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({} {})", self.key, self.group)
    }
}

fn millis(time: Duration) -> u64 {
    // 0 would wait without end.
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

// === Server ===

impl Server {
    /// Connects to what the options name, and to all of a cluster if that is one.
    async fn connect(options: &StreamOptions) -> RedisResult<Self> {
        let info = info(options)?;
        let answer = options.block + ANSWER;
        let client = match &options.tls {
            None => Client::open(info.clone())?,
            Some(tls) => {
                // Whoever uses TLS first chooses for the process; an error means that it is chosen.
                let _ = rustls::crypto::ring::default_provider().install_default();
                Client::build_with_tls(info.clone(), certificates(tls))?
            }
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(answer));
        let connection = client.get_multiplexed_async_connection_with_config(&config);
        let mut single = Self::Single(connection.await?);
        if !single.is_cluster().await? {
            return Ok(single);
        }
        let settings = info.redis_settings().clone();
        let mut cluster = ClusterClientBuilder::new([info])
            .use_protocol(ProtocolVersion::RESP2)
            // A read that is repeated would not see what the first one was given.
            .retries(0)
            .connection_timeout(CONNECT)
            .response_timeout(answer);
        if let Some(username) = settings.username() {
            cluster = cluster.username(username);
        }
        if let Some(password) = settings.password() {
            cluster = cluster.password(password);
        }
        if let Some(tls) = &options.tls {
            cluster = cluster.tls(TlsMode::Secure).certs(certificates(tls));
        }
        let connection = cluster.build()?.get_async_connection().await?;
        Ok(Self::Cluster(connection))
    }

    async fn is_cluster(&mut self) -> RedisResult<bool> {
        match self.ask::<String>(redis::cmd("INFO").arg("cluster")).await {
            Ok(info) => Ok(info.contains("cluster_enabled:1")),
            // Users of a cluster may ask; who may not is taken at the word of the address.
            Err(error) if error.code() == Some("NOPERM") => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        match self {
            Self::Single(connection) => command.query_async(connection).await,
            Self::Cluster(connection) => command.query_async(connection).await,
        }
    }

    async fn ask_all(&mut self, commands: &Pipeline) -> RedisResult<()> {
        match self {
            Self::Single(connection) => commands.exec_async(connection).await,
            Self::Cluster(connection) => commands.exec_async(connection).await,
        }
    }
}

fn info(options: &StreamOptions) -> RedisResult<ConnectionInfo> {
    let mut url = options.url.as_str().to_owned();
    if options.tls.is_some() && options.url.scheme() == "redis" {
        url.replace_range(.."redis".len(), "rediss");
    }
    let info = url.into_connection_info()?;
    let mut settings = info.redis_settings().clone();
    settings = settings.set_protocol(ProtocolVersion::RESP2);
    if let Some(username) = &options.username {
        settings = settings.set_username(username);
    }
    if let Some(password) = &options.password {
        settings = settings.set_password(password);
    }
    Ok(info.set_redis_settings(settings))
}

fn certificates(tls: &StreamTls) -> TlsCertificates {
    TlsCertificates {
        client_tls: (tls.identity.clone()).map(|(client_cert, client_key)| ClientTlsConfig {
            client_cert,
            client_key,
        }),
        root_cert: tls.authority.clone(),
    }
}
