//! Processors and catalogs that fail.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ocean_core::{
    EventId, Outcome, ProcessorError, Rejection,
    catalog::Written,
    processor::ProcessorSpec,
    queue::{Change, QueueError, RunState, Story},
    telemetry::Fate,
};

use crate::{
    catalog::{FakeCatalog, away, busy, refused},
    queue::failing,
    world::{Call, HandlerResult, Setup, World, resource, updated},
};

const ISSUES: ProcessorSpec = ProcessorSpec::new("issues", "/webhook")
    .kinds(&["issue"])
    .key(&["/key"]);
const OTHER: ProcessorSpec = ProcessorSpec::new("other", "/webhook")
    .kinds(&["issue"])
    .key(&["/key"]);

async fn update(call: Call) -> HandlerResult {
    updated(&call.key)
}

/// When the handler was called, in seconds since its first call.
fn seconds(world: &World) -> Vec<f64> {
    let calls = world.calls();
    let since = |call: &Call| (call.at - calls[0].at).as_secs_f64();
    calls.iter().map(since).collect()
}

/// Delays of 1, 2 and 4 seconds, each 80 to 120 %.
fn check_delays(times: &[f64]) {
    let delays: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(delays.len(), 3, "{times:?}");
    for (delay, seconds) in delays.iter().zip([1.0, 2.0, 4.0]) {
        // Timers are a millisecond coarse.
        let range = seconds * 0.8..=seconds * 1.2 + 0.002;
        assert!(range.contains(delay), "{delays:?}");
    }
}

