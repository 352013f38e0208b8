//! Posts events: prepared bodies on connections that stay open.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, sleep_until},
};

use super::{Template, event, id, key, message::Reader};

/// What is sent, and how.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The server under test.
    pub server: SocketAddr,
    /// Events, each of another issue.
    pub events: usize,
    /// Connections, each of which has one event under way.
    pub connections: usize,
    /// Events a second, if they are not sent as fast as they are taken.
    pub rate: Option<f64>,
    /// Each event takes a place and keeps it; whoever sees events confirmed adds places.
    pub places: Arc<Semaphore>,
}

/// What was sent.
#[derive(Debug)]
pub struct Sent {
    /// When each event was, by its number.
    pub at: Vec<Instant>,
}

impl Sender {
    /// Sends all events, and returns when the last was accepted.
    ///
    /// # Errors
    /// The server refused an event, or a connection broke.
    pub async fn send(self) -> anyhow::Result<Sent> {
        let started = Instant::now();
        let (next, body) = (Arc::default(), Arc::new(Template::new(&event())));
        let mut connections = JoinSet::new();
        for _ in 0..self.connections {
            let sender = self.clone();
            connections.spawn(sender.connection(Arc::clone(&next), Arc::clone(&body), started));
        }
        let mut at = vec![started; self.events];
        while let Some(sent) = connections.join_next().await {
            for (number, time) in sent?? {
                at[number] = time;
            }
        }
        Ok(Sent { at })
    }

    async fn connection(
        self,
        next: Arc<AtomicUsize>,
        body: Arc<Template>,
        started: Instant,
    ) -> anyhow::Result<Vec<(usize, Instant)>> {
        let mut stream = TcpStream::connect(self.server).await?;
        stream.set_nodelay(true)?;
        let mut reader = Reader::default();
        let mut request = Vec::new();
        let mut sent = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= self.events {
                return Ok(sent);
            }
            if let Some(rate) = self.rate {
                let due = started + Duration::from_secs_f64(number as f64 / rate);
                sleep_until(due.into()).await;
            }
            write_request(&body, number, &mut request);
            self.places.acquire().await?.forget();
            sent.push((number, Instant::now()));
            loop {
                stream.write_all(&request).await?;
                let answer = reader.next(&mut stream).await?;
                let answer = answer.context("the server closed a connection")?;
                match answer.start.split(' ').nth(1) {
                    Some("200") => break,
                    Some("429" | "503") => sleep(Duration::from_millis(100)).await,
                    _ => bail!("{}: {}", answer.start, String::from_utf8_lossy(answer.body)),
                }
            }
        }
    }
}

fn write_request(body: &Template, number: usize, out: &mut Vec<u8>) {
    let (id, key) = (id(number), key(number));
    let length = body.length(&id, &key);
    out.clear();
    out.extend_from_slice(
        format!(
            "POST /integration/webhook HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: Atlassian Webhook HTTP Client\r\naccept: */*\r\ncontent-type: application/json; charset=UTF-8\r\ncontent-length: {length}\r\n\r\n"
        )
        .as_bytes(),
    );
    body.write(&id, &key, out);
}
