//! Reads entries, stores their events, acknowledges them; again and again.

use std::{panic::AssertUnwindSafe, sync::atomic::AtomicUsize, time::Duration};

use futures_util::FutureExt as _;
use tokio::time::{Instant, sleep};

use super::{
    Status, StreamOptions, Upkeep,
    connection::{Connection, Read, StreamError},
    entry::Entry,
};
use crate::{
    event::{EventParts, Headers, WebhookEvent, query_without_secrets},
    failpoint,
    future::BoxFuture,
    ingress::{
        IngressOptions, IngressParts,
        intake::{Arrival, Intake},
        reader::Buffered,
        refusal::Refusal,
    },
    queue::{NewEvent, QueueError},
    source::{CheckedSource, Locator},
};

/// The least pause before anything is tried again.
const SHORT_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause before the queue is asked again. What it tells senders is for those far away,
/// who cannot look every second.
const QUEUE_PAUSE: Duration = Duration::from_secs(1);
/// How long one entry may hold up those behind it because its sender cannot be verified now.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Signs of a refused entry's path that are kept: it comes from a stranger.
const LONGEST_PATH: usize = 200;

/// The one that reads.
pub(super) struct Consumer {
    options: StreamOptions,
    status: Status,
    parts: IngressParts,
    // Entries come one after another, so this only bounds what a single one takes.
    buffered_bytes: AtomicUsize,
}

