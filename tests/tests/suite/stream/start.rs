//! Settings of the stream, and what is wrong with them.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ocean_tests::{
    process::{Finished, finish},
    redis::{AUTHORITY, CERTIFICATE, KEY, Redis},
};
use redis::cmd;

use super::{Bench, entry, issue_updated};

const URL: &str = "OCEAN__LIVE_EVENTS__REDIS__URL";

async fn run(bench: &Bench, arguments: &[&str]) -> Finished {
    finish(bench.binary, arguments, &bench.settings)
        .await
        .unwrap()
}

/// With an address at which nobody listens.
async fn without_redis(bench: Bench) -> Bench {
    bench.redis.stop().await.unwrap();
    bench
        .with(
            "OCEAN__LIVE_EVENTS__REDIS__CONNECTION_STARTUP_MAX_RETRIES",
            "2",
        )
        .with(
            "OCEAN__LIVE_EVENTS__REDIS__CONNECTION_STARTUP_INITIAL_BACKOFF_SECONDS",
            "0.01",
        )
}

#[tokio::test]
async fn a_redis_that_cannot_be_reached_ends_the_start_with_its_address() {
    let bench = without_redis(Bench::jira().await).await;
    let finished = run(&bench, &["run"]).await;
    assert_eq!(finished.code, 1, "{}", finished.stderr);
    let address = bench.redis.url().replace("redis://", "");
    for part in [URL, &address] {
        assert!(finished.stderr.contains(part), "{}", finished.stderr);
    }
}

#[tokio::test]
async fn a_redis_that_comes_up_late_is_waited_for() {
    let bench = without_redis(Bench::jira().await)
        .await
        .with(
            "OCEAN__LIVE_EVENTS__REDIS__CONNECTION_STARTUP_MAX_RETRIES",
            "1000",
        )
        .with(
            "OCEAN__LIVE_EVENTS__REDIS__CONNECTION_STARTUP_EXPONENTIAL_BASE",
            "1",
        );
    let (_ocean, ()) = tokio::join!(bench.start(), async {
        bench.redis.start_again().await.unwrap();
        bench.add(&issue_updated()).await;
    });
    bench.port.until_entity("issue", "10007").await;
    bench.until_drained().await;
}

#[tokio::test]
async fn check_names_a_redis_that_cannot_be_reached() {
    let bench = Bench::jira().await;
    let finished = run(&bench, &["check"]).await;
    assert_eq!(finished.code, 0, "{}{}", finished.stdout, finished.stderr);
    let bench = without_redis(bench).await;
    let finished = run(&bench, &["check", "--json"]).await;
    assert_eq!(finished.code, 1, "{}", finished.stderr);
    let report = finished.json();
    let problems: Vec<_> = report["problems"].as_array().unwrap().iter().collect();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].as_str().unwrap().contains(URL), "{problems:?}");
}

#[tokio::test]
async fn a_base_url_without_the_streams_id_does_not_start() {
    for address in [
        None,
        Some("http://gateway.test/"),
        Some("http://gateway.test/live-events/"),
    ] {
        let mut bench = Bench::jira().await;
        bench.settings = match address {
            Some(address) => bench.settings.with("OCEAN__BASE_URL", address),
            None => bench.settings.without("OCEAN__BASE_URL"),
        };
        let finished = run(&bench, &["run"]).await;
        assert_eq!(finished.code, 2, "{address:?}: {}", finished.stderr);
        let names_it = finished.stderr.contains("OCEAN__BASE_URL");
        assert!(names_it, "{address:?}: {}", finished.stderr);
    }
}

#[tokio::test]
async fn a_queue_of_type_redis_is_the_stream_before_the_usual_store() {
    let mut bench = Bench::jira().await.with("OCEAN__QUEUE__TYPE", "redis");
    bench.settings = bench
        .settings
        .without("OCEAN__LIVE_EVENTS__IS_REDIS_STREAM_CONSUMER_ENABLED");
    let ocean = bench.start().await;
    bench.add(&issue_updated()).await;
    bench.port.until_entity("issue", "10007").await;
    bench.until_drained().await;
    // The event is in a store on disk.
    ocean.kill().await.unwrap();
    let listed = run(&bench, &["events", "list", "--json"]).await.json();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
}

#[tokio::test]
async fn a_store_in_memory_is_none_that_entries_are_acknowledged_for() {
    let bench = Bench::jira().await.with("OCEAN__QUEUE__TYPE", "memory");
    let finished = run(&bench, &["run"]).await;
    assert_eq!(finished.code, 2, "{}", finished.stderr);
    assert!(
        finished.stderr.contains("OCEAN__QUEUE__TYPE"),
        "{}",
        finished.stderr
    );
}

