//! The load generator, and what it sees of a server.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use crate::servers::{SECRET, SIGNATURE};

/// Requests that one connection repeats, each of an issue of its own.
const OF_ONE_CONNECTION: usize = 16;

/// What is sent, and for how long.
pub(super) struct Load {
    pub(super) rounds: usize,
    pub(super) time: Duration,
    connections: usize,
    requests: Arc<[Vec<u8>]>,
}

/// What one server did in one round.
pub(super) struct Sample {
    pub(super) per_second: f64,
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    /// Of the server for one request.
    pub(super) cpu: Duration,
}

/// A server in a process of its own, which ends with the value.
pub(super) struct Server {
    child: Child,
    address: SocketAddr,
    // Of the measuring process: a killed server could not remove the gigabytes it wrote. Last, so
    // that it goes when the server has gone.
    _folder: TempDir,
}

// === impl Load ===

impl Load {
    pub(super) fn parse(arguments: &[String]) -> Self {
        let value = |name: &str, default: usize| {
            let place = arguments.iter().position(|argument| argument == name);
            place.map_or(default, |place| arguments[place + 1].parse().unwrap())
        };
        let connections = value("--connections", 64);
        let body_bytes = value("--body", 5_000);
        let issues = 0..OF_ONE_CONNECTION * connections;
        Self {
            rounds: value("--rounds", 5),
            time: Duration::from_secs(value("--seconds", 4) as u64),
            connections,
            requests: issues.map(|issue| request(issue, body_bytes)).collect(),
        }
    }
}

// === impl Server ===

impl Server {
    pub(super) fn start(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["serve", name])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        Self {
            child,
            address: line.trim().parse().unwrap(),
            _folder: folder,
        }
    }

    pub(super) async fn load(&self, load: &Load, time: Duration) -> Sample {
        let cpu_before = self.cpu_time();
        let started = Instant::now();
        let clients: JoinSet<_> = (0..load.connections)
            .map(|number| {
                let requests = Arc::clone(&load.requests);
                client(self.address, number, requests, started + time)
            })
            .collect();
        let mut latencies = clients.join_all().await.concat();
        let elapsed = started.elapsed();
        let cpu = self.cpu_time() - cpu_before;
        latencies.sort_unstable();
        let count = latencies.len();
        let quantile = |q: usize| latencies[(count - 1) * q / 100];
        Sample {
            per_second: count as f64 / elapsed.as_secs_f64(),
            p50: quantile(50),
            p99: quantile(99),
            cpu: cpu.div_f64(count as f64),
        }
    }

    /// User and system time so far, from `/proc` (ticks of 10 ms).
    fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
        let ticks: u64 = fields
            .skip(11)
            .take(2)
            .map(|field| field.parse::<u64>().unwrap())
            .sum();
        Duration::from_millis(ticks * 10)
    }

    pub(super) fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/statm", self.child.id());
        let pages = std::fs::read_to_string(path).unwrap();
        pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// === Requests ===

/// Sends one request after another until the time is over, of issues that no other client sends;
/// how long each took.
async fn client(
    address: SocketAddr,
    number: usize,
    requests: Arc<[Vec<u8>]>,
    until: Instant,
) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut latencies = Vec::new();
    let mut answer = Vec::with_capacity(1024);
    let mine = requests.chunks(OF_ONE_CONNECTION).nth(number).unwrap();
    for request in mine.iter().cycle() {
        let sent = Instant::now();
        if sent >= until {
            break;
        }
        stream.write_all(request).await.unwrap();
        answer.clear();
        // All answers are short and end with the body's closing brace.
        while answer.last() != Some(&b'}') {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
        }
        assert!(
            answer.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
        latencies.push(sent.elapsed());
    }
    latencies
}

/// A signed event about one of many issues.
fn request(issue: usize, body_bytes: usize) -> Vec<u8> {
    let mut event = serde_json::json!({
        "timestamp": 1_767_225_600_000_u64,
        "webhookEvent": "jira:issue_updated",
        "issue_event_type_name": "issue_generic",
        "user": {"accountId": "a1", "displayName": "Ann", "active": true},
        "issue": {"id": issue.to_string(), "key": format!("OPS-{issue}"), "fields": {
            "summary": "Rotate keys", "status": {"name": "In Progress"}, "labels": ["infra", "security"],
        }},
    });
    let mut items = Vec::new();
    while event.to_string().len() < body_bytes {
        let number = items.len();
        items.push(serde_json::json!({"field": "description", "from": number, "to": null,
            "fromString": "The rotation of the signing keys", "toString": "has to \"happen\" before"}));
        event["changelog"] = serde_json::json!({"id": "10107", "items": items.clone()});
    }
    let body = event.to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    format!(
        "POST /integration/webhook HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: Atlassian Webhook HTTP Client\r\naccept: */*\r\ncontent-type: application/json; charset=UTF-8\r\n{SIGNATURE}: sha256={signature}\r\nx-request-id: 4f2a1c\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
