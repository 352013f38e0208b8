//! Kills, restarts and shutdowns: what was acknowledged must come to its end.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ocean_tests::{
    crash::{Rounds, kill_rounds},
    port::Port,
    process::Ocean,
};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Bench, PROBE, probe_config, probe_settings, thing};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_kills_under_load() {
    let rounds = Rounds {
        rounds: 15,
        seed: 1,
        ..Rounds::default()
    };
    let report = kill_rounds(PROBE, &rounds).await.unwrap();
    assert_eq!(report.lost, Vec::<String>::new());
    assert_eq!(report.out_of_order, Vec::<String>::new());
    assert!(report.acknowledged > 100, "{report:?}");
}

/// Every step between accept and done, in the order in which an event passes them.
const STEPS: [&str; 7] = [
    "queue.before_commit",
    "queue.after_commit",
    "queue.after_ack",
    "dispatch.before_handler",
    "dispatch.after_handlers",
    "dispatch.after_writes",
    "dispatch.after_record",
];

#[tokio::test]
async fn a_crash_at_any_step_loses_nothing_that_was_acknowledged() {
    for step in STEPS {
        let port = Port::start(probe_config()).await.unwrap();
        let data = TempDir::new().unwrap();
        let settings = probe_settings(&port, data.path());
        let armed = settings.clone().with("OCEAN_FAILPOINT", step);
        let mut ocean = Ocean::start(PROBE, &[], &armed).await.unwrap();
        let answer = ocean.post("/open", &thing("thing_updated", "A", 7)).await;
        assert!(ocean.ended().await.unwrap(), "{step} was never passed");
        let ocean = Ocean::start(PROBE, &[], &settings).await.unwrap();
        if let Ok((status, answer)) = answer {
            assert_eq!(status, 200, "{step}: {answer}");
            port.until_entity("thing", "A").await;
        } else {
            // Never acknowledged, so the sender sends it again.
            let (status, _) = ocean
                .post("/open", &thing("thing_updated", "A", 7))
                .await
                .unwrap();
            assert_eq!(status, 200, "{step}");
            port.until_entity("thing", "A").await;
        }
    }
}

#[tokio::test]
async fn a_retry_date_survives_a_restart() {
    let port = Port::start(probe_config()).await.unwrap();
    let data = TempDir::new().unwrap();
    let settings = probe_settings(&port, data.path());
    let ocean = Ocean::start(PROBE, &[], &settings).await.unwrap();
    let mut failing = thing("patient", "A", 1);
    failing["fail"] = json!("retry");
    let (_, answer) = ocean.post("/open", &failing).await.unwrap();
    let path = format!("/api/events/{}", answer["id"].as_str().unwrap());
    let before = until_dated(&ocean, &path).await;
    ocean.kill().await.unwrap();
    let ocean = Ocean::start(PROBE, &[], &settings).await.unwrap();
    // Later than the event in the feed: once this one is through, that one had its chance.
    let (status, _) = ocean
        .post("/open", &thing("thing_updated", "B", 2))
        .await
        .unwrap();
    assert_eq!(status, 200);
    port.until_entity("thing", "B").await;
    let after = ocean.admin_get(&path).await.unwrap();
    assert_eq!(after["next_attempt_at"], before["next_attempt_at"]);
    assert_eq!(
        (&after["state"], &after["attempts"]),
        (&json!("pending"), &json!(1))
    );
}

/// The event once it waits for a date.
async fn until_dated(ocean: &Ocean, path: &str) -> serde_json::Value {
    let waited = async {
        loop {
            let event = ocean.admin_get(path).await.unwrap();
            if event["next_attempt_at"].is_string() {
                return event;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waited)
        .await
        .expect("never waits for a date")
}

#[tokio::test]
async fn a_shutdown_lets_handlers_finish_and_leaves_the_rest_on_disk() {
    let bench = Bench::start().await;
    let mut hanging = thing("thing_updated", "A", 1);
    hanging["fail"] = json!("hang");
    bench.accept(&hanging).await;
    // Behind the hanging one in its lane: never started in this process.
    bench.accept(&thing("thing_updated", "A", 2)).await;
    let Bench { port, ocean, data } = bench;
    assert_eq!(ocean.terminate().await.unwrap(), 0);
    let settings = probe_settings(&port, data.path());
    let _again = Ocean::start(PROBE, &[], &settings).await.unwrap();
    let entity = port.until_entity("thing", "A").await;
    assert_eq!(entity["properties"]["value"], 2);
}

#[tokio::test]
async fn an_event_that_kills_the_process_becomes_a_dead_letter() {
    // Three restarts while it runs, as kills from outside: the event itself cannot be told from
    // one that aborts the process.
    let port = Port::start(probe_config()).await.unwrap();
    let data = TempDir::new().unwrap();
    let settings = probe_settings(&port, data.path());
    let mut hanging = thing("thing_updated", "A", 1);
    hanging["fail"] = json!("hang");
    let ocean = Ocean::start(PROBE, &[], &settings).await.unwrap();
    let (_, answer) = ocean.post("/open", &hanging).await.unwrap();
    let id = answer["id"].as_str().unwrap().to_owned();
    ocean.kill().await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        assert!(
            tokio::time::Instant::now() < deadline,
            "never a dead letter"
        );
        let ocean = Ocean::start(PROBE, &[], &settings).await.unwrap();
        let event = ocean.admin_get(&format!("/api/events/{id}")).await.unwrap();
        if event["state"] == "dead" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        ocean.kill().await.unwrap();
    }
}

#[tokio::test]
async fn a_full_store_says_503_and_recovers_by_itself() {
    let bench = Bench::start_with(probe_config(), |settings| {
        settings.with("OCEAN__QUEUE__MAX_PENDING_BYTES", "64KiB")
    })
    .await;
    bench.port.server.fail(ocean_tests::stand_in::Fault::status(
        "/entities/bulk",
        1_000_000,
        503,
    ));
    let accepting = Arc::new(AtomicBool::new(true));
    let mut accepted = BTreeMap::new();
    for number in 0..2_000 {
        let id = format!("T{number}");
        let mut event = thing("thing_updated", &id, number);
        event["padding"] = json!("x".repeat(4_000));
        let (status, answer) = bench.ocean.post("/open", &event).await.unwrap();
        match status {
            200 => accepted.insert(id, number),
            503 => {
                assert_eq!(answer["status"], "error");
                accepting.store(false, Ordering::Relaxed);
                break;
            }
            other => panic!("{other}: {answer}"),
        };
    }
    assert!(!accepting.load(Ordering::Relaxed), "the bound never bit");
    let (ready, why) = bench.ocean.get("/health/ready").await.unwrap();
    assert_eq!(ready, 503);
    assert!(why.contains("queue"), "{why}");
    bench.port.server.heal();
    for id in accepted.keys() {
        bench.port.until_entity("thing", id).await;
    }
    let (status, _) = bench
        .ocean
        .post("/open", &thing("thing_updated", "LAST", 1))
        .await
        .unwrap();
    assert_eq!(status, 200);
}
