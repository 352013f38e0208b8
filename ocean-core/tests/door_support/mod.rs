//! What the tests of the door share: a queue in memory, a running door, and a plain TCP client.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "shared by the test binaries, which each use a part of it"
)]

use std::{
    collections::HashMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

use ocean_core::{
    BoxFuture, Clock, EventId, Lane, LaneEntry, Lanes, WebhookEvent,
    ingress::{self, Check, IngressOptions, IngressParts, Router},
    queue::{
        Action, ActionResult, Change, Journal, NewEvent, Pressure, Queue, QueueError, Receipt,
        Stored,
    },
    source::{Source, SourceSettings, check_sources},
    supervisor::Supervisor,
    telemetry::Telemetry,
};
use serde_json::Value;

// === FakeQueue ===

/// Keeps what it accepts in memory; fails on demand.
#[derive(Debug, Default)]
pub struct FakeQueue {
    pub requests: Mutex<Vec<Vec<NewEvent>>>,
    pub deliveries: Mutex<HashMap<String, EventId>>,
    pub failure: Mutex<Option<QueueError>>,
    /// While taken, accepting waits for it.
    pub gate: tokio::sync::Mutex<()>,
    /// Notified when accepting begins.
    pub knocked: tokio::sync::Notify,
}

impl FakeQueue {
    pub fn fail(&self, error: QueueError) {
        *self.failure.lock().unwrap() = Some(error);
    }

    /// All accepted events, in order.
    pub fn events(&self) -> Vec<WebhookEvent> {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .flatten()
            .map(|new| new.event.clone())
            .collect()
    }
}

impl Queue for FakeQueue {
    fn accept(&self, events: Vec<NewEvent>) -> BoxFuture<'_, Result<Vec<Receipt>, QueueError>> {
        Box::pin(async move {
            self.knocked.notify_one();
            let _open = self.gate.lock().await;
            if let Some(error) = &*self.failure.lock().unwrap() {
                return Err(error.clone());
            }
            let mut requests = self.requests.lock().unwrap();
            let mut deliveries = self.deliveries.lock().unwrap();
            let known = i64::try_from(requests.iter().flatten().count()).unwrap();
            let mut receipts = Vec::new();
            for (number, new) in (1000 + known..).zip(&events) {
                let id = EventId::new(number);
                let known = new.event.delivery().and_then(|delivery| {
                    let known = deliveries.get(delivery).copied();
                    deliveries.entry(delivery.to_owned()).or_insert(id);
                    known
                });
                receipts.push(match known {
                    Some(first) => Receipt::Duplicate(first),
                    None if new.lanes.is_empty() => Receipt::Ignored(id),
                    None => Receipt::Stored(id),
                });
            }
            requests.push(events);
            Ok(receipts)
        })
    }

    fn load(&self, _: EventId) -> BoxFuture<'_, Result<Option<Stored>, QueueError>> {
        Box::pin(async { Ok(None) })
    }

    fn record(&self, _: EventId, _: Change) {}

    fn flushed(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn pressure(&self) -> Pressure {
        let failure = self.failure.lock().unwrap();
        Pressure {
            refusing: failure.as_ref().map(ToString::to_string),
            ..Pressure::default()
        }
    }

    fn journal(&self) -> Option<Arc<dyn Journal>> {
        None
    }

    fn operate(&self, _: Action) -> BoxFuture<'_, Result<Vec<ActionResult>, QueueError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

// === TestRouter ===

/// Every event has one lane, but those named `ping`; those named `panic` panic.
#[derive(Debug)]
pub struct TestRouter;

impl Router for TestRouter {
    fn lanes_of(&self, event: &WebhookEvent) -> Lanes {
        match event.name() {
            Some("ping") => Lanes::new(),
            Some("panic") => panic!("as the test wants"),
            _ => Lanes::from_iter([LaneEntry {
                lane: Lane::new(7),
                coalesce: None,
            }]),
        }
    }
}

// === Door ===

/// A door that listens on a free loopback port.
pub struct Door {
    pub address: SocketAddr,
    pub queue: Arc<FakeQueue>,
    pub telemetry: Arc<Telemetry>,
    pub supervisor: Supervisor,
}

impl Door {
    pub fn open(sources: Vec<Source>) -> Self {
        Self::with(sources, Vec::new(), |_| {})
    }

    pub fn with(
        sources: Vec<Source>,
        checks: Vec<Check>,
        change: impl FnOnce(&mut IngressOptions),
    ) -> Self {
        let config = serde_json::json!({"secret": "hunter2", "hmac_secret": "Jefe"});
        let settings = SourceSettings {
            config: config.as_object().unwrap(),
            allow_unverified: true,
        };
        let queue = Arc::new(FakeQueue::default());
        let telemetry = Arc::new(Telemetry::default());
        let supervisor = Supervisor::default();
        let mut options = IngressOptions {
            host: "127.0.0.1".to_owned(),
            port: 0,
            ..IngressOptions::default()
        };
        change(&mut options);
        let parts = IngressParts {
            sources: check_sources(sources, &settings).unwrap(),
            router: Arc::new(TestRouter),
            queue: queue.clone(),
            checks,
            clock: Clock::system(),
            telemetry: telemetry.clone(),
            options,
        };
        let addresses = ingress::serve(parts, &supervisor).unwrap();
        Self {
            address: addresses[0],
            queue,
            telemetry,
            supervisor,
        }
    }

    /// Sends one request on a connection of its own and reads the answer.
    pub fn send(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut client = self.connect();
        client.write(request);
        client.read()
    }

    /// POSTs with these header lines (each ending in a line break) and this body.
    pub fn post(&self, path: &str, headers: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send(post(path, headers, body))
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: door\r\n\r\n"))
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }
}

/// The bytes of a POST.
pub fn post(path: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: door\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

pub const JSON: &str = "content-type: application/json\r\n";

// === Client ===

/// A connection on which requests are written as bytes.
pub struct Client {
    pub stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        // Only so that a defect fails the test instead of hanging it.
        let patience = Some(Duration::from_secs(5));
        stream.set_read_timeout(patience).unwrap();
        Self {
            stream,
            read: Vec::new(),
        }
    }

    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Reads one answer; the bytes of a further one stay for the next call.
    pub fn read(&mut self) -> Answer {
        self.try_read()
            .expect("the connection ended without an answer")
    }

    /// `None` when the server closed the connection.
    pub fn try_read(&mut self) -> Option<Answer> {
        loop {
            if let Some((answer, length)) = Answer::parse(&self.read) {
                self.read.drain(..length);
                return Some(answer);
            }
            let mut buffer = [0; 16 * 1024];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(length) => self.read.extend(&buffer[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}; so far {:?}", String::from_utf8_lossy(&self.read)),
            }
        }
    }
}

// === Answer ===

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub text: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
        let body = bytes.get(end..end + length)?;
        let answer = Self {
            status,
            headers,
            text: String::from_utf8(body.to_vec()).unwrap(),
        };
        Some((answer, end + length))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// Status and body in one line, for snapshots.
    pub fn line(&self) -> String {
        format!("{} {}", self.status, self.text)
    }
}
