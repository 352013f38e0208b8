//! What operators do to the embedded store, from its own process and from others.

use jiff::Timestamp;
use ocean_core::{
    EventId,
    queue::{
        Action, ActionOutcome, ActionResult, Change, Queue, Receipt, Story,
        embedded::{self, EmbeddedOptions},
    },
};

use crate::support::{ids_of, intruder, new, open, options, parts, stored, take};

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
