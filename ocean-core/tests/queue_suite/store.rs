//! What the embedded store promises beyond the contract of a queue.

use std::{fs, path::Path, time::Duration};

use jiff::{SignedDuration, Timestamp};
use ocean_core::{
    Clock, EventId, EventParts, WebhookEvent,
    queue::{
        Action, ActionOutcome, ActionResult, Change, EventState, Feed, Filter, Journal, NewEvent,
        Queue, QueueError, Receipt, Story,
        embedded::{self, EmbeddedOptions, OpenError, Owner, Reader, Retention, Salvaged},
    },
    telemetry::Telemetry,
};
use rusqlite::Connection;

use crate::support::{
    lanes, new, open, options, parts, progress, state, store, stored, story, take,
};

async fn ids_of(feed: &mut Feed, count: usize) -> Vec<EventId> {
    let mut buffer = Vec::new();
    while buffer.len() < count {
        assert!(feed.recv_many(&mut buffer, 1000).await > 0);
    }
    buffer.iter().map(|pending| pending.id).collect()
}

/// Another program's connection to the store, to make trouble.
fn intruder(folder: &Path) -> Connection {
    Connection::open(folder.join("queue.db")).unwrap()
}

fn refused(folder: &Path) -> OpenError {
    let telemetry = Telemetry::default().into();
    embedded::open(options(folder), telemetry).expect_err("the store must be refused")
}

// === Restart ===

#[tokio::test]
async fn a_restart_finds_everything_again() {
    let folder = tempfile::tempdir().unwrap();
    let at = Timestamp::from_second(4_000_000_000).unwrap();
    let (queue, _) = open(options(folder.path()));
    let done = stored(&queue, "done").await;
    let waiting = stored(&queue, "waiting").await;
    let retried = stored(&queue, "retried").await;
    let dead = stored(&queue, "dead").await;
    queue.record(done, Change::Done(story("a")));
    queue.record(
        retried,
        Change::Retry {
            at,
            story: story("b"),
        },
    );
    queue.record(retried, Change::Resumed);
    let reason = "gone".to_owned();
    queue.record(
        dead,
        Change::Dead {
            reason,
            story: story("c"),
        },
    );
    let before = {
        queue.flushed().await;
        queue.pressure()
    };
    drop(queue);

    let (queue, mut feed) = open(options(folder.path()));
    let found = (take(&mut feed).await, take(&mut feed).await);
    assert_eq!((found.0.id, found.1.id), (waiting, retried));
    for pending in [&found.0, &found.1] {
        assert!(pending.resumed && pending.cached.is_none());
        assert_eq!(pending.lanes, lanes(1));
    }
    assert_eq!((found.0.not_before, found.1.not_before), (None, Some(at)));
    let loaded = queue.load(retried).await.unwrap().unwrap();
    assert_eq!((loaded.restarts, loaded.story), (1, story("b")));
    for (delivery, id) in [("done", done), ("waiting", waiting), ("dead", dead)] {
        let again = queue.accept(vec![new(parts(delivery), 1)]).await.unwrap();
        assert_eq!(again, [Receipt::Duplicate(id)], "{delivery}");
    }
    let next = stored(&queue, "next").await;
    assert!(next > dead);
    let fresh = take(&mut feed).await;
    assert_eq!((fresh.id, fresh.resumed), (next, false));
    let after = queue.pressure();
    assert_eq!(
        (after.pending, after.dead),
        (before.pending + 1, before.dead)
    );
    assert!(after.pending_bytes > before.pending_bytes);
}

#[tokio::test]
async fn a_backlog_of_many_chunks_comes_in_order_before_anything_new() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _) = open(options(folder.path()));
    let mut ids = Vec::new();
    for request in 0..50 {
        let events = (0..100)
            .map(|i| new(parts(&format!("{request}-{i}")), i))
            .collect();
        for receipt in queue.accept(events).await.unwrap() {
            let Receipt::Stored(id) = receipt else {
                panic!("{receipt:?}");
            };
            ids.push(id);
        }
    }
    drop(queue);
    let (queue, mut feed) = open(options(folder.path()));
    ids.push(stored(&queue, "new").await);
    assert_eq!(ids_of(&mut feed, ids.len()).await, ids);
}

