//! The binary under test as a process: started with settings, watched through its log, ended by
//! signal.

use std::{
    collections::BTreeMap,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::{port::Port, stand_in::StandIn};

/// How long anything may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often something is looked at that is waited for.
pub const GLANCE: Duration = Duration::from_millis(10);

/// Looks until there is a result; fails with the last reason once patience ends.
pub async fn until<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look().await {
            Err(_) if Instant::now() < deadline => sleep(GLANCE).await,
            result => {
                return result.with_context(|| format!("after {PATIENCE:?} still not so: {what}"));
            }
        }
    }
}

/// The settings of a process.
#[derive(Clone, Debug, Default)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Nothing set but what tests always want: free ports, JSON logs.
    pub fn new() -> Self {
        Self::default()
            .with("APPLICATION__HOST", "127.0.0.1")
            .with("APPLICATION__PORT", "0")
            .with("APPLICATION__LOG_FORMAT", "json")
            .with("OCEAN__ADMIN__LISTEN", "127.0.0.1:0")
    }

    /// `run` of the Jira integration against these stand-ins, as an operator would configure it.
    pub fn jira(port: &Port, jira: &StandIn, data: &Path) -> Self {
        Self::jira_at(&port.server.url(), &jira.url(), data)
    }

    /// As [`jira`](Self::jira), with Port and Jira under these addresses.
    pub fn jira_at(port: &str, jira: &str, data: &Path) -> Self {
        let config = json!({
            "jira_host": jira,
            "atlassian_user_email": "ann@example.com",
            "atlassian_user_token": "token",
        });
        Self::new()
            .with("OCEAN__PORT__BASE_URL", port)
            .with("OCEAN__PORT__CLIENT_ID", "id")
            .with("OCEAN__PORT__CLIENT_SECRET", "secret")
            .with("OCEAN__INTEGRATION__IDENTIFIER", "my-jira")
            .with("OCEAN__INTEGRATION__CONFIG", config.to_string())
            .with("OCEAN__EVENT_LISTENER", r#"{"type":"WEBHOOKS_ONLY"}"#)
            .with("OCEAN__INITIALIZE_PORT_RESOURCES", "false")
            .with("OCEAN__ALLOW_UNVERIFIED_SOURCES", "true")
            .with("OCEAN__QUEUE__PATH", data.to_string_lossy())
    }

    /// With this setting.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Without this setting.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }
}

/// A running server.
pub struct Ocean {
    child: Child,
    /// Where events are posted, without trailing slash.
    pub url: String,
    /// Where the admin API listens.
    pub admin: String,
    log: Arc<Mutex<Vec<String>>>,
    lines: watch::Receiver<usize>,
}

impl Ocean {
    /// Starts `binary` with `arguments` in an empty folder and waits until it listens.
    pub async fn start(
        binary: &str,
        arguments: &[&str],
        settings: &Settings,
    ) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let mut child = command(binary, arguments, settings, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {binary}"))?;
        let stderr = child.stderr.take().context("stderr is piped")?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let (count, lines) = watch::channel(0);
        let written = Arc::clone(&log);
        tokio::spawn(async move {
            // Keeps the working folder until the process ends.
            let _folder = folder;
            let mut reader = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = reader.next_line().await {
                written.lock().expect("no panic while held").push(line);
                count.send_modify(|count| *count += 1);
            }
        });
        let mut ocean = Self {
            child,
            url: String::new(),
            admin: String::new(),
            log,
            lines,
        };
        ocean.url = format!("http://{}", ocean.address("Listening for events.").await?);
        if settings
            .0
            .get("OCEAN__ADMIN__LISTEN")
            .is_none_or(|listen| listen != "off")
        {
            ocean.admin = format!(
                "http://{}",
                ocean.address("Listening for operators.").await?
            );
        }
        Ok(ocean)
    }

    async fn address(&mut self, message: &str) -> anyhow::Result<String> {
        let record = self.until_logged(message).await?;
        let address = record["address"]
            .as_str()
            .context("the record has an address")?;
        Ok(address.to_owned())
    }