#[tokio::test]
async fn a_user_and_a_password_are_used() {
    let bench = Bench::jira()
        .await
        .with("OCEAN__LIVE_EVENTS__REDIS__USERNAME", "ocean")
        .with("OCEAN__LIVE_EVENTS__REDIS__PASSWORD", "pa:ss@wörd");
    let finished = run(&bench, &["check", "--json"]).await;
    assert_eq!(finished.code, 1, "{}", finished.stdout);
    let mut user = cmd("ACL");
    user.arg(&["SETUSER", "ocean", "on", ">pa:ss@wörd", "~*", "+@all"]);
    bench.redis.ask::<()>(&user).await.unwrap();
    let _ocean = bench.start().await;
    bench.add(&issue_updated()).await;
    bench.port.until_entity("issue", "10007").await;
}

#[tokio::test]
async fn a_user_who_may_not_acknowledge_is_a_problem_and_one_without_upkeep_is_not() {
    let bench = Bench::probe()
        .await
        .with("OCEAN__LIVE_EVENTS__REDIS__USERNAME", "ocean")
        .with("OCEAN__LIVE_EVENTS__REDIS__PASSWORD", "password")
        .with(
            "OCEAN__LIVE_EVENTS__REDIS__STREAM_MAINTENANCE_SCAN_INTERVAL_SECONDS",
            "0.05",
        )
        .with("OCEAN__LIVE_EVENTS__REDIS__BLOCK_MS", "50");
    let mut user = cmd("ACL");
    user.arg(&[
        "SETUSER",
        "ocean",
        "on",
        ">password",
        "~*",
        "+@all",
        "-xdel",
    ]);
    bench.redis.ask::<()>(&user).await.unwrap();
    let finished = run(&bench, &["check"]).await;
    assert_eq!(finished.code, 1, "{}", finished.stdout);
    assert!(finished.stdout.contains("'xdel'"), "{}", finished.stdout);
    let mut user = cmd("ACL");
    user.arg(&["SETUSER", "ocean", "+xdel", "-xautoclaim", "-xinfo"]);
    bench.redis.ask::<()>(&user).await.unwrap();
    let mut ocean = bench.start().await;
    let without = "Entries that are stuck with other consumers cannot be looked after.";
    ocean.until_logged(without).await.unwrap();
    bench.add(&entry("A", 1)).await;
    bench.values_until("A", 1).await;
    bench.until_drained().await;
}

#[tokio::test]
async fn an_encrypted_redis_is_verified_and_shown_a_certificate() {
    const TLS: &str = "OCEAN__LIVE_EVENTS__REDIS__ENABLE_TLS";
    let (redis, url) = Redis::start_encrypted().await.unwrap();
    let mut bench = Bench::jira().await.with(URL, &url).with(TLS, "true");
    bench.redis = redis.into();
    let setting = |name, pem| (name, BASE64_STANDARD.encode(pem));
    let settings = [
        setting("OCEAN__LIVE_EVENTS__REDIS__CA", AUTHORITY),
        setting("OCEAN__LIVE_EVENTS__REDIS__CERT", CERTIFICATE),
        setting("OCEAN__LIVE_EVENTS__REDIS__PRIVATE_KEY", KEY),
    ];
    for (name, value) in &settings {
        bench = bench.with(name, value);
    }
    let _ocean = bench.start().await;
    bench.add(&issue_updated()).await;
    bench.port.until_entity("issue", "10007").await;
    bench.until_drained().await;
    // Without authority, ours is not believed in; without certificate, we are not.
    for missing in [&settings[..1], &settings[1..]] {
        let mut settings = bench.settings.clone();
        for (name, _) in missing {
            settings = settings.without(name);
        }
        let finished = finish(bench.binary, &["check"], &settings).await.unwrap();
        assert_eq!(finished.code, 1, "{missing:?}: {}", finished.stdout);
        assert!(finished.stdout.contains(URL), "{}", finished.stdout);
    }
}

#[tokio::test]
async fn a_cluster_is_served() {
    let bench = Bench::probe().await.on_cluster().await;
    let _ocean = bench.start().await;
    bench.add(&entry("A", 1)).await;
    assert_eq!(bench.values_until("A", 1).await, [1]);
    bench.until_drained().await;
}