#[tokio::test]
async fn ids_grow_although_the_clock_jumps_back() {
    let folder = tempfile::tempdir().unwrap();
    let now = Timestamp::now();
    let mut last = EventId::new(0);
    for days in [0, -1, -400, 1, 0] {
        let (queue, _feed) = open(EmbeddedOptions {
            clock: Clock::starting_at(now + SignedDuration::from_hours(24 * days)),
            ..options(folder.path())
        });
        for i in 0..3 {
            let id = stored(&queue, &format!("{days}-{i}-{last}")).await;
            assert!(id > last, "{id} after {last}");
            last = id;
        }
    }
}

// === Who may open it ===

#[tokio::test]
async fn a_second_owner_is_refused_by_name_of_folder_and_process() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _feed) = open(options(folder.path()));
    let message = refused(folder.path()).to_string();
    assert!(
        message.contains(&folder.path().display().to_string()),
        "{message}"
    );
    assert!(
        message.contains(&format!("process {}", std::process::id())),
        "{message}"
    );
    queue.close().await;
    let (_queue, _feed) = open(options(folder.path()));
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let read_only = folder.path().join("read-only");
    fs::create_dir(&read_only).unwrap();
    fs::set_permissions(&read_only, fs::Permissions::from_mode(0o555)).unwrap();
    let target = if fs::write(read_only.join("try"), "").is_ok() {
        // The superuser may write anywhere but below a file.
        read_only.join("try")
    } else {
        read_only
    };
    let message = refused(&target).to_string();
    assert!(message.contains("OCEAN__QUEUE__PATH"), "{message}");
    assert!(message.contains(&target.display().to_string()), "{message}");
}

#[tokio::test]
async fn a_store_of_another_integration_or_catalog_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let owner = |integration: &str, identifier: &str, catalog: &str| Owner {
        integration: integration.into(),
        identifier: identifier.into(),
        catalog: catalog.into(),
    };
    let ours = owner("jira", "main", "port");
    let owned = |owner: &Owner, folder: &Path| EmbeddedOptions {
        owner: Some(owner.clone()),
        ..options(folder)
    };
    // A store from before it had an owner belongs to the first that comes.
    let id = {
        let (queue, _feed) = open(options(folder.path()));
        stored(&queue, "a").await
    };
    drop(open(owned(&ours, folder.path())));
    for other in [
        owner("github", "main", "port"),
        owner("jira", "second", "port"),
        owner("jira", "main", "local"),
    ] {
        let refused = embedded::open(owned(&other, folder.path()), Telemetry::default().into());
        let error = refused.expect_err("it is not theirs");
        assert!(matches!(error, OpenError::OtherOwner { .. }), "{error}");
        for part in [
            &*ours.to_string(),
            &*other.to_string(),
            "OCEAN__QUEUE__PATH",
        ] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }
    let target = tempfile::tempdir().unwrap();
    embedded::salvage(folder.path(), target.path()).unwrap();
    let other = owned(&owner("github", "main", "port"), target.path());
    assert!(
        embedded::open(other, Telemetry::default().into()).is_err(),
        "what was salvaged keeps its owner"
    );
    for folder in [folder.path(), target.path()] {
        let (_queue, mut feed) = open(owned(&ours, folder));
        assert_eq!(take(&mut feed).await.id, id);
        drop(feed);
    }
    drop(open(options(folder.path())));
}

#[test]
fn files_of_others_and_of_newer_releases_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let other = intruder(folder.path());
    other.execute_batch("CREATE TABLE a(b)").unwrap();
    assert!(matches!(refused(folder.path()), OpenError::Foreign { .. }));

    let folder = tempfile::tempdir().unwrap();
    drop(open(options(folder.path())));
    intruder(folder.path())
        .pragma_update(None, "user_version", 99)
        .unwrap();
    assert!(matches!(
        refused(folder.path()),
        OpenError::Newer { found: 99, .. }
    ));
}

// === Damage ===

/// A closed store with events 0..count, all pending, and their ids.
async fn closed_store(folder: &Path, count: usize) -> Vec<EventId> {
    let (queue, _feed) = open(options(folder));
    let mut ids = Vec::new();
    for delivery in 0..count {
        let parts = EventParts {
            body: format!("\"{delivery}{}\"", " ".repeat(3000)).into(),
            ..parts(&delivery.to_string())
        };
        ids.push(store(&queue, parts).await);
    }
    queue.close().await;
    ids
}

