//! What the embedded store promises beyond the contract of a queue.

use std::{fs, path::Path, time::Duration};

use jiff::{SignedDuration, Timestamp};
use ocean_core::{
    Clock, EventId, EventParts, WebhookEvent,
    queue::{
        Action, ActionOutcome, Change, EventState, Filter, NewEvent, Queue, Receipt, Story,
        embedded::{self, EmbeddedOptions, OpenError, Owner, Retention},
    },
    telemetry::Telemetry,
};

use crate::support::{
    ids_of, intruder, lanes, new, open, options, parts, refused, state, store, stored, story, take,
};

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
async fn the_log_stays_short_while_events_keep_coming() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _feed) = open(options(folder.path()));
    let log = folder.path().join("queue.db-wal");
    let mut longest = 0;
    for round in 0..40 {
        let large = |i: usize| EventParts {
            body: format!("\"{}\"", " ".repeat(300_000)).into(),
            ..parts(&format!("{round}-{i}"))
        };
        let events = (0..10).map(|i| new(large(i), 1)).collect();
        queue.accept(events).await.unwrap();
        longest = longest.max(fs::metadata(&log).unwrap().len());
    }
    // 120 MB went through it.
    assert!(longest < 64 << 20, "{} MB", longest >> 20);
    queue.close().await;
    let file = fs::metadata(folder.path().join("queue.db")).unwrap().len();
    assert!(file > 110 << 20, "all is in the file: {} MB", file >> 20);
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

// === What is stored, and what stays in memory ===

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
        let new = NewEvent::new(event, lanes(1));
        queue.accept(vec![new]).await.unwrap();
        let cached = take(&mut feed).await.cached.is_some();
        assert_eq!(cached, !parsed, "16 bytes a node are more than the budget");
    }
}