    /// Waits for a log record with this message.
    pub async fn until_logged(&mut self, message: &str) -> anyhow::Result<Value> {
        let mut lines = self.lines.clone();
        let wait = async {
            loop {
                let found = self
                    .records()
                    .into_iter()
                    .find(|record| record["message"] == message);
                if let Some(record) = found {
                    return Ok(record);
                }
                if lines.changed().await.is_err() {
                    bail!("the process ended: {}", self.log_text());
                }
            }
        };
        match timeout(PATIENCE, wait).await {
            Ok(found) => found,
            Err(_) => bail!("no log record {message:?} in {}", self.log_text()),
        }
    }

    /// All log records so far.
    pub fn records(&self) -> Vec<Value> {
        let log = self.log.lock().expect("no panic while held");
        log.iter()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// The log as text.
    pub fn log_text(&self) -> String {
        self.log.lock().expect("no panic while held").join("\n")
    }

    /// POSTs a JSON body to the source at `path`.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        self.post_with(path, &[], body.to_string()).await
    }

    /// POSTs a body with headers to the source at `path`.
    pub async fn post_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> anyhow::Result<(u16, Value)> {
        let mut request = client()
            .post(format!("{}/integration{path}", self.url))
            .body(body);
        if !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        Ok((
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        ))
    }

    /// GETs a path of the public listener: status and body.
    pub async fn get(&self, path: &str) -> anyhow::Result<(u16, String)> {
        let response = client().get(format!("{}{path}", self.url)).send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    /// GETs JSON from the admin API.
    pub async fn admin_get(&self, path: &str) -> anyhow::Result<Value> {
        let response = client().get(format!("{}{path}", self.admin)).send().await?;
        Ok(response.error_for_status()?.json().await?)
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Memory that the process holds, in bytes.
    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.pid()))?;
        let pages: u64 = statm
            .split(' ')
            .nth(1)
            .context("statm has a second field")?
            .parse()?;
        Ok(pages * rustix::param::page_size() as u64)
    }

    /// Waits for the process to end by itself; whether a signal ended it, as an abort does.
    pub async fn ended(&mut self) -> anyhow::Result<bool> {
        use std::os::unix::process::ExitStatusExt as _;
        let status = timeout(PATIENCE, self.child.wait()).await??;
        Ok(status.signal().is_some())
    }

    /// SIGKILL: the process has no say in it.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await?;
        Ok(())
    }

    /// SIGTERM, and the exit code.
    pub async fn terminate(mut self) -> anyhow::Result<i32> {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.pid())?).context("a pid")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let status = timeout(PATIENCE, self.child.wait()).await??;
        status.code().context("the process ended by itself")
    }
}

/// The result of a command that ends by itself.
#[derive(Debug)]
pub struct Finished {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Finished {
    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no JSON: {error}\n{}\n{}", self.stdout, self.stderr))
    }
}

/// Runs `binary` to its end.
pub async fn finish(
    binary: &str,
    arguments: &[&str],
    settings: &Settings,
) -> anyhow::Result<Finished> {
    let folder = TempDir::new()?;
    let run = command(binary, arguments, settings, folder.path())
        .kill_on_drop(true)
        .output();
    let output = timeout(PATIENCE, run)
        .await
        .context("the command did not end")??;
    Ok(Finished {
        code: output
            .status
            .code()
            .context("the command ended by itself")?,
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    })
}

fn command(binary: &str, arguments: &[&str], settings: &Settings, folder: &Path) -> Command {
    let mut command = Command::new(binary);
    // Nothing of the caller's environment reaches the process, so that a developer's own settings
    // cannot change what a test sees.
    command
        .args(arguments)
        .env_clear()
        .envs(&settings.0)
        .current_dir(folder);
    command.stdin(Stdio::null());
    command
}

/// A client that never goes through a proxy.
pub fn client() -> reqwest::Client {
    static CLIENT: std::sync::LazyLock<reqwest::Client> = std::sync::LazyLock::new(|| {
        // An error means that another client was first, with the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a plain client")
    });
    CLIENT.clone()
}
