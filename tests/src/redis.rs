//! A `redis-server` of the test's own, and what stands around it: upstream's gateway that writes
//! the stream, and another consumer that reads from it.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::SystemTime,
};

use anyhow::{Context as _, bail, ensure};
use redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue,
    aio::MultiplexedConnection,
    cmd,
    streams::{StreamInfoConsumersReply, StreamPendingReply, StreamReadReply},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::process::{GLANCE, PATIENCE, until};

/// Certificates and key of [`Redis::start_encrypted`], made for these tests: the authority's, and
/// one for either side.
pub const AUTHORITY: &[u8] = include_bytes!("../data/redis-authority.pem");
/// See [`AUTHORITY`].
pub const CERTIFICATE: &[u8] = include_bytes!("../data/redis-certificate.pem");
/// See [`AUTHORITY`].
pub const KEY: &[u8] = include_bytes!("../data/redis-key.pem");

/// A server whose data outlives it: it can be killed and started again. Ends with the value.
pub struct Redis {
    folder: TempDir,
    port: u16,
    arguments: Vec<String>,
    process: Mutex<Option<Process>>,
}

impl Redis {
    /// Starts a server on a free port of the loopback interface, and waits until it serves.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(&[]).await
    }

    /// The same with these further arguments.
    pub async fn start_with(arguments: &[&str]) -> anyhow::Result<Self> {
        // Between the choice of a port and its use, somebody else may take it.
        for _ in 0..ATTEMPTS {
            let redis = Self {
                folder: TempDir::new()?,
                port: free_port()?,
                arguments: arguments.iter().map(|&one| one.to_owned()).collect(),
                process: Mutex::default(),
            };
            match redis.start_again().await {
                Err(error) if format!("{error:#}").contains("Address already in use") => {}
                started => return started.map(|()| redis),
            }
        }
        bail!("{ATTEMPTS} ports in a row were taken by others")
    }

    /// Starts a cluster of one node that owns all slots.
    pub async fn start_cluster() -> anyhow::Result<Self> {
        let bus = free_port()?.to_string();
        let redis = Self::start_with(&["--cluster-enabled", "yes", "--cluster-port", &bus]).await?;
        redis
            .ask::<()>(cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(0).arg(16_383))
            .await?;
        let is_whole = async || {
            let state: String = redis.ask(cmd("CLUSTER").arg("INFO")).await?;
            ensure!(state.contains("cluster_state:ok"), "{state}");
            Ok(())
        };
        until("the cluster serves", is_whole).await?;
        Ok(redis)
    }

    /// Starts a server that is also reached encrypted, by those who can show a certificate; and the
    /// URL for them.
    pub async fn start_encrypted() -> anyhow::Result<(Self, String)> {
        let port = free_port()?.to_string();
        let file = |name| format!("{}/data/{name}", env!("CARGO_MANIFEST_DIR"));
        let redis = Self::start_with(&[
            "--tls-port",
            &port,
            "--tls-ca-cert-file",
            &file("redis-authority.pem"),
            "--tls-cert-file",
            &file("redis-certificate.pem"),
            "--tls-key-file",
            &file("redis-key.pem"),
        ])
        .await?;
        Ok((redis, format!("rediss://127.0.0.1:{port}")))
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// SIGKILL: the server has no say in it.
    pub fn kill(&self) {
        self.replace(None);
    }

    /// SIGTERM, and waits for the end.
    pub async fn stop(&self) -> anyhow::Result<()> {
        let Some(mut process) = self.replace(None) else {
            return Ok(());
        };
        let pid = Pid::from_raw(i32::try_from(process.0.id())?).context("a pid")?;
        kill_process(pid, Signal::TERM)?;
        until("redis-server ends", async || {
            process.0.try_wait()?.context("it still runs")
        })
        .await?;
        Ok(())
    }

    /// Starts the server on the same port and folder, and waits until it serves.
    pub async fn start_again(&self) -> anyhow::Result<()> {
        let folder = self.folder.path();
        let log = folder.join("redis.log");
        let child = Command::new(program()?)
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--appendonly", "yes", "--appendfsync", "always"])
            .args(["--save", ""])
            .args(&self.arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start redis-server")?;
        let mut process = Process(child);
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = self.serves(process.0.id()).await {
            let ended = process.0.try_wait()?.is_some();
            if ended || Instant::now() > deadline {
                let log = fs::read_to_string(&log)?;
                return Err(error.context(format!("redis-server does not serve: {log}")));
            }
            sleep(GLANCE).await;
        }
        self.replace(Some(process));
        Ok(())
    }

    fn replace(&self, process: Option<Process>) -> Option<Process> {
        let mut current = self.process.lock().expect("no panic while held");
        std::mem::replace(&mut current, process)
    }

    /// Whether it is this process that answers, rather than another one on the same port, and it
    /// has read its data.
    async fn serves(&self, pid: u32) -> anyhow::Result<()> {
        let mut connection = self.connect().await?;
        cmd("PING").query_async::<()>(&mut connection).await?;
        let info: String = cmd("INFO")
            .arg("server")
            .query_async(&mut connection)
            .await?;
        let owner = format!("process_id:{pid}");
        ensure!(
            info.lines().any(|line| line == owner),
            "the port belongs to another server"
        );
        Ok(())
    }

    async fn connect(&self) -> anyhow::Result<MultiplexedConnection> {
        let client = Client::open(self.url())?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let connection = client.get_multiplexed_async_connection_with_config(&config);
        Ok(connection.await?)
    }

    /// The answer to a command, on a connection of its own.
    pub async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> anyhow::Result<T> {
        Ok(command.query_async(&mut self.connect().await?).await?)
    }
}

/// How often a server is started on another port.
const ATTEMPTS: usize = 5;

/// A child that does not outlive the value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Neither fails but where the process has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program() -> anyhow::Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join("redis-server"))
        .find(|program| program.is_file())
        .context("redis-server is not installed: apt-get install redis-server")
}