impl Consumer {
    pub(super) fn new(options: StreamOptions, status: Status, parts: IngressParts) -> Self {
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
        }
    }

    /// Reads as long as the connection lasts, and returns why it does not.
    async fn read_on(&self, mut connection: Connection) -> StreamError {
        let mut which = Read::all_own();
        let mut kept_up = Instant::now();
        loop {
            if kept_up.elapsed() >= self.options.upkeep.every {
                if let Err(problem) = self.keep_up(&mut connection).await {
                    return problem;
                }
                // Some may have become ours without our hearing of it, or were left.
                which = Read::all_own();
                kept_up = Instant::now();
            }
            let read = async {
                let entries = connection.read(&which).await?;
                if self.status.set(None) {
                    self.parts.telemetry.stream.regained();
                }
                which = which.behind(entries.last());
                self.take_in(entries, &mut connection).await
            };
            if let Err(problem) = read.await {
                return problem;
            }
        }
    }

    /// Takes over what is stuck elsewhere, and removes consumers that are gone. Where Redis does not
    /// let us, reading goes on without.
    async fn keep_up(&self, connection: &mut Connection) -> Result<(), StreamError> {
        let Upkeep {
            stuck_after,
            count,
            forget_after,
            ..
        } = self.options.upkeep;
        let mut next = stuck_after.map(|after| (after, "0-0".to_owned()));
        while let Some((after, start)) = next {
            let claimed = match connection.claim(after, &start, count).await {
                Err(problem) if problem.is_refusal() => {
                    self.parts.telemetry.stream.no_upkeep(&problem);
                    break;
                }
                claimed => claimed?,
            };
            self.parts.telemetry.stream.claimed(claimed.entries.len());
            self.take_in(claimed.entries, connection).await?;
            next = claimed.next.map(|start| (after, start));
        }
        if let Some(idle) = forget_after {
            match connection.forget_consumers(idle).await {
                Err(problem) if problem.is_refusal() => {
                    self.parts.telemetry.stream.no_upkeep(&problem);
                }
                dropped => self.parts.telemetry.stream.dropped(dropped?),
            }
        }
        Ok(())
    }

    /// Stores the events of `entries` in one commit and acknowledges them, however long it takes:
    /// Redis keeps them until then. What cannot be stored now is left there.
    fn take_in<'a>(
        &'a self,
        entries: Vec<Entry>,
        connection: &'a mut Connection,
    ) -> BoxFuture<'a, Result<(), StreamError>> {
        Box::pin(async move {
            if entries.is_empty() {
                return Ok(());
            }
            let metrics = &self.parts.telemetry.stream;
            loop {
                let (mut ids, mut events) = (Vec::with_capacity(entries.len()), Vec::new());
                for entry in &entries {
                    match self.events_of(entry).await {
                        Ok(of_entry) => {
                            events.extend(of_entry);
                            ids.push(entry.id.clone());
                        }
                        Err(reason) => metrics.left(&entry.id, &reason),
                    }
                }
                let problem = match self.store(events).await {
                    Ok(()) => {
                        failpoint::hit("stream.before_ack");
                        return connection.acknowledge(&ids).await;
                    }
                    Err(problem) => problem,
                };
                match problem {
                    // Together they are more than may be pending.
                    QueueError::TooLarge { .. } if entries.len() > 1 => {
                        for entry in entries {
                            self.take_in(vec![entry], connection).await?;
                        }
                        return Ok(());
                    }
                    QueueError::TooLarge { .. } => {
                        entries.iter().for_each(|it| metrics.left(&it.id, &problem));
                        return Ok(());
                    }
                    _ => {}
                }
                metrics.waits(&problem);
                let pause = match problem {
                    QueueError::Full { retry_after, .. }
                    | QueueError::Failing { retry_after, .. } => retry_after,
                    _ => QUEUE_PAUSE,
                };
                sleep(pause.clamp(SHORT_PAUSE, QUEUE_PAUSE)).await;
                // Nobody else may take them for stuck.
                connection.hold(&ids).await?;
            }
        })
    }

    async fn store(&self, events: Vec<NewEvent>) -> Result<(), QueueError> {
        if events.is_empty() {
            return Ok(());
        }
        let receipts = self.parts.queue.accept(events).await?;
        let metrics = &self.parts.telemetry.stream;
        receipts.into_iter().for_each(|it| metrics.took_in(it));
        Ok(())
    }

    // === Entries ===

    /// The events of an entry; one that is refused, if that is what it is.
    ///
    /// # Errors
    /// Why it cannot be told yet.
    async fn events_of(&self, entry: &Entry) -> Result<Vec<NewEvent>, Refusal> {
        if entry.is_deleted() {
            return Ok(Vec::new());
        }
        let began = Instant::now();
        loop {
            // A panic of a processor's filter must not hold up the entries behind.
            let events = AssertUnwindSafe(self.intake(entry)).catch_unwind().await;
            let reason = match events.unwrap_or_else(|_| Err(Refusal::Internal.into())) {
                Ok(events) => return Ok(events),
                // A defect of ours: the event itself may be a good one.
                Err(Unfit::Refused(Refusal::Internal)) => return Err(Refusal::Internal),
                Err(Unfit::Refused(refusal)) => match refusal.retry_after() {
                    Some(pause) if began.elapsed() + pause < LONGEST_WAIT => {
                        self.parts.telemetry.stream.waits(&refusal);
                        sleep(pause).await;
                        continue;
                    }
                    Some(_) => return Err(refusal),
                    None => refusal.to_string(),
                },
                Err(Unfit::Entry(reason)) => reason,
            };
            self.parts.telemetry.stream.refused(&reason);
            return Ok(vec![self.refused(entry, &reason)]);
        }
    }

    async fn intake(&self, entry: &Entry) -> Result<Vec<NewEvent>, Unfit> {
        let IngressParts {
            sources,
            router,
            clock,
            options: IngressOptions { limits, .. },
            ..
        } = &self.parts;
        let (path, query) = entry.path();
        let source = sources.iter().find(|source| **source.path() == *path);
        let source = source.ok_or_else(|| {
            let path = shown(&path);
            Unfit::Entry(format!("no source has the path {path}"))
        })?;
        let headers = entry.headers().map_err(Unfit::Entry)?;
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let now = clock.now();
        let mut arrival = Arrival {
            headers: &headers,
            query: &query,
            body: entry.payload(),
            // What a signature's age is measured by.
            received_at: entry.received_at(now),
        };
        if arrival.body.len() > limits.max_body_bytes {
            let limit = limits.max_body_bytes;
            return Err(Refusal::TooLarge { limit }.into());
        }
        arrival.verify(source).await.map_err(Refusal::from)?;
        arrival.received_at = now;
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
            let event = named(event, entry, source, many.then_some(index));
            let lanes = router.lanes_of(&event);
            NewEvent::new(event, lanes)
        });
        Ok(events.collect())
    }

    /// The entry as an event that is recorded and never runs.
    fn refused(&self, entry: &Entry, reason: &str) -> NewEvent {
        let (path, query) = entry.path();
        let headers = entry.headers().unwrap_or_default();
        // It may have been meant for any source.
        let is_secret = |name: &str| {
            let mut sources = self.parts.sources.iter();
            Headers::carries_secret(name) || sources.any(|source| source.is_secret_header(name))
        };
        let public = headers.iter().filter(|(name, _)| !is_secret(name));
        let event = WebhookEvent::new(EventParts {
            path: shown(&path).into(),
            delivery: Some(entry.delivery()),
            received_at: self.parts.clock.now(),
            headers: Headers::new(public.map(|(name, value)| (name, value))),
            query: query_without_secrets(&query).into(),
            body: entry.payload(),
            ..EventParts::default()
        });
        NewEvent::refused(event, reason)
    }
}