#[tokio::test]
async fn a_damaged_file_is_refused_untouched_and_can_be_salvaged() {
    type Harm = fn(&mut Vec<u8>);
    let harms: [(&str, Harm, u64); 3] = [
        ("garbled header", |bytes| bytes[..100].fill(0xa5), 200),
        ("cut in half", |bytes| bytes.truncate(bytes.len() / 2), 50),
        (
            "cut by a byte",
            |bytes| bytes.truncate(bytes.len() - 1),
            150,
        ),
    ];
    for (name, harm, at_least) in harms {
        let folder = tempfile::tempdir().unwrap();
        let ids = closed_store(folder.path(), 200).await;
        let file = folder.path().join("queue.db");
        let mut bytes = fs::read(&file).unwrap();
        harm(&mut bytes);
        fs::write(&file, &bytes).unwrap();
        // All of it is in the file as well; left there, it would heal the damage.
        fs::remove_file(folder.path().join("queue.db-wal")).unwrap();

        let error = refused(folder.path());
        assert!(
            matches!(error, OpenError::Corrupt { .. }),
            "{name}: {error}"
        );
        assert!(error.to_string().contains("salvage"), "{name}: {error}");
        assert!(
            fs::read(&file).unwrap() == bytes,
            "{name}: the file was changed"
        );

        let target = tempfile::tempdir().unwrap();
        let salvaged = embedded::salvage(folder.path(), target.path()).unwrap();
        assert!(salvaged.whole >= at_least, "{name}: {salvaged:?}");
        assert!(
            fs::read(&file).unwrap() == bytes,
            "{name}: the file was changed"
        );
        let (queue, mut feed) = open(options(target.path()));
        for id in ids_of(&mut feed, salvaged.whole as usize).await {
            let delivery = ids
                .iter()
                .position(|of| *of == id)
                .expect("an event of ours");
            let loaded = queue.load(id).await.unwrap().unwrap();
            let text = std::str::from_utf8(loaded.event.body()).unwrap();
            assert!(
                text.starts_with(&format!("\"{delivery} ")),
                "{name}: {text}"
            );
        }
        assert_eq!(queue.pressure().dead, salvaged.partial, "{name}");
        let again = embedded::salvage(folder.path(), target.path());
        assert!(again.is_err(), "{name}: a store is never overwritten");
    }
}

#[tokio::test]
async fn a_damaged_page_of_fates_holds_up_neither_the_backlog_nor_new_events() {
    let folder = tempfile::tempdir().unwrap();
    let ids = {
        let (queue, _) = open(options(folder.path()));
        let mut ids = Vec::new();
        for i in 0..300 {
            let id = stored(&queue, &i.to_string()).await;
            let at = Timestamp::from_second(4_000_000_000).unwrap();
            let story = story("a");
            queue.record(id, Change::Retry { at, story });
            ids.push(id);
        }
        queue.close().await;
        ids
    };
    let page: i64 = intruder(folder.path())
        .query_row(
            "SELECT pageno FROM dbstat WHERE name = 'fate' AND pagetype = 'leaf' LIMIT 1 OFFSET 3",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let file = folder.path().join("queue.db");
    let mut bytes = fs::read(&file).unwrap();
    let start = (page as usize - 1) * 4096;
    bytes[start..start + 4096].fill(0xa5);
    fs::write(&file, &bytes).unwrap();

    let (queue, mut feed) = open(options(folder.path()));
    let mut lost = 0;
    for id in ids {
        let pending = tokio::time::timeout(Duration::from_secs(30), take(&mut feed))
            .await
            .expect("the backlog goes on");
        assert_eq!(pending.id, id);
        lost += usize::from(pending.not_before.is_none());
    }
    assert!((1..100).contains(&lost), "{lost} dates were on the page");
    let new = stored(&queue, "new").await;
    assert_eq!(take(&mut feed).await.id, new);
    assert_eq!(queue.pressure().refusing, None);
}

#[tokio::test]
async fn salvage_keeps_everything_of_a_whole_store() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _) = open(options(folder.path()));
    let done = stored(&queue, "done").await;
    let pending = stored(&queue, "pending").await;
    let lost_body = stored(&queue, "lost body").await;
    let lost_row = stored(&queue, "lost row").await;
    queue.record(done, Change::Done(story("a")));
    queue.close().await;
    let harm = intruder(folder.path());
    harm.execute("DELETE FROM body WHERE id = ?1", [lost_body.get()])
        .unwrap();
    harm.execute("DELETE FROM event WHERE id = ?1", [lost_row.get()])
        .unwrap();
    drop(harm);

    let target = tempfile::tempdir().unwrap();
    let salvaged = embedded::salvage(folder.path(), target.path()).unwrap();
    assert_eq!(
        salvaged,
        Salvaged {
            whole: 2,
            partial: 2
        }
    );
    let journal = Reader::open(target.path()).unwrap();
    let (summary, stored) = journal.show("done").unwrap().unwrap();
    assert_eq!(
        (summary.state, stored.story),
        (EventState::Done, story("a"))
    );
    assert_eq!(state(&journal, pending), EventState::Pending);
    assert_eq!(state(&journal, lost_body), EventState::Dead);
    let (summary, stored) = journal.show(&lost_row.to_string()).unwrap().unwrap();
    assert_eq!(summary.state, EventState::Dead);
    assert_eq!(stored.event.body(), &parts("").body);
}

