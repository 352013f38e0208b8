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
