//! Health, metrics, prefix, shutdown.

use std::time::Duration;

use ocean_core::{ingress::Check, queue::QueueError};
use serde_json::json;

use crate::{
    door_support::{Door, JSON, post},
    support::{URI, open_source},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn readiness_names_what_fails() {
    let mapping = Check::new("mapping", || Err("none loaded yet".to_owned()));
    let door = Door::with(vec![], vec![mapping], |_| {});
    let version = env!("CARGO_PKG_VERSION");
    let live = door.get("/health/live");
    assert_eq!(
        live.line(),
        format!(r#"200 {{"status":"healthy","check":"live","core_version":"{version}"}}"#)
    );
    let ready = door.get("/health/ready");
    assert_eq!(ready.status, 503);
    assert_eq!(
        ready.json()["failing"],
        json!([{"dependency": "mapping", "reason": "none loaded yet"}])
    );

    let door = Door::with(vec![], vec![Check::new("mapping", || Ok(()))], |_| {});
    let ready = door.get("/health/ready");
    assert_eq!(
        ready.line(),
        format!(r#"200 {{"status":"healthy","check":"ready","core_version":"{version}"}}"#)
    );
    door.queue.fail(QueueError::Full {
        reason: "disk full".into(),
        retry_after: Duration::ZERO,
    });
    let ready = door.get("/health/ready");
    assert_eq!(
        ready.json()["failing"],
        json!([{"dependency": "queue", "reason": "the queue is full: disk full"}])
    );
    assert_eq!(door.get("/health/live").status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn everything_moves_below_the_prefix() {
    let door = Door::with(vec![open_source()], vec![], |options| {
        options.prefix = "/ocean/jira/".to_owned();
    });
    assert_eq!(
        door.post("/ocean/jira/integration/webhook", JSON, "{}")
            .status,
        200
    );
    assert_eq!(door.post(URI, JSON, "{}").status, 404);
    for path in ["/health/live", "/health/ready", "/metrics", "/metrics/"] {
        assert_eq!(
            door.get(&format!("/ocean/jira{path}")).status,
            200,
            "{path}"
        );
        assert_eq!(door.get(path).status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn requests_are_counted_by_path_and_outcome() {
    let door = Door::open(vec![open_source()]);
    door.post(URI, &format!("{JSON}x-delivery: d\r\n"), "{}");
    door.post(URI, &format!("{JSON}x-delivery: d\r\n"), "{}");
    door.post(URI, JSON, "{\"event\":\"ping\"}");
    door.post(URI, JSON, "oops");
    for path in ["/a", "/b", "/c"] {
        door.post(path, JSON, "{}");
    }
    let metrics = door.get("/metrics/").text;
    for line in [
        r#"ocean_ingress_requests_total{path="/webhook",outcome="ok"} 1"#,
        r#"ocean_ingress_requests_total{path="/webhook",outcome="duplicate"} 1"#,
        r#"ocean_ingress_requests_total{path="/webhook",outcome="ignored"} 1"#,
        r#"ocean_ingress_requests_total{path="/webhook",outcome="bad_json"} 1"#,
        r#"ocean_ingress_requests_total{path="other",outcome="not_found"} 3"#,
        r#"ocean_ingress_received_bytes_total{path="/webhook"} 24"#,
        r#"ocean_ingress_accept_seconds_count{path="/webhook"} 3"#,
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn request_ids_differ_and_look_like_uuids() {
    let door = Door::open(vec![open_source()]);
    let ids: Vec<_> = [
        door.get("/health/live"),
        door.post(URI, JSON, "{}"),
        door.get("/x"),
    ]
    .iter()
    .map(|answer| answer.header("x-request-id").unwrap().to_owned())
    .collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
    for id in ids {
        let lengths: Vec<_> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
        assert!(
            id.as_bytes()[14] == b'4' && b"89ab".contains(&id.as_bytes()[19]),
            "{id}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stop_ends_the_listener_and_idle_connections() {
    let door = Door::open(vec![open_source()]);
    let mut idle = door.connect();
    idle.write(post(URI, JSON, "{}"));
    assert_eq!(idle.read().status, 200);
    door.supervisor.stop();
    assert!(door.supervisor.join(Duration::from_secs(5)).await);
    assert!(idle.try_read().is_none(), "closed, not cut");
    assert!(std::net::TcpStream::connect(door.address).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stop_answers_what_was_begun() {
    let door = Door::open(vec![open_source()]);
    let closed = door.queue.gate.lock().await;
    let mut client = door.connect();
    client.write(post(URI, JSON, "{}"));
    door.queue.knocked.notified().await;
    door.supervisor.stop();
    let (joined, answer) = tokio::join!(door.supervisor.join(Duration::from_secs(5)), async {
        // The listener is gone before the last request is answered.
        while std::net::TcpStream::connect(door.address).is_ok() {
            tokio::task::yield_now().await;
        }
        drop(closed);
        tokio::task::spawn_blocking(move || client.read())
            .await
            .unwrap()
    });
    assert_eq!((joined, answer.status), (true, 200));
    assert_eq!(door.queue.events().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_address_in_use_is_a_start_error_that_names_it() {
    let door = Door::open(vec![]);
    let taken = door.address.port();
    let result =
        std::panic::catch_unwind(|| Door::with(vec![], vec![], |options| options.port = taken));
    let message = result.err().expect("two doors cannot have one port");
    let message = message.downcast_ref::<String>().unwrap();
    assert!(
        message.contains(&format!("cannot listen on 127.0.0.1:{taken}")),
        "{message}"
    );
}
