//! The door on the embedded store: a 200 is a promise that is on disk.

#![allow(clippy::unwrap_used, reason = "it is a test")]

mod door_support;

use std::sync::Arc;

use door_support::{Client, JSON, TestRouter, post};
use ocean_core::{
    Clock,
    ingress::{self, IngressOptions, IngressParts},
    queue::{
        Filter, Journal as _, Queue as _,
        embedded::{self, EmbeddedOptions, Reader},
    },
    source::{Locator, Source, SourceSettings, check_sources},
    supervisor::Supervisor,
    telemetry::Telemetry,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn another_process_can_read_an_event_as_soon_as_its_sender_hears_200() {
    let folder = tempfile::tempdir().unwrap();
    let telemetry = Arc::new(Telemetry::default());
    let options = EmbeddedOptions::new(folder.path());
    let (queue, _feed) = embedded::open(options, telemetry.clone()).unwrap();
    let queue = Arc::new(queue);
    let settings = SourceSettings {
        config: &serde_json::Map::new(),
        allow_unverified: true,
    };
    let source = Source::new("/webhook")
        .arrays()
        .delivery(Locator::header("x-delivery"))
        .unverified("it is a test");
    let parts = IngressParts {
        sources: check_sources(vec![source], &settings).unwrap(),
        router: Arc::new(TestRouter),
        queue: queue.clone(),
        checks: Vec::new(),
        clock: Clock::system(),
        telemetry,
        options: IngressOptions {
            host: "127.0.0.1".to_owned(),
            port: 0,
            ..IngressOptions::default()
        },
    };
    let supervisor = Supervisor::default();
    let address = ingress::serve(parts, &supervisor).unwrap()[0];
    let send = |headers: &str, body: &str| {
        let mut client = Client::connect(address);
        client.write(post("/integration/webhook", headers, body));
        client.read().json()
    };
    let known = || {
        let reader = Reader::open(folder.path()).unwrap();
        let events = reader.list(&Filter::default()).unwrap();
        events
            .iter()
            .rev()
            .map(|event| event.id.to_string())
            .collect::<Vec<_>>()
    };

    let one = send(&format!("{JSON}x-delivery: d1\r\n"), r#"{"a": "ü"}"#);
    assert_eq!(known(), [one["id"].as_str().unwrap()]);
    let again = send(&format!("{JSON}x-delivery: d1\r\n"), r#"{"a": "ü"}"#);
    assert_eq!(
        (&again["status"], &again["id"]),
        (&"duplicate".into(), &one["id"])
    );
    let batch = send(JSON, "[{}, {}]");
    let ids: Vec<_> = batch["ids"].as_array().unwrap().iter().collect();
    assert_eq!(
        known()[1..],
        [ids[0].as_str().unwrap(), ids[1].as_str().unwrap()]
    );
    let reader = Reader::open(folder.path()).unwrap();
    let (_, stored) = reader.show("d1").unwrap().unwrap();
    assert_eq!(stored.event.body(), "{\"a\": \"ü\"}".as_bytes());

    queue.close().await;
    let refused = send(JSON, "{}");
    assert_eq!(refused["error"], "shutting_down");
}