#[tokio::test]
async fn an_event_without_body_is_damaged_and_can_be_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _feed) = open(options(folder.path()));
    let (a, b) = (stored(&queue, "a").await, stored(&queue, "b").await);
    let harm = intruder(folder.path());
    harm.execute("DELETE FROM body WHERE id = ?1", [a.get()])
        .unwrap();
    harm.execute("DELETE FROM event WHERE id = ?1", [b.get()])
        .unwrap();
    for id in [a, b] {
        let loaded = queue.load(id).await;
        assert!(
            matches!(&loaded, Err(QueueError::Damaged { id: of, .. }) if *of == id),
            "{loaded:?}"
        );
    }
    let reason = "damaged".to_owned();
    queue.record(
        a,
        Change::Dead {
            reason,
            story: Story::default(),
        },
    );
    queue.flushed().await;
    let journal = queue.journal().unwrap();
    let dead = Filter {
        states: vec![EventState::Dead],
        ..Filter::default()
    };
    assert_eq!(journal.list(&dead).unwrap()[0].id, a);
}

// === Failure and recovery ===

#[tokio::test]
async fn a_failing_store_refuses_keeps_changes_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _feed) = open(options(folder.path()));
    let (a, b) = (stored(&queue, "a").await, stored(&queue, "b").await);
    let harm = intruder(folder.path());
    harm.execute_batch(
        "CREATE TRIGGER no_insert BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'no luck'); END;
         CREATE TRIGGER no_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'no luck'); END;",
    )
    .unwrap();
    let refused = queue.accept(vec![new(parts("c"), 1)]).await;
    let Err(QueueError::Failing {
        reason,
        retry_after,
    }) = refused
    else {
        panic!("{refused:?}");
    };
    assert!(reason.contains("no luck"), "{reason}");
    assert!(retry_after >= Duration::from_secs(1));
    queue.record(a, progress(story("1")));
    queue.record(a, progress(story("2")));
    queue.record(b, Change::Done(story("b")));
    queue.record(a, progress(story("3")));
    let flushed = queue.flushed();
    let early = tokio::time::timeout(Duration::from_millis(300), flushed).await;
    assert!(early.is_err(), "nothing was written");
    assert!(
        queue
            .pressure()
            .refusing
            .is_some_and(|reason| reason.contains("no luck"))
    );
    // For a moment at each attempt the writer has it in hand, so it may take a second look.
    let latest = async {
        while queue.load(a).await.unwrap().unwrap().story != story("3") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), latest)
        .await
        .expect("what is not yet on disk is seen as well");

    harm.execute_batch("DROP TRIGGER no_insert; DROP TRIGGER no_update;")
        .unwrap();
    queue.flushed().await;
    while queue.pressure().refusing.is_some() {
        tokio::task::yield_now().await;
    }
    let journal = queue.journal().unwrap();
    assert_eq!(journal.show("a").unwrap().unwrap().1.story, story("3"));
    assert_eq!(state(&*journal, b), EventState::Done);
    assert!(
        journal.show("c").unwrap().is_none(),
        "refused means not stored"
    );
    let c = stored(&queue, "c").await;
    assert_eq!(state(&*journal, c), EventState::Pending);
}