/// The event with what tells its delivery from others: the sender's own id where that can be relied
/// on, else the entry's.
///
/// The gateway splits arrays into entries that all have the headers of the request, so an id in a
/// header is as good as none where the source takes arrays, or where nothing shows that the body is
/// as it was sent.
fn named(
    event: WebhookEvent,
    entry: &Entry,
    source: &CheckedSource,
    index: Option<usize>,
) -> WebhookEvent {
    let in_header = matches!(source.source().delivery, Some(Locator::Header(_)));
    let is_whole = source.covers_body() || entry.has_declared_length();
    let may_be_split = source.source().arrays || !is_whole;
    if event.delivery().is_some() && !(in_header && may_be_split) {
        return event;
    }
    let id = entry.delivery();
    event.with_delivery(match index {
        Some(index) => format!("{id}:{index}").into(),
        None => id,
    })
}

/// A path as it may be shown.
fn shown(path: &str) -> String {
    path.escape_debug().take(LONGEST_PATH).collect()
}

/// Why an entry is not taken in as it is.
enum Unfit {
    /// It is no entry that the gateway writes, or for nobody.
    Entry(String),
    /// The first door would refuse it as well.
    Refused(Refusal),
}

impl From<Refusal> for Unfit {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::{
        clock::Clock,
        ingress::Router,
        lane::Lanes,
        queue::memory::{MemoryOptions, MemoryQueue},
        source::{
            RawRequest, Secret, Source, SourceSettings, Unverified, Verification, Verify,
            check_sources,
        },
        telemetry::Telemetry,
    };

    /// No event has a lane; a body that says so is a defect of a filter.
    #[derive(Debug)]
    struct Nowhere;

    impl Router for Nowhere {
        fn lanes_of(&self, event: &WebhookEvent) -> Lanes {
            assert!(event.pointer("/panic").is_none(), "as the test wants");
            Lanes::new()
        }
    }

    fn consumer(sources: Vec<Source>) -> Consumer {
        let config = json!({"token": "t0k3n"});
        let settings = SourceSettings {
            config: config.as_object().unwrap(),
            allow_unverified: true,
        };
        let (queue, _) = MemoryQueue::new(MemoryOptions::default());
        let parts = IngressParts {
            sources: check_sources(sources, &settings).unwrap(),
            router: Arc::new(Nowhere),
            queue: Arc::new(queue),
            checks: Vec::new(),
            clock: Clock::system(),
            telemetry: Arc::new(Telemetry::default()),
            options: IngressOptions::default(),
        };
        Consumer::new(StreamOptions::of_tests(), Status::default(), parts)
    }

    fn token() -> Source {
        Source::new("/hook").verify(Verification::token("x-webhook-key").secret("token"))
    }

