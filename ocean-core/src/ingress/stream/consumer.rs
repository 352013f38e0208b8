//! Reads entries, stores their events, acknowledges them; again and again.

use std::{
    panic::AssertUnwindSafe,
    sync::atomic::AtomicUsize,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use tokio::time::sleep;

use super::{
    Status, StreamOptions, StreamParts, Upkeep,
    connection::{Connection, Read, StreamError},
    entry::Entry,
};
use crate::{
    event::{EventParts, Headers, WebhookEvent, query_without_secrets},
    failpoint,
    ingress::{
        intake::{Arrival, Intake},
        reader::Buffered,
        refusal::Refusal,
    },
    queue::{NewEvent, QueueError},
    source::CheckedSource,
};

/// The longest pause before the queue is asked again. What it tells senders is for those far away,
/// who cannot look every second.
const PAUSE: Duration = Duration::from_secs(1);
/// The least pause before anything is tried again.
const SHORT_PAUSE: Duration = Duration::from_millis(100);

/// The one that reads.
pub(super) struct Consumer {
    options: StreamOptions,
    status: Status,
    parts: StreamParts,
    // Entries come one after another, so this only bounds what a single one takes.
    buffered_bytes: AtomicUsize,
}

impl Consumer {
    pub(super) fn new(options: StreamOptions, status: Status, parts: StreamParts) -> Self {
        Self {
            options,
            status,
            parts,
            buffered_bytes: AtomicUsize::new(0),
        }
    }

    /// Reads until it is cancelled; a connection that is lost is made anew.
    pub(super) async fn run(self, connection: Connection) {
        let mut connection = Ok(connection);
        loop {
            let problem = match connection {
                Ok(connection) => self.read_on(connection).await,
                Err(problem) => problem,
            };
            self.parts.telemetry.stream.lost(&problem);
            let pause = match &problem {
                // The next connection makes it again.
                StreamError::NoGroup => SHORT_PAUSE,
                StreamError::Redis(_) => {
                    self.status.set(Some(problem.to_string()));
                    self.options.error_pause
                }
            };
            sleep(pause).await;
            connection = Connection::open(&self.options).await;
            if connection.is_ok() {
                self.parts.telemetry.stream.regained();
                self.status.set(None);
            }
        }
    }

    /// Reads as long as the connection lasts, and returns why it does not.
    async fn read_on(&self, mut connection: Connection) -> StreamError {
        let mut which = Read::Own("0".to_owned());
        let mut kept_up = Instant::now();
        loop {
            let read = async {
                let entries = connection.read(&which).await?;
                which = match (&which, entries.last()) {
                    // All that was left from before is through.
                    (_, None) | (Read::New, _) => Read::New,
                    (Read::Own(_), Some(last)) => Read::Own(last.id.clone()),
                };
                self.take_in(entries, &mut connection).await?;
                if let Some(upkeep) = self.options.upkeep
                    && kept_up.elapsed() >= upkeep.every
                {
                    self.keep_up(upkeep, &mut connection).await?;
                    kept_up = Instant::now();
                }
                Ok(())
            };
            if let Err(problem) = read.await {
                return problem;
            }
        }
    }

    /// Takes over what is stuck elsewhere, and removes consumers that are gone.
    async fn keep_up(
        &self,
        upkeep: Upkeep,
        connection: &mut Connection,
    ) -> Result<(), StreamError> {
        let mut next = Some("0-0".to_owned());
        while let Some(start) = next {
            let claimed = connection
                .claim(upkeep.stuck_after, &start, upkeep.count)
                .await?;
            self.parts.telemetry.stream.claimed(claimed.entries.len());
            self.take_in(claimed.entries, connection).await?;
            next = claimed.next;
        }
        if let Some(idle) = upkeep.forget_after {
            connection.forget_consumers(idle).await?;
        }
        Ok(())
    }

    /// Stores the events of `entries` in one commit and acknowledges them.
    async fn take_in(
        &self,
        entries: Vec<Entry>,
        connection: &mut Connection,
    ) -> Result<(), StreamError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut batch = Vec::with_capacity(entries.len());
        for entry in entries {
            let events = match entry.is_deleted() {
                true => Vec::new(),
                false => self.events_of(&entry).await,
            };
            batch.push((entry.id, events));
        }
        let all = batch.iter().flat_map(|(_, events)| events).cloned();
        let mut stored: Vec<String> = Vec::with_capacity(batch.len());
        if self.store(all.collect()).await.is_ok() {
            stored.extend(batch.into_iter().map(|(id, _)| id));
        } else {
            // Together they are more than may be pending. What is too large by itself stays in Redis.
            for (id, events) in batch {
                match self.store(events).await {
                    Ok(()) => stored.push(id),
                    Err(problem) => self.parts.telemetry.stream.left(&id, &problem),
                }
            }
        }
        failpoint::hit("stream.before_ack");
        connection.acknowledge(&stored).await
    }

    // === Entries ===

    /// The events of an entry; a dead letter, if that is what it must become.
    async fn events_of(&self, entry: &Entry) -> Vec<NewEvent> {
        loop {
            // A panic of a processor's filter must not hold up the entries behind.
            let events = AssertUnwindSafe(self.intake(entry)).catch_unwind().await;
            let refusal = match events.unwrap_or_else(|_| Err(Refusal::Internal.into())) {
                Ok(events) => return events,
                Err(refusal) => refusal,
            };
            if let Some(pause) = refusal.retry_after {
                self.parts.telemetry.stream.waits(&refusal.reason);
                sleep(pause).await;
                continue;
            }
            self.parts.telemetry.stream.refused(&refusal.reason);
            return vec![self.dead_letter(entry, &refusal.reason)];
        }
    }

    async fn intake(&self, entry: &Entry) -> Result<Vec<NewEvent>, Refused> {
        let StreamParts {
            sources,
            router,
            clock,
            limits,
            ..
        } = &self.parts;
        let (path, query) = entry.path();
        let source = sources.iter().find(|source| **source.path() == *path);
        let source =
            source.ok_or_else(|| Refused::new(format!("no source has the path {path}")))?;
        let headers = entry.headers().map_err(Refused::new)?;
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let arrival = Arrival {
            headers: &headers,
            query: &query,
            body: entry.payload(),
            received_at: entry.received_at(clock.now()),
        };
        if arrival.body.len() > limits.max_body_bytes {
            let limit = limits.max_body_bytes;
            return Err(Refusal::TooLarge { limit }.into());
        }
        arrival.verify(source).await.map_err(Refusal::from)?;
        let mut memory = Buffered::new(&self.buffered_bytes, limits.max_buffered_bytes);
        let events = match Intake::of(arrival, source, limits, &mut memory)? {
            Intake::Event(event) => vec![event],
            Intake::Batch(events) => events,
            // It was the gateway that had to prove its address.
            Intake::Challenge(_) => Vec::new(),
        };
        let many = events.len() > 1;
        let numbered = events.into_iter().enumerate();
        let events = numbered.map(|(index, event)| {
            let event = self.name_delivery(event, entry, source, many.then_some(index));
            let lanes = router.lanes_of(&event);
            NewEvent::new(event, lanes)
        });
        Ok(events.collect())
    }

    /// The sender's id tells deliveries apart, unless the gateway has split an array: then all its
    /// elements came with the same one.
    fn name_delivery(
        &self,
        event: WebhookEvent,
        entry: &Entry,
        source: &CheckedSource,
        index: Option<usize>,
    ) -> WebhookEvent {
        if event.delivery().is_some() && !source.source().arrays {
            return event;
        }
        let id = entry.delivery();
        event.with_delivery(match index {
            Some(index) => format!("{id}:{index}").into(),
            None => id,
        })
    }

    fn dead_letter(&self, entry: &Entry, reason: &str) -> NewEvent {
        let (path, query) = entry.path();
        let event = WebhookEvent::new(EventParts {
            path: path.into(),
            delivery: Some(entry.delivery()),
            received_at: entry.received_at(self.parts.clock.now()),
            headers: Headers::new(entry.headers().unwrap_or_default()).without_secrets(),
            query: query_without_secrets(&query).into(),
            body: entry.payload(),
            ..EventParts::default()
        });
        NewEvent::refused(event, reason)
    }

    // === The queue ===

    /// Stores events, however long it takes: Redis keeps them until then.
    ///
    /// # Errors
    /// They are larger than all that may be pending.
    async fn store(&self, events: Vec<NewEvent>) -> Result<(), QueueError> {
        if events.is_empty() {
            return Ok(());
        }
        let metrics = &self.parts.telemetry.stream;
        loop {
            let problem = match self.parts.queue.accept(events.clone()).await {
                Ok(receipts) => {
                    receipts.into_iter().for_each(|it| metrics.took_in(it));
                    return Ok(());
                }
                Err(problem) => problem,
            };
            let pause = match problem {
                QueueError::TooLarge { .. } => return Err(problem),
                QueueError::Full { retry_after, .. } | QueueError::Failing { retry_after, .. } => {
                    retry_after
                }
                _ => PAUSE,
            };
            metrics.waits(&problem.to_string());
            sleep(pause.clamp(SHORT_PAUSE, PAUSE)).await;
        }
    }
}

/// Why an entry is not taken in.
struct Refused {
    reason: String,
    /// When it may be, if waiting helps.
    retry_after: Option<Duration>,
}

impl Refused {
    fn new(reason: String) -> Self {
        Self {
            reason,
            retry_after: None,
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self {
            retry_after: refusal.retry_after(),
            reason: refusal.to_string(),
        }
    }
}