fn errors(story: &Story, processor: &str) -> Vec<Vec<String>> {
    let mut runs = story.runs.iter();
    let run = runs.find(|run| &*run.processor == processor).unwrap();
    run.attempts
        .iter()
        .map(|attempt| attempt.error.clone())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_failing_handler_is_tried_after_one_two_and_four_seconds() {
    let world = Setup::new()
        .processor(ISSUES, |_| async { Err(ProcessorError::retry("busy")) })
        .start();
    let id = world.send("A");
    let (reason, story) = world.dead(id).await;
    check_delays(&seconds(&world));
    assert_eq!(reason, "issues (issue-0): busy");
    assert_eq!(errors(&story, "issues"), vec![vec!["busy".to_owned()]; 4]);
    let attempts: Vec<_> = world.calls().iter().map(|call| call.attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 4]);
    assert_eq!(world.log.errors.lock().unwrap().len(), 4);
    let changes = world.queue.changes(id);
    let dates: Vec<_> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Retry { at, story } => Some((*at, story.attempts())),
            _ => None,
        })
        .collect();
    assert_eq!(
        dates
            .iter()
            .map(|(_, attempts)| *attempts)
            .collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert!(dates.is_sorted());
    assert_eq!(world.telemetry.dispatch.events_ended(Fate::Dead), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_stops_neither_the_others_nor_the_process() {
    let world = Setup::new()
        .processor(ISSUES, |_| async { panic!("as the test wants") })
        .processor(OTHER, update)
        .start();
    let first = world.send("A");
    let other_lane = world.send("B");
    let (reason, story) = world.dead(first).await;
    assert_eq!(reason, "issues (issue-0): panicked: as the test wants");
    check_delays(&errors_times(&world, "issues", "A"));
    let other = story
        .runs
        .iter()
        .find(|run| &*run.processor == "other")
        .unwrap();
    assert_eq!((other.state, other.attempts.len()), (RunState::Done, 1));
    world.dead(other_lane).await;
    assert!(world.stop(Duration::from_secs(1)).await);
}

fn errors_times(world: &World, processor: &str, key: &str) -> Vec<f64> {
    let calls = world.calls();
    let own = |call: &&Call| call.processor == processor && call.key == key;
    calls
        .iter()
        .filter(own)
        .map(|call| call.at.as_secs_f64())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_panics_loses_no_event() {
    let nervous = ISSUES.guard(|_| panic!("as the guard wants"));
    let world = Setup::new().processor(nervous, update).start();
    let (reason, story) = world.dead(world.send("A")).await;
    assert_eq!(reason, "issues (issue-0): panicked: as the guard wants");
    assert_eq!(story.attempts(), 4);
    assert!(world.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_is_given_up_in_time() {
    let mut setup = Setup::new()
        .processor(ISSUES.timeout(Duration::from_secs(1_000)), |_| {
            std::future::pending()
        })
        .processor(OTHER, update);
    setup.max_attempt_time = Duration::from_secs(20);
    let world = setup.start();
    let id = world.send("A");
    let (reason, _) = world.dead(id).await;
    assert!(
        reason.starts_with("issues (issue-0): timed out after 20s"),
        "{reason}"
    );
    assert_eq!(*world.log.cancelled.lock().unwrap(), [id; 4]);
    let [first, second, ..] = errors_times(&world, "issues", "A")[..] else {
        panic!();
    };
    assert!(second - first >= 20.8, "20 s of hanging and the delay");
    assert_eq!(errors_times(&world, "other", "A").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn rejections_are_dead_letters_at_once() {
    let world = Setup::new().unauthentic(ISSUES).start();
    let (reason, story) = world.dead(world.send("A")).await;
    assert_eq!(
        reason,
        "issues (issue-0): not authenticated: as the test wants"
    );
    assert_eq!(story.attempts(), 1);
    assert!(world.calls().is_empty());

    let world = Setup::new()
        .processor(ISSUES, |_| async {
            Err(Rejection::invalid("no issue").into())
        })
        .start();
    let (reason, story) = world.dead(world.send("A")).await;
    assert_eq!(reason, "issues (issue-0): invalid payload: no issue");
    assert_eq!(story.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_lacks_a_required_value_is_rejected_unhandled() {
    let world = Setup::new()
        .processor(ISSUES.requires(&["/issue/key"]), update)
        .start();
    let (reason, _) = world.dead(world.send("A")).await;
    assert_eq!(
        reason,
        "issues (issue-0): invalid payload: no value at `/issue/key`"
    );
    assert!(world.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_carries_the_whole_chain_of_errors() {
    let world = Setup::new()
        .processor(ISSUES, |_| async {
            let inner = std::io::Error::other("connection reset");
            Err(ProcessorError::permanent(Outer(inner)))
        })
        .start();
    let (_, story) = world.dead(world.send("A")).await;
    assert_eq!(
        errors(&story, "issues"),
        [[
            "jira does not answer".to_owned(),
            "connection reset".to_owned()
        ]]
    );
}

#[derive(Debug, thiserror::Error)]
#[error("jira does not answer")]
struct Outer(#[source] std::io::Error);

#[tokio::test(start_paused = true)]
async fn only_the_resource_that_failed_is_repeated() {
    let catalog = FakeCatalog::answering(|name, before| match (name, before) {
        ("task/A", 0) => Err(busy()),
        _ => Ok(Written::Updated),
    });
    let world = Setup::new()
        .processor(ISSUES, update)
        .processor(OTHER, |_| async { Ok(Outcome::NotFound) })
        .resources(&[
            resource("issue", "issue", "true"),
            resource("issue", "task", "true"),
        ])
        .catalog(catalog)
        .start();
    let story = world.done(world.send("A")).await;
    assert_eq!(
        world.catalog.writes(),
        ["+ issue/A", "+ task/A", "+ task/A"]
    );
    let attempts = |resource: &str| {
        let mut runs = story.runs.iter();
        let found = runs
            .find(|run| &*run.processor == "issues" && run.resource.as_deref() == Some(resource));
        found.unwrap().attempts.len()
    };
    assert_eq!((attempts("issue-0"), attempts("issue-1")), (1, 2));
    assert_eq!(errors_times(&world, "other", "A").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_port_refuses_is_a_dead_letter() {
    let world = Setup::new()
        .processor(ISSUES, update)
        .catalog(FakeCatalog::answering(|_, _| Err(refused())))
        .start();
    let (reason, story) = world.dead(world.send("A")).await;
    assert_eq!(
        reason,
        "issues (issue-0): upsert issue/A: 422: no such blueprint"
    );
    assert_eq!(
        &*story.runs[0].attempts[0].writes[0].answer,
        "422: no such blueprint"
    );
    assert_eq!(world.catalog.writes().len(), 1);
    assert_eq!(
        world.log.errors.lock().unwrap().len(),
        1,
        "the processor is told"
    );
}

#[tokio::test(start_paused = true)]
async fn a_write_that_fails_for_now_is_tried_again_until_the_retries_are_used_up() {
    let world = Setup::new()
        .processor(ISSUES, update)
        .catalog(FakeCatalog::answering(|_, _| Err(busy())))
        .start();
    let (reason, _) = world.dead(world.send("A")).await;
    assert_eq!(reason, "issues (issue-0): upsert issue/A: 503");
    check_delays(&seconds(&world));
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_waited_out_and_uses_up_no_retry() {
    let catalog = FakeCatalog::answering(|_, before| match before {
        0..50 => Err(away()),
        50..53 => Err(busy()),
        _ => Ok(Written::Created),
    });
    let world = Setup::new()
        .processor(ISSUES, update)
        .catalog(catalog)
        .start();
    let story = world.done(world.send("A")).await;
    let times = seconds(&world);
    assert_eq!(times.len(), 54);
    assert!(
        times
            .windows(2)
            .take(50)
            .all(|pair| pair[1] - pair[0] >= 10.0)
    );
    let run = &story.runs[0];
    assert_eq!(run.tried(), 54);
    assert!(
        run.attempts.len() < 10,
        "the outage is one entry of the story"
    );
}

#[tokio::test(start_paused = true)]
async fn while_the_catalog_is_away_handlers_are_not_called_in_vain() {
    let started = tokio::time::Instant::now();
    let catalog = FakeCatalog::answering(move |_, _| match started.elapsed().as_secs() {
        0..300 => Err(away()),
        _ => Ok(Written::Updated),
    });
    let mut setup = Setup::new().processor(ISSUES, update).catalog(catalog);
    setup.workers = 1;
    let world = setup.start();
    let ids: Vec<_> = (0..500).map(|n| world.send(&format!("K{n}"))).collect();
    for id in ids {
        world.done(id).await;
    }
    let in_vain = world.calls().len() - 500;
    // Those already under way, and one every ten seconds.
    assert!(in_vain <= 16 + 31, "{in_vain} calls");
    let last = world.calls().last().unwrap().at;
    assert!(last < Duration::from_secs(330), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_did_not_ask_the_catalog_does_not_end_the_hold() {
    let catalog = FakeCatalog::answering(|_, _| Err(away()));
    let world = Setup::new()
        .processor(ISSUES, |call| async move {
            match call.key.starts_with('D') {
                true => Err(ProcessorError::drop("as the test wants")),
                false => updated(&call.key),
            }
        })
        .catalog(catalog)
        .start();
    world.send("A");
    let retry = |change: &Change| matches!(change, Change::Retry { .. }).then_some(());
    world.queue.wait(EventId::new(1), retry).await;
    let dropped: Vec<_> = (0..5).map(|n| world.send(&format!("D{n}"))).collect();
    for n in 0..50 {
        world.send(&format!("K{n}"));
    }
    for id in dropped {
        world.done(id).await;
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    let in_vain = world
        .calls()
        .iter()
        .filter(|call| !call.key.starts_with('D'))
        .count();
    assert!(in_vain < 15, "{in_vain} handlers were called in vain");
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured() {
    let world = Setup::new()
        .processor(ISSUES, |call| async move {
            match call.attempt {
                1 => Err(ProcessorError::retry_after("429", Duration::from_secs(60))),
                _ => updated(&call.key),
            }
        })
        .start();
    world.done(world.send("A")).await;
    let times = seconds(&world);
    assert!((60.0..66.1).contains(&times[1]), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn two_faults_of_a_run_wait_for_the_one_that_passes() {
    let catalog = FakeCatalog::answering(|name, before| match (name, before) {
        ("issue/A", _) => Err(refused()),
        ("issue/B", 0) => Err(busy()),
        _ => Ok(Written::Updated),
    });
    let world = Setup::new()
        .processor(ISSUES, |_| async {
            let items = ["A", "B"].map(crate::world::item);
            Ok(Outcome::Results(ocean_core::RawResults::updated(items)))
        })
        .catalog(catalog)
        .start();
    let (reason, story) = world.dead(world.send("A")).await;
    assert_eq!(
        reason,
        "issues (issue-0): upsert issue/A: 422: no such blueprint"
    );
    assert_eq!(errors(&story, "issues")[0], ["upsert issue/B: 503"]);
    assert_eq!(story.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_lost_or_damaged_is_a_dead_letter() {
    let world = Setup::new().processor(ISSUES, update).start();
    let event = world.event(&serde_json::json!({"key": "A"}), "updated");
    let id = world.put(&event, false);
    world.queue.lose(id);
    let (reason, _) = world.dead(id).await;
    assert_eq!(reason, "the queue no longer has the event");

    let event = world.event(&serde_json::json!({"key": "A"}), "updated");
    let id = event.id();
    let reason = "no body".to_owned();
    world.queue.fail_load(QueueError::Damaged { id, reason });
    world.put(&event, false);
    let (reason, story) = world.dead(id).await;
    assert_eq!(reason, format!("event {id} is damaged: no body"));
    assert_eq!(story.notes, [reason]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_read_now_is_asked_again() {
    let world = Setup::new().processor(ISSUES, update).start();
    for _ in 0..10 {
        world.queue.fail_load(failing());
    }
    let event = world.event(&serde_json::json!({"key": "A"}), "updated");
    let id = world.put(&event, false);
    let story = world.done(id).await;
    assert_eq!(story.attempts(), 1);
    assert!(world.calls()[0].at >= Duration::from_secs(50));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_recovers_leaves_its_failures_in_the_story() {
    let count = Arc::new(AtomicUsize::new(0));
    let world = Setup::new()
        .processor(ISSUES, move |call| {
            let before = count.fetch_add(1, Ordering::Relaxed);
            async move {
                match before {
                    0 => Err(ProcessorError::retry("busy")),
                    _ => updated(&call.key),
                }
            }
        })
        .start();
    let story = world.done(world.send("A")).await;
    let expected: [&[&str]; 2] = [&["busy"], &[]];
    assert_eq!(errors(&story, "issues"), expected);
    assert_eq!(story.runs[0].state, RunState::Done);
}
