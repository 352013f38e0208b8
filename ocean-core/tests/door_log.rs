//! What the door writes to the log: refusals with their reason, nothing of bodies and secrets.

#![allow(clippy::unwrap_used, reason = "it is a test")]

mod door_support;

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use door_support::{Door, JSON};
use ocean_core::source::{Source, Verification};
use serde_json::Value;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

// The only test of this binary: the log of a process has one destination.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn refusals_are_logged_without_bodies_and_secrets() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone());
    subscriber.init();
    let token = Verification::token("x-knock").secret("secret");
    let door = Door::open(vec![Source::new("/webhook").verify(token)]);
    let secret = format!("{JSON}x-knock: hunter3\r\nauthorization: Bearer hunter4\r\n");
    let uri = "/integration/webhook?token=hunter5";
    let answer = door.post(uri, &secret, r#"{"password":"hunter6"}"#);
    assert_eq!(answer.status, 401);
    let right = format!("{JSON}x-knock: hunter2\r\n");
    assert_eq!(door.post(uri, &right, "hunter7").status, 400);
    assert_eq!(door.post(uri, &right, r#"{"a":"hunter8"}"#).status, 200);
    assert_eq!(door.post("/integration/webhok", &right, "{}").status, 404);

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(!text.contains("hunter"), "{text}");
    let records = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let refused: Vec<_> = records
        .filter(|record| record["message"] == "Request refused.")
        .collect();
    let codes: Vec<_> = refused.iter().map(|record| &record["code"]).collect();
    assert_eq!(codes, ["unauthenticated", "bad_json", "not_found"]);
    assert_eq!(refused[0]["path"], "/integration/webhook");
    assert_eq!(refused[0]["reason"], "`x-knock` does not match");
    assert_eq!(refused[0]["level"], "WARN");
    assert_eq!(
        refused[0]["request_id"],
        answer.header("x-request-id").unwrap()
    );
    assert!(
        refused[0]["remote"]
            .as_str()
            .unwrap()
            .starts_with("127.0.0.1:")
    );
    assert_eq!(refused[2]["path"], "/integration/webhok");

    let before = refused.len();
    for _ in 0..100 {
        assert_eq!(door.post("/integration/flood", &right, "{}").status, 404);
    }
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines = text.matches("Request refused.").count() - before;
    assert!((4..100).contains(&lines), "{lines} lines of 100 refusals");
}
