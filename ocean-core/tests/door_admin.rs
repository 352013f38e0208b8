//! The admin listener over real TCP, on the memory queue.

#![allow(clippy::unwrap_used, reason = "it is a test")]

mod door_support;

use std::{net::SocketAddr, sync::Arc};

use door_support::{Answer, Client};
use expect_test::expect;
use ocean_core::{
    BoxFuture, Clock, EventId, EventParts, Headers, Lane, LaneEntry, Lanes, StateMap, WebhookEvent,
    admin::{self, AdminParts},
    catalog::{CatalogError, EntityBrowser},
    ingress::Check,
    mapping::{Mapping, MappingHandle, MappingOptions},
    prelude::*,
    processor::Registry,
    queue::{
        Attempt, Change, Feed, NewEvent, Queue, RunState, Story,
        memory::{MemoryOptions, MemoryQueue},
    },
    source::Source,
    supervisor::Supervisor,
};
use serde_json::{Value, json};

/// Keeps issues in step.
#[webhook_processor(path = "/webhook", kinds = ["issue"], event_prefix = "issue_", key = "/id")]
async fn issue(event: &WebhookEvent) -> Result<Option<Raw>, ProcessorError> {
    Ok(Some(Raw::parse(event.body().clone())?))
}

#[derive(Debug)]
struct Things;

impl EntityBrowser for Things {
    fn list<'a>(
        &'a self,
        blueprint: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Value>, CatalogError>> {
        let all = [("a", "1"), ("a", "2 / 3"), ("b", "1")];
        let fitting = all
            .into_iter()
            .filter(move |(of, _)| blueprint.is_none_or(|blueprint| blueprint == *of));
        let entities = fitting.map(|(of, id)| json!({"blueprint": of, "identifier": id}));
        Box::pin(std::future::ready(Ok(entities.take(limit).collect())))
    }

    fn get<'a>(
        &'a self,
        blueprint: &'a str,
        identifier: &'a str,
    ) -> BoxFuture<'a, Result<Option<Value>, CatalogError>> {
        Box::pin(async move {
            let all = self.list(Some(blueprint), usize::MAX).await?;
            Ok(all
                .into_iter()
                .find(|entity| entity["identifier"] == identifier))
        })
    }
}

struct Admin {
    address: SocketAddr,
    queue: Arc<MemoryQueue>,
    mapping: MappingHandle,
    _feed: Feed,
    _supervisor: Supervisor,
}

impl Admin {
    fn open(token: Option<&str>, browser: Option<Arc<dyn EntityBrowser>>) -> Self {
        let (queue, feed) = MemoryQueue::new(MemoryOptions::default());
        let queue = Arc::new(queue);
        let registry = Registry::build(
            Registry::discover(),
            &[Source::new("/webhook")],
            &["issue".to_owned()],
            &StateMap::new(),
        );
        let mapping = MappingHandle::default();
        let parts = AdminParts {
            listen: "127.0.0.1:0".parse().unwrap(),
            token: token.map(str::to_owned),
            queue: queue.clone(),
            registry: Arc::new(registry.unwrap()),
            mapping: mapping.clone(),
            browser,
            checks: vec![
                Check::new("mapping", || Ok(())),
                Check::degrading("catalog", || Err("it is away".to_owned())),
            ],
            clock: Clock::system(),
        };
        let supervisor = Supervisor::default();
        let address = admin::serve(parts, &supervisor).unwrap();
        Self {
            address,
            queue,
            mapping,
            _feed: feed,
            _supervisor: supervisor,
        }
    }

    async fn accept(&self, name: &str, delivery: &str) -> EventId {
        let event = WebhookEvent::new(EventParts {
            name: Some(name.into()),
            delivery: Some(delivery.into()),
            headers: Headers::new([("x-event", name), ("authorization", "Bearer s3cret")])
                .without_secrets(),
            body: r#"{"id": "<b>7</b>"}"#.into(),
            ..EventParts::default()
        });
        let lanes = Lanes::from_iter([LaneEntry {
            lane: Lane::new(7),
            coalesce: None,
        }]);
        let new = NewEvent::new(event, lanes);
        let receipts = self.queue.accept(vec![new]).await.unwrap();
        match receipts[0] {
            ocean_core::queue::Receipt::Stored(id) => id,
            ref other => panic!("{other:?}"),
        }
    }

