//! Shutdown, and what the next process finds.

use std::{sync::Arc, time::Duration};

use ocean_core::{
    ProcessorError,
    processor::ProcessorSpec,
    queue::{Change, RunState},
};
use tokio::sync::Semaphore;

use crate::{
    queue::FakeQueue,
    world::{Call, HandlerResult, Setup, updated},
};

const ISSUES: ProcessorSpec = ProcessorSpec::new("issues", "/webhook")
    .kinds(&["issue"])
    .key(&["/key"]);

async fn update(call: Call) -> HandlerResult {
    updated(&call.key)
}

#[tokio::test(start_paused = true)]
async fn shutdown_lets_running_handlers_finish_and_leaves_the_rest() {
    let mut setup = Setup::new().processor(ISSUES, |call| async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        updated(&call.key)
    });
    setup.workers = 2;
    let world = setup.start();
    for key in ["A", "B", "C", "D"] {
        world.send(key);
    }
    while world.calls().len() < 2 {
        tokio::task::yield_now().await;
    }
    assert!(world.stop(Duration::from_secs(5)).await);
    assert_eq!(world.called(), ["issues A", "issues B"]);
    assert_eq!(world.queue.left(), 2);

    let next = Setup::new()
        .processor(ISSUES, update)
        .queue(&world.queue)
        .start();
    for id in [3, 4].map(ocean_core::EventId::new) {
        next.done(id).await;
    }
    assert_eq!(next.called(), ["issues C", "issues D"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_at_the_deadline_is_cancelled_and_stays() {
    let world = Setup::new()
        .processor(ISSUES, |_| std::future::pending())
        .start();
    let id = world.send("A");
    while world.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(!world.stop(Duration::from_secs(5)).await);
    tokio::task::yield_now().await;
    assert_eq!(*world.log.cancelled.lock().unwrap(), [id]);
    assert!(world.queue.changes(id).is_empty());
    assert_eq!(world.queue.left(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_found_at_start_runs_only_when_that_is_durable() {
    let queue = FakeQueue::default();
    let first = Setup::new().processor(ISSUES, update).queue(&queue).start();
    first.stop(Duration::from_secs(1)).await;
    let ids: Vec<_> = ["A", "B", "C"].iter().map(|key| first.send(key)).collect();

    queue.flushing(false);
    let next = Setup::new().processor(ISSUES, update).queue(&queue).start();
    for id in &ids {
        let resumed = |change: &Change| matches!(change, Change::Resumed).then_some(());
        next.queue.wait(*id, resumed).await;
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(next.calls().is_empty(), "nothing runs before the commit");
    queue.flushing(true);
    for id in ids {
        next.done(id).await;
        let resumed = |change: &&Change| matches!(change, Change::Resumed);
        assert_eq!(next.queue.changes(id).iter().filter(resumed).count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_only_waits_for_its_commit_does_not_start_once_shutdown_is_requested() {
    let queue = FakeQueue::default();
    let first = Setup::new().processor(ISSUES, update).queue(&queue).start();
    first.stop(Duration::from_secs(1)).await;
    let id = first.send("A");

    queue.flushing(false);
    let next = Setup::new().processor(ISSUES, update).queue(&queue).start();
    let resumed = |change: &Change| matches!(change, Change::Resumed).then_some(());
    next.queue.wait(id, resumed).await;
    next.supervisor.stop();
    queue.flushing(true);
    assert!(next.supervisor.join(Duration::from_secs(1)).await);
    assert!(next.calls().is_empty());
    assert_eq!(queue.left(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_of_two_lanes_found_at_start_is_noted_once() {
    let queue = FakeQueue::default();
    let by_user = ProcessorSpec::new("users", "/webhook")
        .kinds(&["issue"])
        .key(&["/user"]);
    let world = || {
        Setup::new()
            .processor(ISSUES, update)
            .processor(by_user, update)
            .queue(&queue)
            .start()
    };
    let first = world();
    first.stop(Duration::from_secs(1)).await;
    let body = serde_json::json!({"key": "A", "user": "U"});
    let id = first.put(&first.event(&body, "updated"), true);

    let next = world();
    let story = next.done(id).await;
    assert_eq!(story.runs.len(), 2);
    let resumed = |change: &&Change| matches!(change, Change::Resumed);
    assert_eq!(queue.changes(id).iter().filter(resumed).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn retry_dates_and_counts_survive_a_restart() {
    let failing = |_| async { Err(ProcessorError::retry("busy")) };
    let world = Setup::new().processor(ISSUES, failing).start();
    let id = world.send("A");
    let second = |change: &Change| match change {
        Change::Retry { at, story } if story.attempts() == 2 => Some(*at),
        _ => None,
    };
    let date = world.queue.wait(id, second).await;
    assert!(world.stop(Duration::from_secs(1)).await);

    // The clock of the new world starts where the old one's did, so the date is still to come.
    let next = Setup::new()
        .processor(ISSUES, failing)
        .queue(&world.queue)
        .start();
    let (_, story) = next.dead(id).await;
    let calls = next.calls();
    let start = jiff::Timestamp::from_second(1_700_000_000).unwrap();
    let wait: Duration = date.duration_since(start).try_into().unwrap();
    assert!(calls[0].at >= wait, "{:?} is before {wait:?}", calls[0].at);
    let attempts: Vec<_> = calls.iter().map(|call| call.attempt).collect();
    assert_eq!(attempts, [3, 4], "two of four attempts were made before");
    assert_eq!(story.attempts(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_retry_date_that_has_come_does_not_keep_dispatch_busy_without_a_mapping() {
    let failing = |_| async { Err(ProcessorError::retry("busy")) };
    let world = Setup::new().processor(ISSUES, failing).start();
    let id = world.send("A");
    let retry = |change: &Change| matches!(change, Change::Retry { .. }).then_some(());
    world.queue.wait(id, retry).await;
    assert!(world.stop(Duration::from_secs(1)).await);

    let setup = Setup::new().processor(ISSUES, update).queue(&world.queue);
    let mapping = setup.mapping(&setup.registry());
    let next = setup.start_unmapped();
    // Paused time passes only while all tasks rest; a thread ends the wait if they never do.
    let (too_long, busy) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(2));
        let _ = too_long.send(());
    });
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(60 * 60)) => {}
        _ = busy => panic!("dispatch does not rest"),
    }
    next.mapping.set(Arc::new(mapping));
    next.done(id).await;
}

#[tokio::test(start_paused = true)]
async fn each_lane_of_an_event_keeps_its_date_across_a_restart() {
    const HOUR: Duration = Duration::from_secs(60 * 60);
    let by_user = ProcessorSpec::new("users", "/webhook")
        .kinds(&["issue"])
        .key(&["/user"]);
    let by_team = ProcessorSpec::new("teams", "/webhook")
        .kinds(&["issue"])
        .key(&["/team"]);
    let later = |delay| move |_| async move { Err(ProcessorError::retry_after("busy", delay)) };
    let world = Setup::new()
        .processor(ISSUES, later(HOUR))
        .processor(by_user, later(2 * HOUR))
        .processor(by_team, |_| std::future::pending())
        .start();
    let body = serde_json::json!({"key": "A", "user": "U", "team": "T"});
    let id = world.put(&world.event(&body, "updated"), true);
    while world.queue.changes(id).len() < 2 {
        tokio::task::yield_now().await;
    }
    assert!(!world.stop(Duration::from_secs(1)).await, "one hangs");

    let next = Setup::new()
        .processor(ISSUES, update)
        .processor(by_user, update)
        .processor(by_team, update)
        .queue(&world.queue)
        .start();
    next.done(id).await;
    let calls = next.calls();
    let at = |processor| {
        calls
            .iter()
            .find(|call| call.processor == processor)
            .unwrap()
            .at
    };
    assert!(at("teams") < Duration::from_secs(1), "{calls:?}");
    assert!((HOUR..2 * HOUR).contains(&at("issues")), "{calls:?}");
    assert!(at("users") >= 2 * HOUR, "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_through_before_a_restart_is_not_repeated() {
    let other = ProcessorSpec::new("other", "/webhook")
        .kinds(&["issue"])
        .key(&["/key"]);
    let failing = |_| async { Err(ProcessorError::retry("busy")) };
    let world = Setup::new()
        .processor(ISSUES, failing)
        .processor(other, update)
        .start();
    let id = world.send("A");
    let retry = |change: &Change| matches!(change, Change::Retry { .. }).then_some(());
    world.queue.wait(id, retry).await;
    assert!(world.stop(Duration::from_secs(1)).await);

    let next = Setup::new()
        .processor(ISSUES, update)
        .processor(other, update)
        .queue(&world.queue)
        .start();
    let story = next.done(id).await;
    assert_eq!(next.called(), ["issues A"]);
    assert!(story.runs.iter().all(|run| run.state == RunState::Done));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_ends_the_process_again_and_again_is_a_dead_letter() {
    let queue = FakeQueue::default();
    let first = Setup::new().processor(ISSUES, update).queue(&queue).start();
    first.stop(Duration::from_secs(1)).await;
    let id = first.send("A");
    queue.restarts(id, 3);
    let next = Setup::new().processor(ISSUES, update).queue(&queue).start();
    let (reason, _) = next.dead(id).await;
    assert_eq!(reason, "the process ended 3 times while this event ran");
    assert!(next.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn suspects_run_one_at_a_time_beside_the_others() {
    let queue = FakeQueue::default();
    let first = Setup::new().processor(ISSUES, update).queue(&queue).start();
    first.stop(Duration::from_secs(1)).await;
    let suspects: Vec<_> = ["S1", "S2", "S3"]
        .iter()
        .map(|key| first.send(key))
        .collect();
    let others: Vec<_> = ["A", "B"].iter().map(|key| first.send(key)).collect();
    for id in &suspects {
        queue.restarts(*id, 1);
    }
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let next = Setup::new()
        .processor(ISSUES, move |call| {
            let gate = opened.clone();
            async move {
                if call.key.starts_with('S') {
                    gate.acquire().await.unwrap().forget();
                }
                updated(&call.key)
            }
        })
        .queue(&queue)
        .start();
    for id in others {
        next.done(id).await;
    }
    let of_suspects = || {
        next.calls()
            .iter()
            .filter(|call| call.key.starts_with('S'))
            .count()
    };
    assert_eq!(of_suspects(), 1);
    let blamed = suspects
        .iter()
        .filter(|id| !next.queue.changes(**id).is_empty())
        .count();
    assert_eq!(blamed, 1, "the others are not counted as running");
    gate.add_permits(3);
    for id in suspects {
        next.done(id).await;
    }
}

#[tokio::test(start_paused = true)]
async fn dispatch_ends_when_the_feed_has_ended_and_all_is_done() {
    let world = Setup::new().processor(ISSUES, update).start();
    world.send("A");
    world.queue.end_feed();
    assert!(world.supervisor.join(Duration::from_secs(60)).await);
    assert_eq!(world.queue.left(), 0);
}
