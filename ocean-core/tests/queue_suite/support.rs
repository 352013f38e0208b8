//! Events and stores for the tests.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;
use ocean_core::{
    EventId, EventParts, Headers, Lane, LaneEntry, Lanes, WebhookEvent,
    queue::{
        Attempt, Change, EventState, Feed, Journal, NewEvent, Pending, Queue, Receipt, RunState,
        Story,
        embedded::{self, Embedded, EmbeddedOptions, OpenError},
    },
    telemetry::Telemetry,
};
use rusqlite::Connection;

pub(crate) fn parts(delivery: &str) -> EventParts {
    EventParts {
        delivery: Some(delivery.into()),
        received_at: Timestamp::now(),
        name: Some("jira:issue_updated".into()),
        headers: Headers::new([("x-tag", "a"), ("authorization", "secret"), ("x-tag", "b")]),
        query: "a=1".into(),
        body: r#"{"issue": {"id": "1"}}"#.into(),
        ..EventParts::default()
    }
}

pub(crate) fn lanes(lane: u64) -> Lanes {
    [LaneEntry {
        lane: Lane::new(lane),
        coalesce: Some(lane + 1),
    }]
    .into_iter()
    .collect()
}

pub(crate) fn new(parts: EventParts, lane: u64) -> NewEvent {
    NewEvent::new(WebhookEvent::new(parts), lanes(lane))
}

/// As [`parts`], of which two fit into 100,000 bytes and three do not.
pub(crate) fn large(delivery: &str) -> EventParts {
    EventParts {
        body: vec![b' '; 40_000].into(),
        ..parts(delivery)
    }
}

/// Progress after which nothing waits for a date.
pub(crate) fn progress(story: Story) -> Change {
    Change::Progress { next: None, story }
}

pub(crate) fn story(processor: &str) -> Story {
    let mut story = Story::default();
    let run = story.run_mut(processor, Some("issue-0"));
    run.state = RunState::Done;
    run.attempts.push(Attempt {
        at: Timestamp::UNIX_EPOCH,
        took_ms: 5,
        error: vec!["outer".into(), "inner".into()],
        updated: 1,
        deleted: 0,
        writes: Vec::new(),
        notes: Vec::new(),
        outage: false,
        repeats: 0,
    });
    story
}

pub(crate) async fn stored(queue: &dyn Queue, delivery: &str) -> EventId {
    store(queue, parts(delivery)).await
}

pub(crate) async fn store(queue: &dyn Queue, parts: EventParts) -> EventId {
    let receipts = queue.accept(vec![new(parts, 1)]).await.unwrap();
    let [Receipt::Stored(id)] = receipts[..] else {
        panic!("{receipts:?}");
    };
    id
}

pub(crate) async fn take(feed: &mut Feed) -> Pending {
    feed.recv().await.expect("the queue is open")
}

pub(crate) fn state(journal: &dyn Journal, id: EventId) -> EventState {
    journal.show(&id.to_string()).unwrap().unwrap().0.state
}

/// Options of a store whose disk may be as full as the tester's.
pub(crate) fn options(folder: &Path) -> EmbeddedOptions {
    EmbeddedOptions {
        reserve_bytes: Some(0),
        ..EmbeddedOptions::new(folder)
    }
}

pub(crate) fn open(options: EmbeddedOptions) -> (Embedded, Feed) {
    embedded::open(options, Arc::new(Telemetry::default())).unwrap()
}

pub(crate) async fn ids_of(feed: &mut Feed, count: usize) -> Vec<EventId> {
    let mut buffer = Vec::new();
    while buffer.len() < count {
        assert!(feed.recv_many(&mut buffer, 1000).await > 0);
    }
    buffer.iter().map(|pending| pending.id).collect()
}

/// Another program's connection to the store, to make trouble.
pub(crate) fn intruder(folder: &Path) -> Connection {
    Connection::open(folder.join("queue.db")).unwrap()
}

pub(crate) fn refused(folder: &Path) -> OpenError {
    let telemetry = Telemetry::default().into();
    embedded::open(options(folder), telemetry).expect_err("the store must be refused")
}