    async fn bury(&self, id: EventId) {
        let mut story = Story::default();
        let run = story.run_mut("issue", Some("issue-0"));
        run.state = RunState::Dead;
        run.attempts.push(Attempt {
            error: vec!["jira answered 404".into()],
            ..attempt()
        });
        let reason = "jira answered 404".to_owned();
        self.queue.record(id, Change::Dead { reason, story });
        self.queue.flushed().await;
    }

    fn call(&self, method: &str, path: &str, headers: &str) -> Answer {
        let mut client = Client::connect(self.address);
        client.write(format!(
            "{method} {path} HTTP/1.1\r\n{headers}content-length: 0\r\n\r\n"
        ));
        client.read()
    }

    fn get(&self, path: &str) -> Answer {
        self.call("GET", path, "host: localhost:8001\r\n")
    }

    fn post(&self, path: &str) -> Answer {
        self.call("POST", path, "host: localhost:8001\r\nX-Ocean-Admin: 1\r\n")
    }
}

fn attempt() -> Attempt {
    serde_json::from_value(json!({"at": "2026-01-02T03:04:05Z", "took_ms": 12})).unwrap()
}

fn ids(answer: &Answer) -> Vec<String> {
    let json = answer.json();
    let events = json["events"]
        .as_array()
        .unwrap_or_else(|| panic!("{answer:?}"));
    let id = |event: &Value| event["id"].as_str().unwrap().to_owned();
    events.iter().map(id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn events_are_listed_newest_first_filtered_and_in_pages() {
    let admin = Admin::open(None, None);
    let first = admin.accept("issue_created", "d1").await.to_string();
    let second = admin.accept("issue_updated", "d2").await;
    let third = admin.accept("issue_updated", "d3").await.to_string();
    admin.bury(second).await;
    let second = second.to_string();
    assert_eq!(ids(&admin.get("/api/events")), [&*third, &second, &first]);
    assert_eq!(ids(&admin.get("/api/events?state=dead")), [&*second]);
    assert_eq!(ids(&admin.get("/api/events?state=dead,pending")).len(), 3);
    assert_eq!(ids(&admin.get("/api/dead")), [&*second]);
    assert_eq!(
        ids(&admin.get("/api/events?name=issue_created&path=")),
        [&*first]
    );
    assert_eq!(ids(&admin.get("/api/events?path=/other")).len(), 0);
    let page = admin.get("/api/events?limit=2");
    assert_eq!(ids(&page), [&*third, &second]);
    assert_eq!(page.json()["next"], second);
    let page = admin.get(&format!("/api/events?limit=2&before={second}"));
    assert_eq!(
        (ids(&page), &page.json()["next"]),
        (vec![first], &json!(null))
    );
    for (query, message) in [
        ("state=deaf", "there is no state `deaf`"),
        ("limit=0", "`limit` is a number from 1 to 1000"),
        ("limit=1001", "`limit` is a number from 1 to 1000"),
        ("before=x", "`x` is not the id of an event"),
    ] {
        let answer = admin.get(&format!("/api/events?{query}"));
        assert_eq!(answer.json()["message"], message);
        assert_eq!(
            (answer.status, answer.json()["error"].clone()),
            (400, json!("bad_request"))
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_event_is_told_in_full() {
    let admin = Admin::open(None, None);
    let id = admin.accept("issue_created", "d 1/2").await;
    admin.bury(id).await;
    let by_id = admin.get(&format!("/api/events/{id}"));
    let by_delivery = admin.get("/api/events/d%201%2F2");
    assert_eq!(by_id.json(), by_delivery.json());
    let event = by_id.json();
    assert_eq!(event["state"], "dead");
    assert_eq!(event["reason"], "jira answered 404");
    assert_eq!(event["headers"], json!([["x-event", "issue_created"]]));
    assert_eq!(event["body"], r#"{"id": "<b>7</b>"}"#);
    let run = &event["story"]["runs"][0];
    assert_eq!(run["attempts"][0]["error"], json!(["jira answered 404"]));
    let unknown = admin.get("/api/events/12345");
    expect![[r#"404 {"status":"error","error":"not_found","message":"there is no such event"}"#]]
        .assert_eq(&unknown.line());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn dead_letters_are_replayed_and_discarded() {
    let admin = Admin::open(None, None);
    let replayed = admin.accept("issue_created", "d1").await;
    let discarded = admin.accept("issue_created", "d2").await;
    let pending = admin.accept("issue_created", "d3").await;
    admin.bury(replayed).await;
    admin.bury(discarded).await;

    let answer = admin.post(&format!("/api/dead/{replayed}/replay"));
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (200, &json!("replayed"))
    );
    let replay = answer.json()["replay"].as_str().unwrap().to_owned();
    let event = admin.get(&format!("/api/events/{replay}")).json();
    assert_eq!(event["replay_of"], replayed.to_string());
    assert_eq!(event["state"], "pending");

    let answer = admin.post(&format!("/api/dead/{discarded}/discard"));
    assert_eq!(
        answer.json(),
        json!({"status": "discarded", "id": discarded.to_string()})
    );
    let event = admin.get(&format!("/api/events/{discarded}")).json();
    assert_eq!(event["state"], "discarded");
    assert_eq!(ids(&admin.get("/api/dead")).len(), 0);

    for (path, status, message) in [
        (
            format!("dead/{pending}/replay"),
            409,
            "it is not a dead letter",
        ),
        (
            format!("dead/{pending}/discard"),
            409,
            "it is not a dead letter",
        ),
        (
            format!("events/{pending}/replay"),
            409,
            "it is still pending",
        ),
        (
            "dead/12345/replay".to_owned(),
            404,
            "there is no such event",
        ),
        (
            "dead/x/replay".to_owned(),
            400,
            "`x` is not the id of an event",
        ),
    ] {
        let answer = admin.post(&format!("/api/{path}"));
        assert_eq!(
            (answer.status, answer.json()["message"].clone()),
            (status, json!(message)),
            "{path}"
        );
    }
    let again = admin.post(&format!("/api/events/{discarded}/replay"));
    assert_eq!(again.status, 200, "any finished event can run again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn other_web_pages_can_do_nothing() {
    let admin = Admin::open(None, None);
    let id = admin.accept("issue_created", "d1").await;
    admin.bury(id).await;
    let path = format!("/api/dead/{id}/discard");
    let forged = admin.call(
        "POST",
        &path,
        "host: localhost:8001\r\norigin: https://evil.example\r\n",
    );
    expect![[r#"403 {"status":"error","error":"missing_header","message":"send the header `x-ocean-admin`, with any value"}"#]].assert_eq(&forged.line());
    let rebound = admin.call("GET", "/api/events", "host: evil.example:8001\r\n");
    expect![[r#"403 {"status":"error","error":"wrong_host","message":"the host is not a loopback name; use localhost, or set OCEAN__ADMIN__TOKEN"}"#]].assert_eq(&rebound.line());
    let preflight = admin.call(
        "OPTIONS",
        &path,
        "host: localhost:8001\r\nx-ocean-admin: 1\r\n",
    );
    assert_eq!(preflight.status, 405);
    assert_eq!(preflight.header("access-control-allow-origin"), None);
    assert_eq!(admin.get(&path).status, 405);
    assert_eq!(admin.post("/api/events").status, 405);
    assert_eq!(ids(&admin.get("/api/dead")).len(), 1, "it is still there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_token_is_needed_where_one_is_set() {
    let admin = Admin::open(Some("t0ken"), None);
    for headers in [
        "host: localhost\r\n",
        "host: x\r\nauthorization: Bearer t0ke\r\n",
        "host: x\r\nauthorization: t0ken\r\n",
    ] {
        let answer = admin.call("GET", "/api/status", headers);
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (401, Some("Bearer"))
        );
        assert_eq!(answer.json()["error"], "unauthenticated");
    }
    let bearer = "host: ocean.example\r\nauthorization: Bearer t0ken\r\n";
    assert_eq!(admin.call("GET", "/api/status", bearer).status, 200);
    assert_eq!(
        admin.call("POST", "/api/dead/1/discard", bearer).status,
        403
    );
    assert_eq!(
        admin.call("GET", "/", "host: x\r\n").status,
        200,
        "the page asks for it"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_page_is_self_contained_and_shut_off() {
    let admin = Admin::open(None, None);
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
    ] {
        let answer = admin.get(path);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some(content_type))
        );
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{policy}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        let text = answer.text.replace("http://www.w3.org/2000/svg", "");
        assert!(
            !text.contains("http://") && !text.contains("https://"),
            "nothing from elsewhere"
        );
        assert!(!text.contains("innerHTML"), "text never becomes markup");
    }
    assert_eq!(admin.get("/nowhere").status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn entities_where_the_catalog_is_local() {
    let admin = Admin::open(None, Some(Arc::new(Things)));
    let count = |path: &str| admin.get(path).json()["entities"].as_array().unwrap().len();
    assert_eq!(count("/api/entities"), 3);
    assert_eq!(count("/api/entities?blueprint=a"), 2);
    assert_eq!(count("/api/entities?limit=1"), 1);
    let entity = admin.get("/api/entities/a/2%20%2F%203");
    assert_eq!(
        entity.json(),
        json!({"blueprint": "a", "identifier": "2 / 3"})
    );
    assert_eq!(admin.get("/api/entities/a/4").status, 404);
    let admin = Admin::open(None, None);
    let answer = admin.get("/api/entities");
    assert_eq!(
        (answer.status, answer.json()["error"].clone()),
        (501, json!("not_available"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn status_and_processors() {
    let admin = Admin::open(None, None);
    let id = admin.accept("issue_created", "d1").await;
    admin.accept("issue_created", "d2").await;
    admin.bury(id).await;
    let status = admin.get("/api/status").json();
    assert_eq!(status["queue"]["pending"], 1);
    assert_eq!(status["queue"]["dead"], 1);
    assert_eq!(status["queue"]["refusing"], json!(null));
    assert!(status["uptime_seconds"].is_u64());
    assert_eq!(
        status["troubles"],
        json!([{"dependency": "catalog", "reason": "it is away"}])
    );
    let processors = admin.get("/api/processors").json();
    let issue = &processors["processors"][0];
    assert_eq!(issue["name"], "issue");
    assert_eq!(issue["docs"], "Keeps issues in step.");
    assert_eq!(issue["key"], json!(["/id"]));
    assert!(
        issue["location"]
            .as_str()
            .unwrap()
            .contains("door_admin.rs:"),
        "{issue}"
    );
    assert_eq!(admin.get("/api/nothing").status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_mapping_in_use_and_its_problems() {
    let admin = Admin::open(None, None);
    let none = admin.get("/api/mapping").json();
    assert_eq!(
        (&none["loaded_at"], &none["resources"]),
        (&json!(null), &json!([]))
    );
    let resource = |identifier: &str| {
        let mappings = json!({"identifier": identifier, "blueprint": "\"issue\""});
        json!({"kind": "issue", "selector": {"query": "true"},
            "port": {"entity": {"mappings": mappings}}})
    };
    let config = json!({"resources": [resource(".key"), resource(".key |")]});
    let options = MappingOptions {
        kinds: vec!["issue".to_owned()],
        ..MappingOptions::default()
    };
    let mapping = Mapping::compile(&config, &options).unwrap();
    admin.mapping.set(Arc::new(mapping));
    let status = admin.get("/api/mapping").json();
    assert_eq!(
        status["resources"][1],
        json!({"index": 1, "kind": "issue", "query": "true"})
    );
    assert_eq!(status["problems"][0]["resource"], 1);
    assert_eq!(admin.get("/api/mapping/refresh").status, 405);
    assert_eq!(
        admin.post("/api/mapping/refresh").json(),
        json!({"status": "asked"})
    );
}