#[tokio::test]
async fn a_full_file_refuses_events_finishes_what_it_has_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let bound = 8 << 20;
    let (queue, _feed) = open(EmbeddedOptions {
        max_file_bytes: Some(bound),
        dedupe_window: Duration::ZERO,
        retention: Retention {
            bytes: 0,
            ..Retention::default()
        },
        ..options(folder.path())
    });
    let large = |i: usize| EventParts {
        body: format!("\"{}\"", " ".repeat(100_000)).into(),
        ..parts(&i.to_string())
    };
    let mut ids = Vec::new();
    let refusal = loop {
        match queue.accept(vec![new(large(ids.len()), 1)]).await {
            Ok(receipts) => {
                let [Receipt::Stored(id)] = receipts[..] else {
                    panic!("{receipts:?}");
                };
                ids.push(id);
            }
            Err(error) => break error,
        }
    };
    assert!(matches!(refusal, QueueError::Full { .. }), "{refusal:?}");
    assert!(ids.len() > 50, "{}", ids.len());
    for id in &ids {
        let loaded = queue.load(*id).await.unwrap().unwrap();
        assert_eq!(loaded.event.body().len(), 100_002);
        queue.record(*id, Change::Done(story("a")));
    }
    queue.flushed().await;
    assert_eq!(queue.pressure().pending, 0);
    let accepted = async {
        while queue.accept(vec![new(large(0), 1)]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), accepted)
        .await
        .expect("space came back");
    assert!(fs::metadata(folder.path().join("queue.db")).unwrap().len() <= bound);
}

#[tokio::test]
async fn a_fate_that_finds_the_file_full_is_kept_and_written_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _feed) = open(EmbeddedOptions {
        max_file_bytes: Some(1 << 20),
        ..options(folder.path())
    });
    let id = stored(&queue, "a").await;
    // The bound is that of the writer's connection: SQLite gives it no page beyond (SQLITE_FULL).
    let filler = intruder(folder.path());
    filler
        .execute(
            "INSERT INTO body (id, headers, query, payload) VALUES (-5, '', '', zeroblob(2097152))",
            [],
        )
        .unwrap();
    let long = Story {
        notes: vec!["a long story".repeat(5_000)],
        ..Story::default()
    };
    queue.record(id, Change::Done(long.clone()));
    let full = async {
        let is_full = |reason: String| reason.contains("disk is full");
        while !queue.pressure().refusing.is_some_and(is_full) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), full)
        .await
        .expect("SQLite says that the file is full");
    let refused = queue.accept(vec![new(parts("b"), 1)]).await;
    assert!(
        matches!(refused, Err(QueueError::Full { .. })),
        "{refused:?}"
    );
    let journal = queue.journal().unwrap();
    assert_eq!(state(&*journal, id), EventState::Pending);

    filler
        .execute("DELETE FROM body WHERE id = -5", [])
        .unwrap();
    tokio::time::timeout(Duration::from_secs(10), queue.flushed())
        .await
        .expect("it is tried again");
    let (summary, kept) = journal.show("a").unwrap().unwrap();
    assert_eq!((summary.state, kept.story), (EventState::Done, long));
    let accepted = async {
        while queue.accept(vec![new(parts("b"), 1)]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), accepted)
        .await
        .expect("events are accepted again");
}

#[tokio::test]
async fn no_event_is_accepted_into_the_reserve() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _) = open(options(folder.path()));
    let id = stored(&queue, "a").await;
    drop(queue);
    let (queue, _feed) = open(EmbeddedOptions {
        reserve_bytes: Some(u64::MAX),
        ..options(folder.path())
    });
    queue.record(id, Change::Done(Story::default()));
    queue.flushed().await;
    let refused = queue.accept(vec![new(parts("b"), 1)]).await;
    assert!(
        matches!(refused, Err(QueueError::Full { .. })),
        "{refused:?}"
    );
    let pressure = queue.pressure();
    assert!(
        pressure
            .refusing
            .is_some_and(|reason| reason.contains("reserved"))
    );
    assert_eq!(
        pressure.pending, 0,
        "what was accepted is finished all the same"
    );
}

// === Retention ===

#[tokio::test]
async fn finished_events_go_by_age() {
    let folder = tempfile::tempdir().unwrap();
    let now = Timestamp::now();
    let at = |days: i64| EmbeddedOptions {
        clock: Clock::starting_at(now + SignedDuration::from_hours(24 * days)),
        ..options(folder.path())
    };
    let (queue, _) = open(at(0));
    let done = stored(&queue, "done").await;
    let dead = stored(&queue, "dead").await;
    let pending = stored(&queue, "pending").await;
    let last = stored(&queue, "last").await;
    queue.record(done, Change::Done(Story::default()));
    queue.record(last, Change::Done(Story::default()));
    let reason = "gone".to_owned();
    queue.record(
        dead,
        Change::Dead {
            reason,
            story: Story::default(),
        },
    );
    drop(queue);

    for (days, kept) in [(6, true), (8, false)] {
        let (queue, _feed) = open(at(days));
        queue.flushed().await;
        let journal = queue.journal().unwrap();
        let found = journal.show(&done.to_string()).unwrap();
        assert_eq!(found.is_some(), kept, "after {days} days");
        assert_eq!(state(&*journal, dead), EventState::Dead);
        assert_eq!(state(&*journal, pending), EventState::Pending);
    }
}