    const HEADERS: (&str, &str) = ("headers", r#"{"X-Webhook-Key": "t0k3n", "X-Id": "d1"}"#);
    const PATH: (&str, &str) = ("webhookPath", "integration/hook");

    #[tokio::test]
    async fn what_is_refused_is_kept_without_secrets_and_with_its_reason() {
        let consumer = consumer(vec![token()]);
        for (fields, reason) in [
            (vec![PATH, HEADERS, ("payload", "x")], "not JSON"),
            (vec![PATH, HEADERS, ("payload", "7")], "not a JSON object"),
            (vec![PATH, ("payload", "{}")], "x-webhook-key"),
            (vec![PATH, ("headers", "[]")], "headers"),
            (
                vec![("webhookPath", "no\x1b[2J"), HEADERS],
                r"no source has the path /no\u{1b}[2J",
            ),
        ] {
            let events = consumer
                .events_of(&Entry::of("1-0", &fields))
                .await
                .unwrap();
            let [event] = &events[..] else {
                panic!("{reason}: one event");
            };
            let found = event.refused.as_deref().expect("it is refused");
            assert!(found.contains(reason), "{found}");
            assert_eq!(event.event.headers().get("x-webhook-key"), None);
            assert!(!event.event.path().contains('\x1b'));
        }
    }

    #[tokio::test]
    async fn the_parts_of_a_split_array_are_no_duplicates_of_each_other() {
        let by_header = token().delivery(Locator::header("x-id"));
        let of_arrays = || by_header.clone().arrays();
        let by_pointer = token().arrays().delivery(Locator::pointer("/id"));
        let whole = (
            "headers",
            r#"{"X-Webhook-Key": "t0k3n", "X-Id": "d1", "Content-Length": "13"}"#,
        );
        for (source, headers, expected) in [
            // The token says nothing about the body, which may be a part.
            (by_header.clone(), HEADERS, ["e1"].as_slice()),
            (by_header.clone(), whole, &["d1"]),
            (of_arrays(), whole, &["e1"]),
            (by_pointer, HEADERS, &["own"]),
            (token(), whole, &["e1"]),
        ] {
            let consumer = consumer(vec![source]);
            let fields = [
                PATH,
                headers,
                ("eventId", "e1"),
                ("payload", r#"{"id": "own"}"#),
            ];
            let events = consumer
                .events_of(&Entry::of("1-0", &fields))
                .await
                .unwrap();
            let found: Vec<_> = events.iter().filter_map(|it| it.event.delivery()).collect();
            assert_eq!(found, expected);
        }
        let fields = [PATH, HEADERS, ("eventId", "e1"), ("payload", "[{}, {}]")];
        let consumer = consumer(vec![of_arrays()]);
        let events = consumer
            .events_of(&Entry::of("1-0", &fields))
            .await
            .unwrap();
        let found: Vec<_> = events.iter().filter_map(|it| it.event.delivery()).collect();
        assert_eq!(found, ["e1:0", "e1:1"]);
    }

    #[tokio::test]
    async fn a_defect_of_ours_leaves_the_entry_where_it_is() {
        let consumer = consumer(vec![token()]);
        let fields = [PATH, HEADERS, ("payload", r#"{"panic": 1}"#)];
        let left = consumer.events_of(&Entry::of("1-0", &fields)).await;
        assert!(matches!(left, Err(Refusal::Internal)), "{left:?}");
    }

    #[derive(Debug)]
    struct Away;

    impl Verify for Away {
        fn verify<'a>(
            &'a self,
            _: &'a RawRequest<'a>,
            _: &'a [Secret],
        ) -> BoxFuture<'a, Result<(), Unverified>> {
            Box::pin(async { Err(Unverified::Unavailable("keys cannot be fetched".into())) })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_that_cannot_be_verified_now_holds_up_the_others_for_a_minute_at_most() {
        let source = Source::new("/hook").verify(Verification::custom(Away).secret("token"));
        let consumer = consumer(vec![source]);
        let fields = [PATH, HEADERS, ("payload", "{}")];
        let began = tokio::time::Instant::now();
        let left = consumer.events_of(&Entry::of("1-0", &fields)).await;
        assert!(matches!(left, Err(Refusal::Unverified(_))), "{left:?}");
        assert!(began.elapsed() <= LONGEST_WAIT);
    }
}
