//! How much the door costs: durable, verified accepts against a bare handler.
//!
//! ```text
//! cargo run --release -p ocean-core --example door_load -- --rounds 5 --seconds 4
//! ```
//!
//! Two servers run as processes of their own, one at a time under load, in turns: `bare`, an
//! actix-web handler that reads the body and verifies its HMAC-SHA256; and `door`, the real door
//! with the same verification, JSON check, routing and the embedded store, whose events a no-op
//! consumer finishes. The load generator shares the machine with them. Printed are the medians of
//! the rounds and the ratio of each round's pair; compare ratios, not rates of different runs.

#![expect(clippy::print_stdout, reason = "prints its measurements")]
#![allow(
    clippy::unwrap_used,
    reason = "a failing measurement has nobody to tell"
)]

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use ocean_core::{
    Clock, StateMap,
    ingress::{self, IngressOptions, IngressParts},
    prelude::*,
    processor::Registry,
    queue::{
        Change, Queue, Story,
        embedded::{self, EmbeddedOptions},
    },
    source::{Locator, Source, SourceSettings, Verification, check_sources},
    supervisor::Supervisor,
    telemetry::Telemetry,
};
use sha2::Sha256;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SECRET: &str = "a secret that nobody has guessed so far";
const HEADER: &str = "x-hub-signature-256";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    match arguments.first().map(String::as_str) {
        Some("serve-bare") => runtime.block_on(serve_bare()),
        Some("serve-door") => runtime.block_on(serve_door()),
        _ => runtime.block_on(measure(&Load::parse(&arguments))),
    }
}

// === Servers ===

async fn serve_bare() {
    let key = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    let server = actix_web::HttpServer::new(move || {
        let key = key.clone();
        actix_web::App::new()
            .app_data(actix_web::web::PayloadConfig::new(25 << 20))
            .default_service(actix_web::web::to(
                move |request: actix_web::HttpRequest, body: actix_web::web::Bytes| {
                    let mut mac = key.clone();
                    async move {
                        let signature = request.headers().get(HEADER).unwrap();
                        let digits = signature.to_str().unwrap().strip_prefix("sha256=").unwrap();
                        mac.update(&body);
                        mac.verify_slice(&hex::decode(digits).unwrap()).unwrap();
                        actix_web::HttpResponse::Ok().body(r#"{"status":"ok"}"#)
                    }
                },
            ))
    })
    .bind("127.0.0.1:0")
    .unwrap();
    println!("{}", server.addrs()[0]);
    server.run().await.unwrap();
}

/// Keeps issues in step.
#[webhook_processor(path = "/webhook", kinds = ["issue"], event_prefix = "jira:issue_", key = "/issue/id")]
async fn issue(_event: &WebhookEvent) -> Result<(), ProcessorError> {
    Ok(())
}

async fn serve_door() {
    let folder = tempfile::tempdir().unwrap();
    let telemetry = Arc::new(Telemetry::default());
    let options = EmbeddedOptions::new(folder.path());
    let (queue, mut feed) = embedded::open(options, telemetry.clone()).unwrap();
    let queue: Arc<dyn Queue> = Arc::new(queue);
    let verification = Verification::hmac_sha256(HEADER)
        .prefix("sha256=")
        .secret("secret");
    let source = Source::new("/webhook")
        .event_name(Locator::pointer("/webhookEvent"))
        .delivery(Locator::header("x-delivery"))
        .verify(verification);
    let config = serde_json::json!({ "secret": SECRET });
    let settings = SourceSettings {
        config: config.as_object().unwrap(),
        allow_unverified: false,
    };
    let kinds = ["issue".to_owned()];
    let sources = [source.clone()];
    let registry = Registry::build(Registry::discover(), &sources, &kinds, &StateMap::new());
    let parts = IngressParts {
        sources: check_sources(vec![source], &settings).unwrap(),
        router: Arc::new(registry.unwrap()),
        queue: queue.clone(),
        checks: Vec::new(),
        clock: Clock::system(),
        telemetry,
        options: IngressOptions {
            host: "127.0.0.1".to_owned(),
            port: 0,
            ..IngressOptions::default()
        },
    };
    let supervisor = Supervisor::default();
    println!("{}", ingress::serve(parts, &supervisor).unwrap()[0]);
    while let Some(pending) = feed.recv().await {
        queue.record(pending.id, Change::Done(Story::default()));
    }
}

// === Load ===

struct Load {
    rounds: usize,
    seconds: u64,
    connections: usize,
    body_bytes: usize,
}

impl Load {
    fn parse(arguments: &[String]) -> Self {
        let value = |name: &str, default: usize| {
            let place = arguments.iter().position(|argument| argument == name);
            place.map_or(default, |place| arguments[place + 1].parse().unwrap())
        };
        Self {
            rounds: value("--rounds", 5),
            seconds: value("--seconds", 4) as u64,
            connections: value("--connections", 64),
            body_bytes: value("--body", 5_000),
        }
    }
}

type Requests = Arc<[Vec<u8>]>;

/// What one server did in one round.
struct Sample {
    per_second: f64,
    p50: Duration,
    p99: Duration,
    cpu_micros: f64,
}

async fn measure(load: &Load) {
    let servers = [Server::start("serve-bare"), Server::start("serve-door")];
    let issues = 0..16 * load.connections;
    let requests: Requests = issues
        .map(|issue| request(issue, load.body_bytes))
        .collect();
    for server in &servers {
        // Warm caches, files and connections; not counted.
        server.load(load, &requests, Duration::from_secs(1)).await;
    }
    let mut rounds = Vec::new();
    println!("{:>5}  {:>22}  {:>22}  ratio", "round", "bare", "door");
    for round in 1..=load.rounds {
        let time = Duration::from_secs(load.seconds);
        let bare = servers[0].load(load, &requests, time).await;
        let door = servers[1].load(load, &requests, time).await;
        let ratio = door.per_second / bare.per_second;
        let line = |sample: &Sample| {
            let Sample {
                per_second, p99, ..
            } = sample;
            format!(
                "{per_second:>9.0}/s p99 {:>5.1} ms",
                p99.as_secs_f64() * 1e3
            )
        };
        println!("{round:>5}  {}  {}  {ratio:.2}", line(&bare), line(&door));
        rounds.push((bare, door, ratio));
    }
    let median = |value: &dyn Fn(&(Sample, Sample, f64)) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "bare  {:.0}/s  p50 {:.2} ms  p99 {:.2} ms  {:.1} us CPU a request",
        median(&|round| round.0.per_second),
        median(&|round| millis(round.0.p50)),
        median(&|round| millis(round.0.p99)),
        median(&|round| round.0.cpu_micros),
    );
    println!(
        "door  {:.0}/s  p50 {:.2} ms  p99 {:.2} ms  {:.1} us CPU a request  {} MB resident",
        median(&|round| round.1.per_second),
        median(&|round| millis(round.1.p50)),
        median(&|round| millis(round.1.p99)),
        median(&|round| round.1.cpu_micros),
        servers[1].resident_bytes() / 1_000_000,
    );
    println!("ratio {:.2}", median(&|round| round.2));
}

struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(which: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(which)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let address = line.trim().parse().unwrap();
        Self { child, address }
    }

    async fn load(&self, load: &Load, requests: &Requests, time: Duration) -> Sample {
        let cpu_before = self.cpu_time();
        let started = Instant::now();
        let clients = (0..load.connections).map(|number| {
            tokio::spawn(client(
                self.address,
                number,
                Arc::clone(requests),
                started + time,
            ))
        });
        let mut latencies = Vec::new();
        for client in clients.collect::<Vec<_>>() {
            latencies.extend(client.await.unwrap());
        }
        let elapsed = started.elapsed();
        let cpu = self.cpu_time() - cpu_before;
        latencies.sort_unstable();
        let count = latencies.len();
        let quantile = |q: usize| latencies[(count - 1) * q / 100];
        Sample {
            per_second: count as f64 / elapsed.as_secs_f64(),
            p50: quantile(50),
            p99: quantile(99),
            cpu_micros: cpu.as_secs_f64() * 1e6 / count as f64,
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

    fn resident_bytes(&self) -> u64 {
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

/// Sends one request after another until the time is over, of issues that no other client sends;
/// how long each took.
async fn client(
    address: SocketAddr,
    number: usize,
    requests: Requests,
    until: Instant,
) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut latencies = Vec::new();
    let mut answer = Vec::with_capacity(1024);
    for request in requests[16 * number..16 * (number + 1)].iter().cycle() {
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
        "POST /integration/webhook HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: Atlassian Webhook HTTP Client\r\naccept: */*\r\ncontent-type: application/json; charset=UTF-8\r\n{HEADER}: sha256={signature}\r\nx-request-id: 4f2a1c\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
