//! Order in a lane, independence of lanes, coalescing and the limit of handlers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use ocean_core::{EventId, ProcessorError, processor::ProcessorSpec, queue::Change};
use tokio::sync::Semaphore;

use crate::world::{Call, HandlerResult, Setup, World, updated};

const ISSUES: ProcessorSpec = ProcessorSpec::new("issues", "/webhook")
    .kinds(&["issue"])
    .key(&["/key"]);

async fn update(call: Call) -> HandlerResult {
    updated(&call.key)
}

async fn superseded(world: &World, id: EventId) -> EventId {
    let superseded = |change: &Change| match change {
        Change::Superseded { by, .. } => Some(*by),
        Change::Done(_) => panic!("done"),
        _ => None,
    };
    world.queue.wait(id, superseded).await
}

#[tokio::test(start_paused = true)]
async fn events_of_a_key_run_one_after_another_and_keys_side_by_side() {
    let running: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    let most: Arc<Mutex<usize>> = Arc::default();
    let (inside, peak) = (running.clone(), most.clone());
    let world = Setup::new()
        .processor(ISSUES, move |call| {
            let (running, peak) = (inside.clone(), peak.clone());
            async move {
                {
                    let mut running = running.lock().unwrap();
                    let own = running.entry(call.key.clone()).or_default();
                    *own += 1;
                    assert_eq!(*own, 1, "two events of one key at once");
                    let mut peak = peak.lock().unwrap();
                    *peak = (*peak).max(running.values().sum());
                }
                // Different lengths, so that keys drift apart.
                let millis = 1 + (call.event.get() as u64 * 7) % 13;
                tokio::time::sleep(Duration::from_millis(millis)).await;
                *running.lock().unwrap().get_mut(&call.key).unwrap() -= 1;
                updated(&call.key)
            }
        })
        .start();
    let keys = ["A", "B", "C", "D", "E"];
    let ids: Vec<_> = (0..200).map(|n| world.send(keys[n % keys.len()])).collect();
    for id in ids {
        world.done(id).await;
    }
    for key in keys {
        let calls = world.calls();
        let own: Vec<_> = calls
            .iter()
            .filter(|call| call.key == key)
            .map(|call| call.event)
            .collect();
        assert_eq!(own.len(), 40);
        assert!(own.is_sorted(), "{key}: {own:?}");
    }
    assert_eq!(*most.lock().unwrap(), keys.len());
}

