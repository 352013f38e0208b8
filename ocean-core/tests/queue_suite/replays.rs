//! Operators' actions, on the queue in memory and the embedded store alike.

use jiff::Timestamp;
use ocean_core::{
    EventId, EventParts,
    queue::{Action, ActionOutcome, Change, EventState, Filter, Story, Summary},
};

use crate::{
    contract::{Setup, each},
    support::{lanes, large, parts, state, store, stored, story, take},
};

#[tokio::test]
async fn operators_replay_and_discard() {
    each(Setup::default(), |queue, mut feed| async move {
        let journal = queue.journal().unwrap();
        let (a, b, c) = (
            stored(&*queue, "a").await,
            stored(&*queue, "b").await,
            stored(&*queue, "c").await,
        );
        for id in [a, b] {
            let reason = "gone".to_owned();
            queue.record(
                id,
                Change::Dead {
                    reason,
                    story: story("p"),
                },
            );
        }
        queue.flushed().await;
        for _ in 0..3 {
            take(&mut feed).await;
        }
        let unknown = EventId::new(1);
        let results = queue
            .operate(Action::Replay(vec![a, c, unknown]))
            .await
            .unwrap();
        let ActionOutcome::Replayed(replay) = results[0].outcome else {
            panic!("{results:?}");
        };
        assert_eq!(
            results[1].outcome,
            ActionOutcome::Refused("it is still pending".into())
        );
        assert_eq!(
            results[2].outcome,
            ActionOutcome::Refused("there is no such event".into())
        );
        let pending = take(&mut feed).await;
        assert_eq!((pending.id, pending.lanes), (replay, lanes(1)));
        assert!(replay > c, "at the end of its lane");
        let (summary, loaded) = journal.show(&replay.to_string()).unwrap().unwrap();
        assert_eq!(
            (summary.replay_of, summary.state),
            (Some(a), EventState::Pending)
        );
        assert_eq!(loaded.event.body(), &parts("a").body);
        assert_eq!(loaded.story, Story::default());
        let (summary, loaded) = journal.show(&a.to_string()).unwrap().unwrap();
        assert_eq!(summary.state, EventState::Superseded);
        assert_eq!(summary.reason, Some(format!("replayed as {replay}")));
        assert_eq!(loaded.story, story("p"));

        let results = queue.operate(Action::Discard(vec![b, c])).await.unwrap();
        assert_eq!(results[0].outcome, ActionOutcome::Discarded);
        assert_eq!(
            results[1].outcome,
            ActionOutcome::Refused("it is not a dead letter".into())
        );
        assert_eq!(state(&*journal, b), EventState::Discarded);
        let pressure = queue.pressure();
        assert_eq!((pressure.pending, pressure.dead), (2, 0));

        queue.record(replay, Change::Done(Story::default()));
        queue.flushed().await;
        let results = queue.operate(Action::Replay(vec![replay])).await.unwrap();
        assert!(
            matches!(results[0].outcome, ActionOutcome::Replayed(_)),
            "finished ones too"
        );
        assert_eq!(state(&*journal, replay), EventState::Done);
    })
    .await;
}

#[tokio::test]
async fn a_dead_letter_is_replayed_once() {
    each(Setup::default(), |queue, _feed| async move {
        let id = stored(&*queue, "d").await;
        let reason = "gone".to_owned();
        let story = Story::default();
        queue.record(id, Change::Dead { reason, story });
        queue.flushed().await;
        let results = queue.operate(Action::Replay(vec![id, id])).await.unwrap();
        let ActionOutcome::Replayed(by) = results[0].outcome else {
            panic!("{results:?}");
        };
        let refused = ActionOutcome::Refused(format!("replayed as {by}"));
        assert_eq!(results[1].outcome, refused);
        let again = queue.operate(Action::Replay(vec![id])).await.unwrap();
        assert_eq!(again[0].outcome, refused);
    })
    .await;
}

#[tokio::test]
async fn replays_need_room_as_new_events_do() {
    let setup = Setup {
        max_pending_bytes: 100_000,
        ..Setup::default()
    };
    each(setup, |queue, _feed| async move {
        let id = store(&*queue, large("1")).await;
        queue.record(id, Change::Done(Story::default()));
        store(&*queue, large("2")).await;
        queue.flushed().await;
        let results = queue.operate(Action::Replay(vec![id, id])).await.unwrap();
        assert!(
            matches!(results[0].outcome, ActionOutcome::Replayed(_)),
            "{results:?}"
        );
        let ActionOutcome::Refused(reason) = &results[1].outcome else {
            panic!("{results:?}");
        };
        assert!(reason.contains("100000 bytes allowed"), "{reason}");
    })
    .await;
}

#[tokio::test]
async fn replays_can_be_left_out_of_a_range_of_dates() {
    each(Setup::default(), |queue, _feed| async move {
        let received_at = Timestamp::from_second(1_700_000_000).unwrap();
        let id = store(
            &*queue,
            EventParts {
                received_at,
                ..parts("d")
            },
        )
        .await;
        queue.record(id, Change::Done(Story::default()));
        queue.flushed().await;
        let journal = queue.journal().unwrap();
        let list = |replays| {
            let filter = Filter {
                since: Some(received_at),
                until: Some(received_at + jiff::SignedDuration::from_secs(1)),
                replays,
                ..Filter::default()
            };
            let found = journal.list(&filter).unwrap();
            let line = |of: &Summary| (of.id, of.replay_of, of.replayed_as);
            found.iter().map(line).collect::<Vec<_>>()
        };
        assert_eq!(list(false), [(id, None, None)]);
        let results = queue.operate(Action::Replay(vec![id])).await.unwrap();
        let ActionOutcome::Replayed(by) = results[0].outcome else {
            panic!("{results:?}");
        };
        assert_eq!(list(true), [(by, Some(id), None), (id, None, Some(by))]);
        assert_eq!(list(false), [(id, None, Some(by))]);
    })
    .await;
}