/// A port that nobody listens on. It lies below those that the system gives out by itself, so that
/// it stays free while the server is down.
fn free_port() -> anyhow::Result<u16> {
    for _ in 0..1_000 {
        let port = fastrand::u16(20_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port")
}

// === Streams ===

impl Redis {
    /// Writes an entry as the gateway does; its id.
    pub async fn add(&self, key: &str, entry: &Entry) -> anyhow::Result<String> {
        self.ask(&entry.command(key)).await
    }

    /// Writes many entries in this order.
    pub async fn add_all(&self, key: &str, entries: &[Entry]) -> anyhow::Result<()> {
        let mut pipeline = redis::pipe();
        for entry in entries {
            pipeline.add_command(entry.command(key)).ignore();
        }
        let mut connection = self.connect().await?;
        Ok(pipeline.query_async(&mut connection).await?)
    }

    /// How many entries the stream has.
    pub async fn len(&self, key: &str) -> anyhow::Result<usize> {
        self.ask(cmd("XLEN").arg(key)).await
    }

    /// How many entries were read by some consumer of the group and not acknowledged.
    pub async fn pending(&self, key: &str, group: &str) -> anyhow::Result<usize> {
        let pending: StreamPendingReply = self.ask(cmd("XPENDING").arg(key).arg(group)).await?;
        Ok(pending.count())
    }

    /// The names of the group's consumers.
    pub async fn consumers(&self, key: &str, group: &str) -> anyhow::Result<Vec<String>> {
        let consumers: StreamInfoConsumersReply = self
            .ask(cmd("XINFO").arg("CONSUMERS").arg(key).arg(group))
            .await?;
        Ok(consumers
            .consumers
            .into_iter()
            .map(|one| one.name)
            .collect())
    }

    /// Reads entries as another consumer would that dies before it has acknowledged them; their ids.
    pub async fn read_and_die(
        &self,
        key: &str,
        group: &str,
        consumer: &str,
        count: usize,
    ) -> anyhow::Result<Vec<String>> {
        let create = cmd("XGROUP")
            .arg("CREATE")
            .arg(key)
            .arg(group)
            .arg(0)
            .arg("MKSTREAM")
            .to_owned();
        if let Err(error) = self.ask::<()>(&create).await {
            ensure!(error.to_string().contains("BUSYGROUP"), "{error:#}");
        }
        let read: StreamReadReply = self
            .ask(
                cmd("XREADGROUP")
                    .arg("GROUP")
                    .arg(group)
                    .arg(consumer)
                    .arg("COUNT")
                    .arg(count)
                    .arg("STREAMS")
                    .arg(key)
                    .arg(">"),
            )
            .await?;
        Ok(read
            .keys
            .into_iter()
            .flat_map(|stream| stream.ids)
            .map(|entry| entry.id)
            .collect())
    }

    /// Forgets everything, as an operator or a replaced server would.
    pub async fn flush(&self) -> anyhow::Result<()> {
        self.ask(&cmd("FLUSHALL")).await
    }

    /// Waits until all entries are read and acknowledged.
    pub async fn until_drained(&self, key: &str, group: &str) -> anyhow::Result<()> {
        let is_empty = async || {
            let (len, pending) = (self.len(key).await?, self.pending(key, group).await?);
            ensure!((len, pending) == (0, 0), "{len} entries, {pending} pending");
            Ok(())
        };
        until("the stream is empty", is_empty).await
    }
}

// === Entry ===

/// An entry of a stream, as upstream's gateway writes it.
#[derive(Clone, Debug)]
pub struct Entry {
    headers: Map<String, Value>,
    fields: BTreeMap<&'static str, String>,
}

impl Entry {
    /// A webhook that was posted to this path behind the gateway's own.
    pub fn new(path: &str, payload: impl Into<String>) -> Self {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("it is after 1970");
        let payload = payload.into();
        let length = payload.len().to_string();
        let fields = [
            ("payload", payload),
            ("webhookPath", path.to_owned()),
            ("queuedAt", now.as_nanos().to_string()),
            ("eventId", format!("{:032x}", fastrand::u128(..))),
        ];
        Self {
            headers: Map::new(),
            fields: fields.into(),
        }
        .header("Accept-Encoding", "gzip")
        .header("Content-Length", &length)
        .header("Content-Type", "application/json")
    }

    /// With this header, whose name is as Go spells it: `X-Hub-Signature`.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), json!(value));
        self
    }

    /// With this field in place of the gateway's.
    #[must_use]
    pub fn with(mut self, field: &'static str, value: impl Into<String>) -> Self {
        self.fields.insert(field, value.into());
        self
    }

    /// As the gateways wrote it that knew no ids.
    #[must_use]
    pub fn without_id(mut self) -> Self {
        self.fields.remove("eventId");
        self
    }

    fn command(&self, key: &str) -> Cmd {
        let mut command = cmd("XADD");
        command.arg(key).arg("*");
        for (field, value) in &self.fields {
            command.arg(field).arg(value);
        }
        if !self.fields.contains_key("headers") {
            let headers = Value::Object(self.headers.clone());
            command.arg("headers").arg(headers.to_string());
        }
        command
    }
}
