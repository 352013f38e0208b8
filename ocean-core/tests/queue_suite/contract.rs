//! What every queue promises, seen on the one in memory and the embedded store alike.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use ocean_core::{
    Clock, EventId, EventParts, Lane, Lanes,
    queue::{
        Action, ActionOutcome, Change, EventState, Feed, Filter, NewEvent, Queue, QueueError,
        Receipt, Story,
        embedded::EmbeddedOptions,
        memory::{MemoryOptions, MemoryQueue},
    },
};

use crate::support::{
    lanes, large, new, open, options, parts, progress, state, store, stored, story, take,
};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// What a test of the contract may depend on.
pub(crate) struct Setup {
    pub(crate) max_pending_bytes: u64,
    pub(crate) dedupe_window: Duration,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            max_pending_bytes: 1 << 30,
            dedupe_window: 24 * HOUR,
        }
    }
}

/// Runs `check` on each queue.
pub(crate) async fn each<F: Future<Output = ()>>(
    setup: Setup,
    check: impl Fn(Arc<dyn Queue>, Feed) -> F,
) {
    let (queue, feed) = MemoryQueue::new(MemoryOptions {
        max_pending_bytes: setup.max_pending_bytes,
        dedupe_window: setup.dedupe_window,
        ..MemoryOptions::default()
    });
    check(Arc::new(queue), feed).await;
    let folder = tempfile::tempdir().unwrap();
    let (queue, feed) = open(EmbeddedOptions {
        max_pending_bytes: setup.max_pending_bytes,
        dedupe_window: setup.dedupe_window,
        ..options(folder.path())
    });
    check(Arc::new(queue), feed).await;
}

#[tokio::test]
async fn events_come_out_in_the_order_of_their_receipts() {
    each(Setup::default(), |queue, mut feed| async move {
        let before = Timestamp::now().as_microsecond();
        let mut ids = Vec::new();
        for request in 0..20 {
            let events = (0..3)
                .map(|i| new(parts(&format!("{request}-{i}")), i))
                .collect();
            for receipt in queue.accept(events).await.unwrap() {
                let Receipt::Stored(id) = receipt else {
                    panic!("{receipt:?}");
                };
                ids.push(id);
            }
        }
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert!(ids[0].get() >= before && ids[59].get() <= Timestamp::now().as_microsecond() + 60);
        for (index, id) in ids.iter().enumerate() {
            let pending = take(&mut feed).await;
            assert_eq!(pending.id, *id);
            assert_eq!(pending.lanes, lanes(index as u64 % 3));
            assert!(!pending.resumed);
            assert_eq!(pending.not_before, None);
            let cached = pending.cached.expect("small events are cached");
            assert_eq!(cached.event.id(), *id);
        }
        assert_eq!(queue.pressure().pending, 60);
    })
    .await;
}

