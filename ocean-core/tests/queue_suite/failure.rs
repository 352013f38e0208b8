//! What the embedded store makes of damage, of failing writes and of a full disk.

use std::{fs, path::Path, time::Duration};

use jiff::Timestamp;
use ocean_core::{
    EventId, EventParts,
    queue::{
        Change, EventState, Filter, Journal, Queue, QueueError, Receipt, Story,
        embedded::{self, EmbeddedOptions, OpenError, Reader, Retention, Salvaged},
    },
};

use crate::support::{
    ids_of, intruder, new, open, options, parts, progress, refused, state, store, stored, story,
    take,
};

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
async fn a_file_with_other_pages_keeps_them_and_its_lost_end_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let pragmas = "PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL;
        PRAGMA journal_mode = WAL;";
    intruder(folder.path()).execute_batch(pragmas).unwrap();
    closed_store(folder.path(), 20).await;
    let file = folder.path().join("queue.db");
    let mut bytes = fs::read(&file).unwrap();
    assert_eq!(bytes[16..18], 4096_u16.to_be_bytes());
    drop(open(options(folder.path())));
    bytes.truncate(bytes.len() - 4096);
    fs::write(&file, &bytes).unwrap();
    fs::remove_file(folder.path().join("queue.db-wal")).unwrap();
    let error = refused(folder.path());
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
    let target = tempfile::tempdir().unwrap();
    let salvaged = embedded::salvage(folder.path(), target.path()).unwrap();
    assert!(salvaged.whole >= 18, "{salvaged:?}");
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
    let size = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    let start = (page as usize - 1) * size;
    bytes[start..start + size].fill(0xa5);
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