#[tokio::test]
async fn finished_events_go_by_size_and_space_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _feed) = open(EmbeddedOptions {
        retention: Retention {
            bytes: 1 << 20,
            ..Retention::default()
        },
        ..options(folder.path())
    });
    let mut ids = Vec::new();
    for i in 0..300 {
        let parts = EventParts {
            body: format!("\"{}\"", " ".repeat(100_000)).into(),
            ..parts(&i.to_string())
        };
        ids.push(store(&queue, parts).await);
    }
    let file = folder.path().join("queue.db");
    for id in &ids {
        queue.record(*id, Change::Done(Story::default()));
    }
    queue.flushed().await;
    let journal = queue.journal().unwrap();
    let all = Filter {
        limit: 1000,
        ..Filter::default()
    };
    let given_back = async {
        loop {
            let kept = journal
                .list(&all)
                .unwrap()
                .iter()
                .filter(|s| s.body_kept)
                .count();
            if kept <= 10 && fs::metadata(&file).unwrap().len() < 20 << 20 {
                break kept;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let kept = tokio::time::timeout(Duration::from_secs(30), given_back)
        .await
        .unwrap();
    assert!(kept >= 5, "{kept} bodies are within the bound");
    let summaries = journal.list(&all).unwrap();
    assert_eq!(
        summaries.len(),
        300,
        "rows stay while they answer repeated deliveries"
    );
    let again = queue.accept(vec![new(parts("0"), 1)]).await.unwrap();
    assert_eq!(again, [Receipt::Duplicate(ids[0])]);
    let results = queue.operate(Action::Replay(vec![ids[0]])).await.unwrap();
    assert_eq!(
        results[0].outcome,
        ActionOutcome::Refused("its body was removed by retention".into())
    );
    assert!(
        queue
            .load(ids[0])
            .await
            .unwrap()
            .unwrap()
            .event
            .body()
            .is_empty()
    );
}

#[tokio::test]
async fn dead_letters_beyond_their_bound_lose_their_bodies_oldest_first() {
    let folder = tempfile::tempdir().unwrap();
    let bounded = || EmbeddedOptions {
        max_dead_bytes: 100_000,
        ..options(folder.path())
    };
    let (queue, _feed) = open(bounded());
    let mut ids = Vec::new();
    for i in 0..20 {
        let parts = EventParts {
            body: format!("\"{}\"", " ".repeat(10_000)).into(),
            ..parts(&i.to_string())
        };
        let id = store(&queue, parts).await;
        let reason = "gone".to_owned();
        let story = story("a");
        queue.record(id, Change::Dead { reason, story });
        ids.push(id);
    }
    queue.flushed().await;
    let trimmed = async {
        while queue.pressure().dead_bytes > 100_000 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), trimmed)
        .await
        .expect("they are trimmed");
    let before = queue.pressure();
    assert_eq!(before.dead, 20, "their rows stay");
    assert!(before.dead_bytes > 80_000, "{before:?}");
    let journal = queue.journal().unwrap();
    let (oldest, kept) = journal.show(&ids[0].to_string()).unwrap().unwrap();
    assert!(!oldest.body_kept);
    let reason = oldest.reason.unwrap();
    assert!(reason.starts_with("gone; its body was removed"), "{reason}");
    assert_eq!(kept.story, story("a"));
    let (newest, _) = journal.show(&ids[19].to_string()).unwrap().unwrap();
    assert_eq!(
        (newest.body_kept, newest.reason.as_deref()),
        (true, Some("gone"))
    );
    let action = Action::Replay(vec![ids[0], ids[19]]);
    let results = queue.operate(action).await.unwrap();
    let ActionOutcome::Refused(reason) = &results[0].outcome else {
        panic!("{results:?}");
    };
    assert!(reason.contains("dead letters took up more"), "{reason}");
    assert!(matches!(results[1].outcome, ActionOutcome::Replayed(_)));
    let action = Action::Discard(vec![ids[0]]);
    queue.operate(action).await.unwrap();
    let after = queue.pressure();
    assert_eq!(after.dead, 18);
    assert!(after.dead_bytes < before.dead_bytes);
    drop((queue, journal));
    let (queue, _feed) = open(bounded());
    let again = queue.pressure();
    assert_eq!(
        (again.dead, again.dead_bytes),
        (after.dead, after.dead_bytes)
    );
}

// === Other processes ===

#[tokio::test]
async fn operators_act_while_the_server_runs_and_while_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let (queue, mut feed) = open(options(folder.path()));
    let (a, b) = (stored(&queue, "a").await, stored(&queue, "b").await);
    for id in [a, b] {
        let reason = "gone".to_owned();
        queue.record(
            id,
            Change::Dead {
                reason,
                story: Story::default(),
            },
        );
        take(&mut feed).await;
    }
    queue.flushed().await;
    let operate = {
        let path = path.clone();
        move || embedded::operate(&path, Action::Replay(vec![a, EventId::new(3)]))
    };
    let results = tokio::task::spawn_blocking(operate).await.unwrap().unwrap();
    let ActionOutcome::Replayed(replay) = results[0].outcome else {
        panic!("{results:?}");
    };
    assert!(matches!(results[1].outcome, ActionOutcome::Refused(_)));
    assert_eq!(take(&mut feed).await.id, replay);
    queue.close().await;
    drop(queue);

    let results = embedded::operate(&path, Action::Discard(vec![b])).unwrap();
    assert_eq!(results[0].outcome, ActionOutcome::Discarded);
    let results = embedded::operate(&path, Action::Replay(vec![b])).unwrap();
    let ActionOutcome::Replayed(second) = results[0].outcome else {
        panic!("{results:?}");
    };
    let (_queue, mut feed) = open(options(folder.path()));
    assert_eq!(ids_of(&mut feed, 2).await, [replay, second]);
    let nowhere = folder.path().join("nowhere");
    let error = embedded::operate(&nowhere, Action::Discard(vec![b])).unwrap_err();
    assert!(error.to_string().contains("no event store"), "{error}");
    assert!(!nowhere.exists());
}