#[tokio::test]
async fn a_loaded_event_is_the_accepted_one() {
    each(Setup::default(), |queue, _feed| async move {
        let original = parts("d1");
        let id = stored(&*queue, "d1").await;
        let loaded = queue.load(id).await.unwrap().unwrap();
        assert_eq!(loaded.event.id(), id);
        assert_eq!(loaded.event.path(), &original.path);
        assert_eq!(loaded.event.name(), original.name.as_deref());
        assert_eq!(loaded.event.delivery(), Some("d1"));
        assert_eq!(loaded.event.query(), "a=1");
        assert_eq!(loaded.event.body(), &original.body);
        let tags: Vec<_> = loaded
            .event
            .headers()
            .iter()
            .filter(|(n, _)| *n == "x-tag")
            .collect();
        assert_eq!(tags, [("x-tag", "a"), ("x-tag", "b")]);
        assert_eq!(loaded.story, Story::default());
        assert_eq!(loaded.restarts, 0);
        assert!(queue.load(EventId::new(1)).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_repeated_delivery_is_answered_with_the_first_id() {
    each(Setup::default(), |queue, mut feed| async move {
        let first = stored(&*queue, "d1").await;
        let again = queue.accept(vec![new(parts("d1"), 1)]).await.unwrap();
        assert_eq!(again, [Receipt::Duplicate(first)]);

        let twice = vec![new(parts("d2"), 1), new(parts("d2"), 1)];
        let receipts = queue.accept(twice).await.unwrap();
        let [Receipt::Stored(second), Receipt::Duplicate(of)] = receipts[..] else {
            panic!("{receipts:?}");
        };
        assert_eq!(of, second, "within one request too");

        let elsewhere = EventParts {
            path: "/other".into(),
            ..parts("d1")
        };
        let receipts = queue.accept(vec![new(elsewhere, 1)]).await.unwrap();
        assert!(matches!(receipts[..], [Receipt::Stored(_)]), "{receipts:?}");

        queue.record(first, Change::Done(Story::default()));
        queue.flushed().await;
        let again = queue.accept(vec![new(parts("d1"), 1)]).await.unwrap();
        assert_eq!(again, [Receipt::Duplicate(first)], "finished ones too");

        let nameless = EventParts {
            delivery: None,
            ..parts("")
        };
        for _ in 0..2 {
            let receipts = queue.accept(vec![new(nameless.clone(), 1)]).await.unwrap();
            assert!(matches!(receipts[..], [Receipt::Stored(_)]));
        }
        for _ in 0..5 {
            take(&mut feed).await;
        }
        assert_eq!(queue.pressure().pending, 4);
    })
    .await;
}

#[tokio::test]
async fn a_delivery_counts_as_new_once_the_window_is_over() {
    let setup = Setup {
        dedupe_window: HOUR,
        ..Setup::default()
    };
    each(setup, |queue, _feed| async move {
        let now = Timestamp::now();
        let at = |minutes: i64, delivery: &str| EventParts {
            received_at: now + jiff::SignedDuration::from_mins(minutes),
            ..parts(delivery)
        };
        queue.accept(vec![new(at(0, "d"), 1)]).await.unwrap();
        let early = queue.accept(vec![new(at(59, "d"), 1)]).await.unwrap();
        assert!(matches!(early[..], [Receipt::Duplicate(_)]));
        let late = queue.accept(vec![new(at(60, "d"), 1)]).await.unwrap();
        assert!(matches!(late[..], [Receipt::Stored(_)]));
        let back = queue.accept(vec![new(at(-600, "d"), 1)]).await.unwrap();
        assert!(
            matches!(back[..], [Receipt::Duplicate(_)]),
            "a clock that jumped back"
        );
    })
    .await;
}

#[tokio::test]
async fn racing_duplicates_are_stored_once() {
    each(Setup::default(), |queue, mut feed| async move {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let queue = Arc::clone(&queue);
            tasks.spawn(async move {
                let mut receipts = Vec::new();
                for delivery in 0..20 {
                    let event = new(parts(&delivery.to_string()), 1);
                    receipts.extend(queue.accept(vec![event]).await.unwrap());
                    tokio::task::yield_now().await;
                }
                receipts
            });
        }
        let mut first = vec![None; 20];
        let mut duplicates = vec![Vec::new(); 20];
        for receipts in tasks.join_all().await {
            for (delivery, receipt) in receipts.into_iter().enumerate() {
                match receipt {
                    Receipt::Stored(id) => assert_eq!(first[delivery].replace(id), None),
                    Receipt::Duplicate(of) => duplicates[delivery].push(of),
                    Receipt::Ignored(_) | Receipt::Refused(_) => panic!("it has a lane"),
                }
            }
        }
        for (first, duplicates) in first.iter().zip(&duplicates) {
            assert_eq!(duplicates.len(), 63);
            assert!(duplicates.iter().all(|of| Some(*of) == *first));
        }
        for _ in 0..20 {
            take(&mut feed).await;
        }
        assert_eq!(queue.pressure().pending, 20);
    })
    .await;
}

#[tokio::test]
async fn an_event_without_lanes_is_recorded_and_not_dispatched() {
    each(Setup::default(), |queue, mut feed| async move {
        let event = NewEvent {
            lanes: Lanes::new(),
            ..new(parts("d1"), 1)
        };
        let receipts = queue.accept(vec![event]).await.unwrap();
        let [Receipt::Ignored(id)] = receipts[..] else {
            panic!("{receipts:?}");
        };
        let next = stored(&*queue, "d2").await;
        assert_eq!(take(&mut feed).await.id, next);
        let journal = queue.journal().unwrap();
        assert_eq!(state(&*journal, id), EventState::Ignored);
        let again = queue.accept(vec![new(parts("d1"), 1)]).await.unwrap();
        assert_eq!(again, [Receipt::Duplicate(id)]);
    })
    .await;
}

#[tokio::test]
async fn an_event_that_is_refused_is_recorded_and_never_run() {
    each(Setup::default(), |queue, mut feed| async move {
        let event = new(parts("d1"), 1).event;
        let refused = NewEvent::refused(event, "the signature does not match");
        let receipts = queue.accept(vec![refused]).await.unwrap();
        let [Receipt::Refused(id)] = receipts[..] else {
            panic!("{receipts:?}");
        };
        let pressure = queue.pressure();
        assert_eq!((pressure.pending, pressure.dead), (0, 0));
        let journal = queue.journal().unwrap();
        let (summary, stored_event) = journal.show(&id.to_string()).unwrap().unwrap();
        assert_eq!(summary.state, EventState::Refused);
        assert_eq!(
            summary.reason.as_deref(),
            Some("the signature does not match")
        );
        assert!(summary.finished_at.is_some());
        assert_eq!(stored_event.event.body(), new(parts("d1"), 1).event.body());

        let again = queue.accept(vec![new(parts("d1"), 1)]).await.unwrap();
        assert_eq!(again, [Receipt::Duplicate(id)]);
        // Giving it up must not open a way around.
        for action in [Action::Discard(vec![id]), Action::Replay(vec![id])] {
            let results = queue.operate(action).await.unwrap();
            let outcome = &results[0].outcome;
            assert!(matches!(outcome, ActionOutcome::Refused(_)), "{outcome:?}");
        }
        let next = stored(&*queue, "d2").await;
        assert_eq!(take(&mut feed).await.id, next, "it was not dispatched");
    })
    .await;
}

#[tokio::test]
async fn every_change_is_found_again() {
    each(Setup::default(), |queue, _feed| async move {
        let journal = queue.journal().unwrap();
        let at = Timestamp::from_second(4_000_000_000).unwrap();

        let id = stored(&*queue, "progress").await;
        queue.record(id, progress(story("a")));
        queue.record(id, Change::Resumed);
        queue.record(id, Change::Resumed);
        queue.flushed().await;
        let loaded = queue.load(id).await.unwrap().unwrap();
        assert_eq!((loaded.restarts, loaded.story), (2, story("a")));
        queue.record(
            id,
            Change::Retry {
                at,
                story: story("b"),
            },
        );
        queue.flushed().await;
        let (summary, loaded) = journal.show("progress").unwrap().unwrap();
        assert_eq!(summary.next_attempt_at, Some(at));
        assert_eq!((summary.attempts, summary.state), (1, EventState::Pending));
        // An attempt that came to its end did not kill the process.
        assert_eq!((loaded.restarts, loaded.story), (0, story("b")));
        let sooner = Timestamp::from_second(3_000_000_000).unwrap();
        for next in [Some(sooner), None] {
            let story = story("c");
            queue.record(id, Change::Progress { next, story });
            queue.flushed().await;
            let (summary, _) = journal.show("progress").unwrap().unwrap();
            assert_eq!(summary.next_attempt_at, next);
        }

        let by = stored(&*queue, "newer").await;
        queue.record(
            id,
            Change::Superseded {
                by,
                story: story("c"),
            },
        );
        queue.record(by, Change::Done(story("d")));
        let dead = stored(&*queue, "dead").await;
        let reason = "third-party is gone".to_owned();
        queue.record(
            dead,
            Change::Dead {
                reason: reason.clone(),
                story: story("e"),
            },
        );
        queue.flushed().await;
        let (summary, loaded) = journal.show(&id.to_string()).unwrap().unwrap();
        assert_eq!(summary.state, EventState::Superseded);
        assert_eq!(summary.reason, Some(format!("superseded by {by}")));
        assert_eq!(summary.next_attempt_at, None);
        assert_eq!(loaded.story, story("c"));
        assert_eq!(state(&*journal, by), EventState::Done);
        let (summary, loaded) = journal.show("dead").unwrap().unwrap();
        assert_eq!(
            (summary.state, summary.reason),
            (EventState::Dead, Some(reason))
        );
        assert!(summary.finished_at.is_some());
        assert_eq!(loaded.story, story("e"));

        // A fate is decided once.
        queue.record(dead, Change::Done(Story::default()));
        queue.record(EventId::new(5), Change::Done(Story::default()));
        queue.flushed().await;
        assert_eq!(state(&*journal, dead), EventState::Dead);
        let pressure = queue.pressure();
        assert_eq!(
            (pressure.pending, pressure.pending_bytes, pressure.dead),
            (0, 0, 1)
        );
        assert_eq!(pressure.refusing, None);
    })
    .await;
}

#[tokio::test]
async fn the_journal_filters_and_pages() {
    each(Setup::default(), |queue, _feed| async move {
        let mut ids = Vec::new();
        for i in 0..10_u64 {
            let parts = EventParts {
                path: if i < 5 { "/a".into() } else { "/b".into() },
                name: Some(if i % 2 == 0 {
                    "even".into()
                } else {
                    "odd".into()
                }),
                received_at: Timestamp::from_second(1_000_000 + i as i64).unwrap(),
                ..parts(&i.to_string())
            };
            let receipts = queue.accept(vec![new(parts, i % 3)]).await.unwrap();
            let [Receipt::Stored(id)] = receipts[..] else {
                panic!("{receipts:?}");
            };
            ids.push(id);
        }
        queue.record(ids[9], Change::Done(Story::default()));
        queue.flushed().await;
        let journal = queue.journal().unwrap();
        let check = |filter: Filter, expected: &[usize]| {
            let found: Vec<_> = journal
                .list(&filter)
                .unwrap()
                .iter()
                .map(|s| s.id)
                .collect();
            let expected: Vec<_> = expected.iter().map(|i| ids[*i]).collect();
            assert_eq!(found, expected, "{filter:?}");
        };
        let all = Filter::default;
        let second = |second: i64| Timestamp::from_second(1_000_000 + second).ok();
        check(all(), &[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
        check(Filter { limit: 2, ..all() }, &[9, 8]);
        check(
            Filter {
                before: Some(ids[8]),
                limit: 2,
                ..all()
            },
            &[7, 6],
        );
        check(
            Filter {
                path: Some("/a".into()),
                name: Some("odd".into()),
                ..all()
            },
            &[3, 1],
        );
        check(
            Filter {
                lane: Some(Lane::new(2)),
                ..all()
            },
            &[8, 5, 2],
        );
        check(
            Filter {
                since: second(3),
                until: second(5),
                ..all()
            },
            &[4, 3],
        );
        check(
            Filter {
                states: vec![EventState::Done, EventState::Dead],
                ..all()
            },
            &[9],
        );
        check(
            Filter {
                states: vec![EventState::Pending],
                limit: 1,
                ..all()
            },
            &[8],
        );
        assert!(journal.show("nothing like it").unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn beyond_the_bound_events_are_refused_until_some_are_finished() {
    let setup = Setup {
        max_pending_bytes: 100_000,
        ..Setup::default()
    };
    each(setup, |queue, _feed| async move {
        let first = queue.accept(vec![new(large("1"), 1)]).await.unwrap();
        queue.accept(vec![new(large("2"), 1)]).await.unwrap();
        let refused = queue.accept(vec![new(large("3"), 1)]).await;
        let Err(QueueError::Full { retry_after, .. }) = refused else {
            panic!("{refused:?}");
        };
        assert!(retry_after >= Duration::from_secs(1));
        let [Receipt::Stored(first)] = first[..] else {
            panic!("{first:?}");
        };
        queue.record(first, Change::Done(Story::default()));
        queue.flushed().await;
        queue.accept(vec![new(large("3"), 1)]).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_request_larger_than_the_bound_is_refused_for_good_and_leaves_the_queue_ready() {
    let setup = Setup {
        max_pending_bytes: 100_000,
        ..Setup::default()
    };
    each(setup, |queue, _feed| async move {
        let sized = |delivery: &str, bytes: usize| EventParts {
            body: vec![b' '; bytes].into(),
            ..parts(delivery)
        };
        let refused = queue.accept(vec![new(sized("1", 100_001), 1)]).await;
        assert!(
            matches!(refused, Err(QueueError::TooLarge { limit: 100_000, .. })),
            "{refused:?}"
        );
        assert_eq!(queue.pressure().refusing, None);

        let id = store(&*queue, sized("2", 60_000)).await;
        let refused = queue.accept(vec![new(sized("3", 60_000), 1)]).await;
        assert!(
            matches!(refused, Err(QueueError::Full { .. })),
            "{refused:?}"
        );
        store(&*queue, sized("4", 10_000)).await;
        assert_eq!(queue.pressure().refusing, None, "smaller ones get in");
        let refused = queue.accept(vec![new(sized("3", 60_000), 1)]).await;
        assert!(
            matches!(refused, Err(QueueError::Full { .. })),
            "{refused:?}"
        );
        queue.record(id, Change::Done(Story::default()));
        queue.flushed().await;
        assert_eq!(queue.pressure().refusing, None, "there is room again");
    })
    .await;
}

#[tokio::test]
async fn a_closed_queue_ends_its_feed_and_takes_nothing() {
    each(Setup::default(), |queue, mut feed| async move {
        let id = stored(&*queue, "d").await;
        queue.close().await;
        assert_eq!(take(&mut feed).await.id, id);
        assert!(feed.recv().await.is_none());
        let refused = queue.accept(vec![new(parts("e"), 1)]).await;
        assert!(matches!(refused, Err(QueueError::Closed)), "{refused:?}");
        let refused = queue.operate(Action::Discard(vec![id])).await;
        assert!(matches!(refused, Err(QueueError::Closed)), "{refused:?}");
        queue.record(id, Change::Done(Story::default()));
        queue.flushed().await;
        queue.close().await;
    })
    .await;
}

#[tokio::test]
async fn the_age_of_the_oldest_pending_event_is_known() {
    let origin = Timestamp::from_second(1_700_000_000).unwrap();
    let (queue, _feed) = MemoryQueue::new(MemoryOptions {
        clock: Clock::starting_at(origin),
        ..MemoryOptions::default()
    });
    let parts = EventParts {
        received_at: origin - jiff::SignedDuration::from_secs(90),
        ..parts("d")
    };
    assert_eq!(queue.pressure().oldest, None);
    queue.accept(vec![new(parts, 1)]).await.unwrap();
    assert_eq!(queue.pressure().oldest.unwrap().as_secs(), 90);
}