#[tokio::test(start_paused = true)]
async fn no_more_handlers_are_in_flight_than_there_are_workers() {
    let running = Arc::new(Mutex::new((0, 0)));
    let counted = running.clone();
    let handler = move |call: Call| {
        let running = counted.clone();
        async move {
            {
                let mut running = running.lock().unwrap();
                running.0 += 1;
                running.1 = running.1.max(running.0);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            running.lock().unwrap().0 -= 1;
            updated(&call.key)
        }
    };
    let second = ProcessorSpec::new("second", "/webhook")
        .kinds(&["issue"])
        .key(&["/key"]);
    let mut setup = Setup::new()
        .processor(ISSUES, handler.clone())
        .processor(second, handler);
    setup.workers = 3;
    let world = setup.start();
    let ids: Vec<_> = (0..60).map(|n| world.send(&format!("K{n}"))).collect();
    for id in ids {
        world.done(id).await;
    }
    assert_eq!(running.lock().unwrap().1, 3);
    assert_eq!(world.calls().len(), 120);
}

#[tokio::test(start_paused = true)]
async fn one_worker_is_enough_for_an_event_of_several_processors() {
    let second = ProcessorSpec::new("second", "/webhook")
        .kinds(&["issue"])
        .key(&["/key"]);
    let mut setup = Setup::new()
        .processor(ISSUES, update)
        .processor(second, update);
    setup.workers = 1;
    let world = setup.start();
    world.done(world.send("A")).await;
    assert_eq!(world.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_slow_a_failing_and_a_poisoned_key_hold_up_nobody_else() {
    let world = Setup::new()
        .processor(ISSUES, |call| async move {
            match &*call.key {
                "slow" => std::future::pending().await,
                "failing" => Err(ProcessorError::retry("busy")),
                "poisoned" => panic!("as the test wants"),
                _ => updated(&call.key),
            }
        })
        .start();
    for key in ["slow", "failing", "poisoned"] {
        for _ in 0..20 {
            world.send(key);
        }
    }
    let good: Vec<_> = (0..50)
        .map(|n| world.send(&format!("K{}", n % 5)))
        .collect();
    for id in good {
        world.done(id).await;
    }
    let last = world
        .calls()
        .iter()
        .filter(|call| call.key.starts_with('K'))
        .map(|call| call.at)
        .max();
    assert!(last.unwrap() < Duration::from_millis(100), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_waits_for_a_retry_keeps_its_order() {
    let world = Setup::new()
        .processor(ISSUES, |call| async move {
            match call.event.get() {
                1 if call.attempt < 3 => Err(ProcessorError::retry("busy")),
                _ => updated(&call.key),
            }
        })
        .start();
    let ids: Vec<_> = (0..5).map(|_| world.send("A")).collect();
    for id in &ids {
        world.done(*id).await;
    }
    let order: Vec<_> = world.calls().iter().map(|call| call.event.get()).collect();
    assert_eq!(order, [1, 1, 1, 2, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn waiting_events_of_a_coalescing_processor_are_superseded_by_the_newest() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let world = Setup::new()
        .processor(ISSUES.coalesce(), move |call| {
            let gate = opened.clone();
            async move {
                gate.acquire().await.unwrap().forget();
                updated(&call.key)
            }
        })
        .start();
    let first = world.send("A");
    while world.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    let waiting: Vec<_> = (0..10).map(|_| world.send("A")).collect();
    gate.add_permits(2);
    world.done(first).await;
    let (last, superseded_ones) = waiting.split_last().unwrap();
    for id in superseded_ones {
        assert_eq!(superseded(&world, *id).await, *last);
    }
    world.done(*last).await;
    assert_eq!(world.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_newer_event_that_dies_does_not_cost_the_good_one_before_it() {
    let world = Setup::new()
        .processor(ISSUES.coalesce().requires(&["/sound"]), update)
        .start();
    let send = |body| world.put(&world.event(&body, "updated"), true);
    let sound = || send(serde_json::json!({"key": "A", "sound": true}));
    let ids = [sound(), sound(), sound()];
    let poisoned = [(); 2].map(|()| send(serde_json::json!({"key": "A"})));
    for id in poisoned {
        let (reason, _) = world.dead(id).await;
        assert!(reason.contains("no value at `/sound`"), "{reason}");
    }
    world.done(ids[2]).await;
    for id in &ids[..2] {
        assert_eq!(superseded(&world, *id).await, ids[2]);
    }
    assert_eq!(world.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_dying_event_did_is_not_undone_by_the_one_before_it() {
    let other = ProcessorSpec::new("other", "/webhook")
        .kinds(&["issue"])
        .key(&["/key"]);
    let world = Setup::new()
        .processor(ISSUES.coalesce(), update)
        .processor(other.coalesce(), |call| async move {
            match call.event.get() {
                3 => Err(ProcessorError::permanent("as the test wants")),
                _ => updated(&call.key),
            }
        })
        .start();
    let ids = [(); 3].map(|()| world.send("A"));
    world.dead(ids[2]).await;
    let story = world.done(ids[1]).await;
    assert_eq!(superseded(&world, ids[0]).await, ids[1]);
    let calls = world.calls();
    let mut calls: Vec<_> = calls.iter().map(|it| (it.event, it.processor)).collect();
    calls.sort_unstable();
    assert_eq!(
        calls,
        [(ids[1], "other"), (ids[2], "issues"), (ids[2], "other")]
    );
    let issues = story.runs.iter().find(|run| &*run.processor == "issues");
    assert_eq!(
        issues.unwrap().attempts[0].notes,
        [format!("superseded by {}", ids[2])]
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_superseded_is_written_down_only_when_the_newer_event_took_effect() {
    let setup = Setup::new().processor(ISSUES.coalesce(), |_| std::future::pending());
    let world = setup.start();
    let ids = [(); 3].map(|()| world.send("A"));
    while world.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(!world.stop(Duration::from_secs(1)).await);
    for id in ids {
        assert_eq!(world.calls()[0].event, ids[2]);
        assert!(world.queue.changes(id).is_empty());
    }
    // After the crash, with the newest now of no use.
    let next = Setup::new()
        .processor(ISSUES.coalesce(), |call| async move {
            match call.event.get() {
                3 => Err(ProcessorError::permanent("as the test wants")),
                _ => updated(&call.key),
            }
        })
        .queue(&world.queue)
        .start();
    next.dead(ids[2]).await;
    next.done(ids[1]).await;
    assert_eq!(superseded(&next, ids[0]).await, ids[1]);
    let order: Vec<_> = next.calls().iter().map(|call| call.event).collect();
    assert_eq!(order, [ids[2], ids[1]]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_what_is_superseded_is_recorded_before_that_of_the_newer_event() {
    let world = Setup::new().processor(ISSUES.coalesce(), update).start();
    let ids = [(); 3].map(|()| world.send("A"));
    world.done(ids[2]).await;
    assert_eq!(world.queue.ended(), ids);
}

#[tokio::test(start_paused = true)]
async fn an_event_superseded_in_one_of_its_lanes_still_runs_in_the_other() {
    let by_user = ProcessorSpec::new("users", "/webhook")
        .kinds(&["issue"])
        .key(&["/user"]);
    let world = Setup::new()
        .processor(ISSUES.coalesce(), |call| async move {
            match call.attempt {
                1 if call.event.get() == 1 => Err(ProcessorError::retry("busy")),
                _ => updated(&call.key),
            }
        })
        .processor(by_user, update)
        .start();
    let event = |user: &str| world.event(&serde_json::json!({"key": "A", "user": user}), "updated");
    let ids = ["U", "V", "W"].map(|user| world.put(&event(user), true));
    let stories = [world.done(ids[0]).await, world.done(ids[1]).await];
    world.done(ids[2]).await;
    let of_users = world
        .calls()
        .iter()
        .filter(|call| call.processor == "users")
        .count();
    assert_eq!(of_users, 3);
    for story in stories {
        let issues = story.runs.iter().filter(|run| &*run.processor == "issues");
        let notes: Vec<_> = issues
            .flat_map(|run| &run.attempts)
            .flat_map(|it| &it.notes)
            .collect();
        assert_eq!(notes, [&format!("superseded by {}", ids[2])]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hot_lane_leaves_room_for_the_others() {
    let mut setup = Setup::new().processor(ISSUES, |call| async move {
        tokio::time::sleep(Duration::from_millis(10)).await;
        updated(&call.key)
    });
    setup.workers = 1;
    let world = setup.start();
    let hot: Vec<_> = (0..100).map(|_| world.send("hot")).collect();
    let cold = world.send("cold");
    world.done(cold).await;
    let before = world.calls().len();
    assert!(before <= 4, "{before} calls before its turn came");
    for id in hot {
        world.done(id).await;
    }
}