/// That many dead letters, oldest first.
async fn dead_letters(queue: &dyn Queue, count: usize) -> Vec<EventId> {
    let events = (0..count)
        .map(|i| new(parts(&format!("dead {i}")), 1))
        .collect();
    let mut ids = Vec::new();
    for receipt in queue.accept(events).await.unwrap() {
        let Receipt::Stored(id) = receipt else {
            panic!("{receipt:?}");
        };
        let reason = "gone".to_owned();
        let story = Story::default();
        queue.record(id, Change::Dead { reason, story });
        ids.push(id);
    }
    queue.flushed().await;
    ids
}

/// The ids of the replays of `ids`, each of which must have one.
fn replays(ids: &[EventId], results: &[ActionResult]) -> Vec<EventId> {
    let of = |result: &ActionResult| match result.outcome {
        ActionOutcome::Replayed(by) => by,
        _ => panic!("{result:?}"),
    };
    assert!(
        results
            .iter()
            .map(|result| result.id)
            .eq(ids.iter().copied())
    );
    results.iter().map(of).collect()
}

#[tokio::test]
async fn a_large_action_is_done_in_groups_and_lets_others_in_between() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _feed) = open(options(folder.path()));
    let ids = dead_letters(&queue, 1000).await;
    let (results, accepted) = tokio::join!(
        queue.operate(Action::Replay(ids.clone())),
        stored(&queue, "new"),
    );
    let replays = replays(&ids, &results.unwrap());
    assert!(accepted < *replays.last().unwrap(), "it waited for all");
    // Within a transaction ids follow each other; the next one begins at a later time.
    let groups = replays.chunk_by(|a, b| a.get() + 1 == b.get());
    assert!(groups.map(<[_]>::len).max() <= Some(100));
    assert_eq!(queue.pressure().dead, 0);
}

#[tokio::test]
async fn large_actions_of_other_processes_get_all_their_results() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let (queue, _feed) = open(options(folder.path()));
    let ids = dead_letters(&queue, 350).await;
    let action = Action::Replay(ids.clone());
    let results = tokio::task::spawn_blocking(move || embedded::operate(&path, action))
        .await
        .unwrap()
        .unwrap();
    let second = replays(&ids, &results);
    for id in &second {
        let reason = "again".to_owned();
        let story = Story::default();
        queue.record(*id, Change::Dead { reason, story });
    }
    queue.close().await;
    drop(queue);
    let results = embedded::operate(folder.path(), Action::Discard(second.clone())).unwrap();
    assert_eq!(results.len(), second.len());
    assert!(
        (results.iter()).all(|result| result.outcome == ActionOutcome::Discarded),
        "{results:?}"
    );
}

