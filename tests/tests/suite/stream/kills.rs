//! Either side is killed, and what Redis confirmed takes effect all the same.

use std::time::Duration;

use ocean_tests::{
    process::{Ocean, until},
    redis::Entry,
};
use serde_json::Value;

use super::{Bench, KEY, Load, entry};

/// Every step between the read of an entry and its end, in the order in which it passes them, and
/// whether the entry may be acknowledged by then.
const STEPS: [(&str, bool); 6] = [
    ("queue.before_commit", false),
    ("queue.after_commit", false),
    ("queue.after_ack", true),
    ("stream.before_ack", false),
    ("dispatch.before_handler", true),
    ("dispatch.after_writes", true),
];

#[tokio::test]
async fn a_crash_at_any_step_loses_nothing_and_doubles_nothing() {
    for (step, may_be_acknowledged) in STEPS {
        let bench = Bench::probe().await;
        let armed = bench.settings.clone().with("OCEAN_FAILPOINT", step);
        let mut ocean = Ocean::start(bench.binary, &[], &armed).await.unwrap();
        bench.add(&entry("A", 1)).await;
        // Of an older gateway: recognised by the entry's own id.
        bench.add(&entry("A", 2).without_id()).await;
        bench.add(&Entry::new("integration/nowhere", "{}")).await;
        assert!(ocean.ended().await.unwrap(), "{step} was never passed");
        if !may_be_acknowledged {
            let pending = bench.redis.pending(KEY, bench.group).await.unwrap();
            assert!(pending > 0, "{step}: was acknowledged already");
        }
        let ocean = bench.start().await;
        assert_eq!(bench.values_until("A", 2).await, [1, 2], "{step}");
        bench.until_drained().await;
        let events = ocean.admin_get("/api/events").await.unwrap();
        assert_eq!(
            events["events"].as_array().unwrap().len(),
            3,
            "{step}: {events}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_by_kills_of_the_integration_under_load() {
    let bench = Bench::probe().await;
    let mut random = fastrand::Rng::with_seed(1);
    let load = Load::start(&bench.redis);
    for round in 0..8 {
        let ocean = bench.start().await;
        if round % 2 == 1 {
            bench.until_at_work().await;
        }
        // The time of death is what the round is about, so this sleep is no synchronisation.
        tokio::time::sleep(Duration::from_millis(random.u64(0..400))).await;
        ocean.kill().await.unwrap();
    }
    let _ocean = bench.start().await;
    load.check(&bench).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_by_kills_of_redis_under_load() {
    kill_redis(&Bench::probe().await, 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_by_kills_of_a_cluster_under_load() {
    kill_redis(&Bench::probe().await.on_cluster().await, 2).await;
}

/// Kills and starts Redis again this often.
async fn kill_redis(bench: &Bench, times: usize) {
    let ocean = bench.start().await;
    bench.add(&entry("FIRST", 1)).await;
    bench.values_until("FIRST", 1).await;
    let mut random = fastrand::Rng::with_seed(2);
    let load = Load::start(&bench.redis);
    for _ in 0..times {
        bench.until_at_work().await;
        // The time of death is what the round is about, so this sleep is no synchronisation.
        tokio::time::sleep(Duration::from_millis(random.u64(0..400))).await;
        bench.redis.kill();
        until_readiness_says(&ocean, "degraded").await;
        bench.redis.start_again().await.unwrap();
        until_readiness_says(&ocean, "healthy").await;
    }
    load.check(bench).await;
}

/// Waits for this status; senders must not be turned away meanwhile.
async fn until_readiness_says(ocean: &Ocean, status: &str) {
    until("the readiness is known", async || {
        let (code, body) = ocean.get("/health/ready").await?;
        assert_eq!(code, 200, "{body}");
        let body: Value = serde_json::from_str(&body)?;
        anyhow::ensure!(body["status"] == status, "{body}");
        if status == "degraded" {
            assert_eq!(body["degraded"][0]["dependency"], "redis", "{body}");
        }
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_under_load_leaves_in_redis_what_it_has_not_stored() {
    let bench = Bench::probe().await;
    let load = Load::start(&bench.redis);
    for _ in 0..3 {
        let ocean = bench.start().await;
        bench.until_at_work().await;
        assert_eq!(ocean.terminate().await.unwrap(), 0);
    }
    let _ocean = bench.start().await;
    load.check(&bench).await;
}

#[tokio::test]
async fn a_redis_that_forgets_everything_gets_its_group_again() {
    let bench = Bench::probe().await;
    let _ocean = bench.start().await;
    bench.add(&entry("A", 1)).await;
    bench.until_drained().await;
    bench.redis.flush().await.unwrap();
    bench.add(&entry("A", 2)).await;
    bench.values_until("A", 2).await;
    bench.until_drained().await;
    // And while nothing is read but waited for, without an entry that comes.
    bench.redis.flush().await.unwrap();
    until("the group is there again", async || {
        bench.redis.pending(KEY, bench.group).await
    })
    .await
    .unwrap();
    bench.add(&entry("A", 3)).await;
    bench.values_until("A", 3).await;
    bench.until_drained().await;
}
