//! Other consumers of the group: dead ones, and this one's former life.

use ocean_tests::process::until;
use redis::cmd;

use super::{Bench, KEY, entry};

#[tokio::test]
async fn entries_of_a_dead_consumer_are_taken_over() {
    let bench = Bench::probe()
        .await
        .with("OCEAN__LIVE_EVENTS__REDIS__PEL_STUCK_TIMEOUT_SECONDS", "1")
        .with("OCEAN__LIVE_EVENTS__REDIS__PEL_XAUTOCLAIM_COUNT", "7")
        .with(
            "OCEAN__LIVE_EVENTS__REDIS__STREAM_MAINTENANCE_SCAN_INTERVAL_SECONDS",
            "0.1",
        )
        .with("OCEAN__LIVE_EVENTS__REDIS__BLOCK_MS", "100");
    for value in 1..=20 {
        bench.add(&entry("A", value)).await;
    }
    // More than are taken over at once.
    bench.read_and_die("my-probe-gone", 20).await;
    let _ocean = bench.start().await;
    bench.add(&entry("B", 1)).await;
    bench.values_until("B", 1).await;
    let values = bench.values_until("A", 20).await;
    assert_eq!(values, (1..=20).collect::<Vec<_>>());
    bench.until_drained().await;
}

#[tokio::test]
async fn its_own_entries_of_a_former_life_come_first() {
    let bench = Bench::probe().await;
    let consumer = bench.consumer().await;
    assert!(consumer.starts_with("my-probe-"), "{consumer}");
    // More than one read of them, so that they are read to their end.
    for value in 1..=25 {
        bench.add(&entry("A", value)).await;
    }
    bench.read_and_die(&consumer, 25).await;
    for value in 26..=30 {
        bench.add(&entry("A", value)).await;
    }
    let _ocean = bench.start().await;
    let values = bench.values_until("A", 30).await;
    assert_eq!(values, (1..=30).collect::<Vec<_>>());
    bench.until_drained().await;
}

#[tokio::test]
async fn an_entry_that_was_deleted_while_it_was_pending_is_no_obstacle() {
    let bench = Bench::probe().await;
    let consumer = bench.consumer().await;
    bench.add(&entry("A", 1)).await;
    bench.read_and_die(&consumer, 1).await;
    let trim = cmd("XTRIM").arg(KEY).arg("MAXLEN").arg(0).to_owned();
    bench.redis.ask::<()>(&trim).await.unwrap();
    assert_eq!(bench.redis.pending(KEY, bench.group).await.unwrap(), 1);
    bench.add(&entry("A", 2)).await;
    let _ocean = bench.start().await;
    assert_eq!(bench.values_until("A", 2).await, [2]);
    bench.until_drained().await;
}

#[tokio::test]
async fn consumers_with_nothing_to_do_are_removed_in_the_end() {
    let bench = Bench::probe()
        .await
        .with(
            "OCEAN__LIVE_EVENTS__REDIS__STREAM_MAINTENANCE_CONSUMER_CLEANUP_IDLE_SECONDS",
            "1",
        )
        .with(
            "OCEAN__LIVE_EVENTS__REDIS__STREAM_MAINTENANCE_SCAN_INTERVAL_SECONDS",
            "0.1",
        )
        .with("OCEAN__LIVE_EVENTS__REDIS__BLOCK_MS", "100");
    for (name, has_died) in [
        ("my-probe-dead", true),
        ("my-probe-gone", false),
        ("stream-maintenance-worker", false),
    ] {
        bench.add(&entry("A", 1)).await;
        let ids = bench.read_and_die(name, 1).await;
        if !has_died {
            let acknowledge = cmd("XACK").arg(KEY).arg(bench.group).arg(ids).to_owned();
            bench.redis.ask::<()>(&acknowledge).await.unwrap();
        }
    }
    let _ocean = bench.start().await;
    until("only those that are needed are left", async || {
        let names = bench.redis.consumers(KEY, bench.group).await?;
        let is_there = |name| names.iter().any(|one| one == name);
        anyhow::ensure!(!is_there("my-probe-gone"), "{names:?}");
        assert!(is_there("my-probe-dead") && is_there("stream-maintenance-worker"));
        assert_eq!(names.len(), 3, "and the one that reads");
        Ok(())
    })
    .await
    .unwrap();
}