#[tokio::test]
async fn no_event_is_replayed_into_the_reserve() {
    let folder = tempfile::tempdir().unwrap();
    let ids = {
        let (queue, _feed) = open(options(folder.path()));
        dead_letters(&queue, 1).await
    };
    let (queue, _feed) = open(EmbeddedOptions {
        reserve_bytes: Some(u64::MAX),
        ..options(folder.path())
    });
    let path = folder.path().to_owned();
    let operate = move || embedded::operate(&path, Action::Replay(ids));
    let results = tokio::task::spawn_blocking(operate).await.unwrap().unwrap();
    let ActionOutcome::Refused(reason) = &results[0].outcome else {
        panic!("{results:?}");
    };
    assert!(reason.contains("reserved"), "{reason}");
    assert_eq!(queue.pressure().dead, 1);
}

#[tokio::test]
async fn a_command_whose_answer_could_not_be_written_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let (queue, _feed) = open(options(folder.path()));
    let ids = dead_letters(&queue, 1).await;
    // The trouble ends by itself: nobody else writes who would draw attention to the table.
    let until = Timestamp::now().as_second() + 3;
    intruder(folder.path())
        .execute_batch(&format!(
            "CREATE TRIGGER no_answer BEFORE UPDATE ON command WHEN unixepoch() < {until}
             BEGIN SELECT RAISE(ABORT, 'no luck'); END;",
        ))
        .unwrap();
    let action = Action::Discard(ids);
    let results = tokio::task::spawn_blocking(move || embedded::operate(&path, action))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(results[0].outcome, ActionOutcome::Discarded);
    assert!(Timestamp::now().as_second() >= until, "there was trouble");
}

#[tokio::test]
async fn the_file_reads_well_and_holds_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _feed) = open(options(folder.path()));
    let id = store(
        &queue,
        EventParts {
            received_at: "2026-11-24T20:00:00.5Z".parse().unwrap(),
            query: "a=1&token=secret&b=2".into(),
            ..parts("d1")
        },
    )
    .await;
    queue.record(id, Change::Done(story("a")));
    queue.flushed().await;
    let reader = intruder(folder.path());
    let row: [String; 6] = reader
        .query_row(
            "SELECT state, received, headers, payload, json_extract(story, '$.runs[0].processor'),
             query FROM events WHERE delivery = 'd1'",
            [],
            |row| {
                Ok([
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                    row.get(5)?,
                ])
            },
        )
        .unwrap();
    assert_eq!(
        row,
        [
            "done",
            "2026-11-24T20:00:00.500Z",
            r#"[["x-tag","a"],["x-tag","b"]]"#,
            r#"{"issue": {"id": "1"}}"#,
            "a",
            "a=1&b=2"
        ]
    );
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let found = bytes.windows(6).any(|window| window == b"secret");
        assert!(!found, "{} holds a secret", path.display());
    }
}

#[tokio::test]
async fn the_cache_budget_bounds_what_waits_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, mut feed) = open(EmbeddedOptions {
        cache_bytes: 10_000,
        ..options(folder.path())
    });
    let body = |i: i32| EventParts {
        body: vec![b' '; 4000].into(),
        ..parts(&i.to_string())
    };
    for i in 0..3 {
        store(&queue, body(i)).await;
    }
    let first = take(&mut feed).await;
    let cached = [
        first.cached.is_some(),
        take(&mut feed).await.cached.is_some(),
        take(&mut feed).await.cached.is_some(),
    ];
    // The second was dropped at once, but after the third had come.
    assert_eq!(cached, [true, false, false]);
    drop(first);
    store(&queue, body(3)).await;
    assert!(
        take(&mut feed).await.cached.is_some(),
        "the budget is free again"
    );
}

#[tokio::test]
async fn the_cache_budget_counts_parsed_bodies() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, mut feed) = open(EmbeddedOptions {
        cache_bytes: 10_000,
        ..options(folder.path())
    });
    let body = format!("[{}0]", "0,".repeat(1000));
    for parsed in [false, true] {
        let parts = EventParts {
            body: body.clone().into(),
            ..parts(&parsed.to_string())
        };
        let event = if parsed {
            let document = ocean_jq::Document::parse(body.as_bytes()).unwrap();
            WebhookEvent::with_document(parts, document)
        } else {
            WebhookEvent::new(parts)
        };
        let lanes = lanes(1);
        let new = NewEvent {
            event,
            lanes,
            replay_of: None,
        };
        queue.accept(vec![new]).await.unwrap();
        let cached = take(&mut feed).await.cached.is_some();
        assert_eq!(cached, !parsed, "16 bytes a node are more than the budget");
    }
}
