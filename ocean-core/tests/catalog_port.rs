//! The Port catalog against a stand-in of Port that fails at every call on command.

use std::time::Duration;

use ocean_core::catalog::{
    Catalog, CatalogError, ChangeSet, Entity, EntityKey, Identifier, PortOptions, WriteOptions,
};
use serde_json::json;

mod catalog_support;
#[path = "../src/http/loopback.rs"]
mod loopback;

use catalog_support::{At, FakePort, Fault, deletes, entity, key, upserts, words};
use loopback::Reply;

// === Upserts ===

#[tokio::test]
async fn an_upsert_is_one_bulk_call_as_upstream_makes_it() {
    let port = FakePort::start().await;
    let catalog = port.catalog();
    assert_eq!(
        words(&catalog.upsert(&["a", "b"]).await),
        ["created", "created"]
    );
    let call = port.last(At::Bulk);
    assert_eq!(
        call.target,
        "/v1/blueprints/issue/entities/bulk?upsert=true&merge=true\
         &create_missing_related_entities=true&validation_only=false\
         &ocean_info_event_type=http_request"
    );
    let agent = Some("port-ocean/jira/0.1.0/my-jira/exporter");
    assert_eq!(call.header("user-agent"), agent);
    let expected = upserts(&["a", "b"]).upserts;
    let expected = expected
        .iter()
        .map(|entity| std::str::from_utf8(&entity.json).unwrap());
    let expected = expected.collect::<Vec<_>>().join(",");
    assert_eq!(
        call.body,
        format!("{{\"entities\":[{expected}]}}").as_bytes()
    );
    assert_eq!(words(&catalog.upsert(&["b"]).await), ["updated"]);
    assert_eq!(port.count(At::Token), 1);
}

#[tokio::test]
async fn each_entity_of_a_partial_answer_has_its_own_fate() {
    let port = FakePort::start().await;
    let catalog = port.catalog();
    let fates = catalog.upsert(&["a", "bad", "c"]).await;
    assert_eq!(words(&fates), ["created", "permanent", "created"]);
    let message = fates[1].as_ref().unwrap_err().to_string();
    assert_eq!(message, "Port refuses the entity (422): invalid: no");
}

#[tokio::test]
async fn classes_of_refused_entities() {
    let answer = json!({"ok": false, "entities": [{"index": 0, "created": false}], "errors": [
        {"index": 1, "statusCode": 503, "identifier": "b"},
        {"index": 2, "statusCode": 429, "identifier": "c"},
        {"index": 3, "statusCode": 404, "identifier": "d", "error": "not_found"},
        {"index": 4, "statusCode": 409, "identifier": "e"},
    ]});
    let port = FakePort::start().await;
    port.fail(At::Bulk, [Fault::Instead(Reply::json(207, &answer))]);
    let fates = port.catalog().upsert(&["a", "b", "c", "d", "e", "f"]).await;
    assert_eq!(
        words(&fates),
        ["updated", "retry", "retry", "permanent", "retry", "retry"],
        "the last one is not mentioned"
    );
}

#[tokio::test]
async fn a_search_identifier_without_result_is_skipped() {
    let port = FakePort::start().await;
    let search = json!({"combinator": "and", "rules": []}).to_string();
    let changes = ChangeSet {
        upserts: vec![Entity {
            key: EntityKey {
                blueprint: "issue".into(),
                identifier: Identifier::Json(search.as_str().into()),
            },
            json: format!("{{\"identifier\":{search},\"blueprint\":\"issue\"}}").into(),
        }],
        ..ChangeSet::default()
    };
    let answer = json!({"errors": [{"index": 0, "identifier": "unknown", "statusCode": 404}]});
    port.fail(At::Bulk, [Fault::Instead(Reply::json(207, &answer))]);
    assert_eq!(words(&port.catalog().apply(changes).await), ["skipped"]);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_sent_entity_by_entity() {
    let port = FakePort::start().await;
    port.fail_with_status(At::Bulk, &[413, 413]);
    let catalog = port.catalog();
    let fates = catalog.upsert(&["a", "bad", "c"]).await;
    assert_eq!(words(&fates), ["created", "permanent", "created"]);
    assert_eq!(port.count(At::Single), 3);
    port.fail_with_status(At::Single, &[413]);
    assert_eq!(words(&catalog.upsert(&["d"]).await), ["permanent"]);
}

#[tokio::test]
async fn one_bad_entity_does_not_take_others_down() {
    let port = FakePort::start().await;
    port.fail_with_status(At::Bulk, &[422, 400]);
    let catalog = port.catalog();
    let fates = catalog.upsert(&["a", "bad"]).await;
    assert_eq!(words(&fates), ["created", "permanent"]);
    assert_eq!(
        words(&catalog.upsert(&["d"]).await),
        ["permanent"],
        "alone it is the bad one"
    );
    assert_eq!(port.count(At::Single), 2);
}

#[tokio::test]
async fn a_missing_blueprint_is_asked_for_once() {
    let port = FakePort::start().await;
    port.fail_with_status(At::Bulk, &[404]);
    let fates = port.catalog().upsert(&["a", "b"]).await;
    assert_eq!(words(&fates), ["permanent", "permanent"]);
    assert_eq!(port.count(At::Single), 0);
}

#[tokio::test]
async fn a_relation_that_port_does_not_create_is_waited_for() {
    let port = FakePort::start().await;
    let catalog = port.catalog();
    let wire = json!({"identifier": "a", "blueprint": "issue", "relations": {"project": "p"}});
    let changes = |creates| ChangeSet {
        upserts: vec![Entity {
            key: key("issue", "a"),
            json: wire.to_string().into(),
        }],
        options: WriteOptions {
            create_missing_related_entities: creates,
            ..WriteOptions::default()
        },
        ..ChangeSet::default()
    };
    assert_eq!(words(&catalog.apply(changes(false)).await), ["retry"]);
    port.fail_with_status(At::Bulk, &[413]);
    assert_eq!(
        words(&catalog.apply(changes(false)).await),
        ["retry"],
        "alone, too"
    );
    port.put("project", "p", "", json!({}));
    assert_eq!(words(&catalog.apply(changes(false)).await), ["created"]);
    assert_eq!(words(&catalog.apply(changes(true)).await), ["updated"]);
}

// === Faults ===

/// Each fault at each call of a write passes without the caller noticing.
#[tokio::test]
async fn passing_faults_are_repeated_in_place() {
    let faults = [429, 500, 502, 503, 504, 408]
        .map(|status| Fault::Instead(Reply::status(status).header("retry-after", 0)));
    let broken = [
        Fault::Instead(Reply::Reset),
        Fault::Lost,
        Fault::Slow(Duration::from_millis(5)),
        Fault::Instead(Reply::status(429).header("x-ratelimit-reset", 0)),
    ];
    for fault in faults.into_iter().chain(broken) {
        for at in [At::Token, At::Bulk, At::Search, At::Delete] {
            let port = FakePort::start().await;
            port.put("issue", "gone", &FakePort::ours(), json!({}));
            port.fail(at, [fault.clone()]);
            let changes = ChangeSet {
                upserts: upserts(&["a", "b"]).upserts,
                deletes: deletes(&["gone"]).deletes,
                ..ChangeSet::default()
            };
            let fates = port.catalog().apply(changes).await;
            let words = words(&fates);
            assert!(
                !words.contains(&"permanent".to_owned()),
                "{fault:?} at {at:?}: {fates:?}"
            );
            // A delete whose answer was lost is repeated, and Port does not name it again.
            if !(matches!(fault, Fault::Lost) && at == At::Delete) {
                assert!(
                    fates.iter().all(Result::is_ok),
                    "{fault:?} at {at:?}: {fates:?}"
                );
            }
            assert_eq!(port.keys(), ["issue/a", "issue/b"], "{fault:?} at {at:?}");
        }
    }
}

async fn check_class(at: At, faults: Vec<Fault>, expected: &str) -> CatalogError {
    let port = FakePort::start().await;
    port.fail(at, faults.clone());
    let mut fates = port.catalog().upsert(&["a"]).await;
    assert_eq!(words(&fates), [expected], "{faults:?} at {at:?}: {fates:?}");
    fates.remove(0).expect_err("the class is an error's")
}

#[tokio::test]
async fn lasting_faults_have_a_class() {
    let status = |status| vec![Fault::Instead(Reply::status(status)); 4];
    check_class(At::Bulk, status(500), "retry").await;
    check_class(At::Bulk, status(503), "retry").await;
    check_class(At::Bulk, status(400), "permanent").await;
    check_class(At::Bulk, status(401), "unavailable").await;
    check_class(At::Bulk, status(403), "unavailable").await;
    check_class(At::Bulk, vec![Fault::Instead(Reply::Hang)], "retry").await;
    check_class(At::Bulk, vec![Fault::Instead(Reply::Reset); 4], "retry").await;
    let garbled = Reply::Answer {
        status: 200,
        headers: Vec::new(),
        body: b"<html>".to_vec(),
    };
    check_class(At::Bulk, vec![Fault::Instead(garbled.clone())], "retry").await;
    check_class(At::Token, status(401), "unavailable").await;
    check_class(At::Token, vec![Fault::Instead(garbled)], "unavailable").await;
    check_class(At::Token, status(500), "retry").await;

    let limited = vec![Fault::Instead(Reply::status(429).header("retry-after", 77))];
    let error = check_class(At::Bulk, limited, "retry").await;
    assert!(
        matches!(error, CatalogError::Retry { after: Some(after), .. } if after.as_secs() == 77),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_loss_of_rights_holds_events_back_instead_of_refusing_them() {
    // A 401 is met twice: the token is replaced in between.
    for statuses in [&[401, 401][..], &[403]] {
        let port = FakePort::start().await;
        let catalog = port.catalog();
        port.put("issue", "b", &FakePort::ours(), json!({}));
        port.fail_with_status(At::Bulk, statuses);
        port.fail_with_status(At::Delete, statuses);
        for fates in [catalog.upsert(&["a"]).await, catalog.delete(&["b"]).await] {
            let [Err(CatalogError::Unavailable { after, .. })] = &fates[..] else {
                panic!("{statuses:?}: {fates:?}");
            };
            assert_eq!(after.as_secs(), 30);
        }
        let trouble = catalog.catalog.trouble().unwrap();
        assert!(trouble.contains("check the rights"), "{trouble}");
        assert!(trouble.contains(&statuses[0].to_string()), "{trouble}");
        assert_eq!(words(&catalog.upsert(&["a"]).await), ["created"]);
        assert_eq!(catalog.catalog.trouble(), None, "a call passed");
    }
}

#[tokio::test]
async fn a_catalog_that_is_not_there_is_unavailable_and_shows_it() {
    let port = FakePort::start().await;
    let options = port.options();
    drop(port);
    let other = FakePort::start().await;
    let options = PortOptions {
        // A port that nobody listens on any more.
        base_url: options.base_url,
        ..other.options()
    };
    let catalog = other.catalog_with(options);
    assert_eq!(catalog.catalog.trouble(), None);
    for _ in 0..3 {
        assert_eq!(words(&catalog.upsert(&["a"]).await), ["unavailable"]);
    }
    let trouble = catalog.catalog.trouble().unwrap();
    assert!(trouble.starts_with("Port is out of reach"), "{trouble}");
    assert!(!trouble.contains("secret"), "{trouble}");
}

#[tokio::test]
async fn the_breaker_stops_calls_and_one_probe_ends_the_outage() {
    let port = FakePort::start().await;
    let catalog = port.catalog();
    port.fail_with_status(At::Bulk, &[503; 5]);
    assert_eq!(
        words(&catalog.upsert(&["a"]).await),
        ["retry"],
        "four sends"
    );
    let fates = catalog.upsert(&["a"]).await;
    assert_eq!(
        words(&fates),
        ["unavailable"],
        "the fifth opens the breaker"
    );
    let sends = port.count(At::Bulk);
    assert_eq!(words(&catalog.upsert(&["b"]).await), ["unavailable"]);
    assert_eq!(
        port.count(At::Bulk),
        sends,
        "nothing is sent while it is open"
    );
    let Err(CatalogError::Unavailable { after, .. }) = &fates[0] else {
        panic!("{fates:?}");
    };
    tokio::time::sleep(*after).await;
    assert_eq!(words(&catalog.upsert(&["a"]).await), ["created"]);
    assert_eq!(catalog.catalog.trouble(), None);
}

#[tokio::test]
async fn an_exhausted_rate_limit_holds_writes_back_before_port_refuses_them() {
    let port = FakePort::start().await;
    let catalog = port.catalog();
    let answer = json!({"ok": true, "entities": [{"index": 0, "created": true}]});
    let last = Reply::json(200, &answer)
        .header("x-ratelimit-limit", 100)
        .header("x-ratelimit-remaining", 0)
        .header("x-ratelimit-reset", 120);
    port.fail(At::Bulk, [Fault::Instead(last)]);
    assert_eq!(words(&catalog.upsert(&["a"]).await), ["created"]);
    let fates = catalog.upsert(&["b"]).await;
    let Err(CatalogError::Unavailable { after, .. }) = &fates[0] else {
        panic!("{fates:?}");
    };
    assert!((115..=120).contains(&after.as_secs()), "{after:?}");
    assert_eq!(port.count(At::Bulk), 1);
    let trouble = catalog.catalog.trouble().unwrap();
    assert!(trouble.contains("rate limit for bulk upserts"), "{trouble}");
}

#[tokio::test]
async fn an_expired_token_is_replaced_once_for_all() {
    let port = FakePort::start().await;
    let catalog = port.catalog();
    catalog.upsert(&["warm"]).await;
    port.world().tokens += 1; // The token handed out is no longer the valid one.
    let events: Vec<_> = (0..200).map(|id| format!("i{id}")).collect();
    let applied = events.iter().map(|id| catalog.apply(upserts(&[id])));
    let fates = futures_util::future::join_all(applied).await.concat();
    assert!(fates.iter().all(Result::is_ok), "{fates:?}");
    assert_eq!(port.count(At::Token), 2);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let port = FakePort::start().await;
    port.world().expires_in = 1;
    let catalog = port.catalog();
    catalog.upsert(&["a"]).await;
    tokio::time::sleep(Duration::from_millis(920)).await;
    catalog.upsert(&["b"]).await;
    assert_eq!(port.count(At::Token), 2);
    assert_eq!(port.count(At::Bulk), 2, "no write was refused");
}

// === Deletes ===

#[tokio::test]
async fn only_what_is_ours_is_deleted_in_one_search_and_one_call() {
    let port = FakePort::start().await;
    for id in ["a", "b"] {
        port.put("issue", id, &FakePort::ours(), json!({}));
    }
    port.put(
        "issue",
        "theirs",
        "port-ocean/jira/1/other-jira/exporter",
        json!({}),
    );
    port.put("issue", "manual", "", json!({}));
    let fates = port
        .catalog()
        .delete(&["a", "theirs", "gone", "b", "manual"])
        .await;
    assert_eq!(
        words(&fates),
        ["deleted", "absent", "absent", "deleted", "absent"]
    );
    assert_eq!(port.keys(), ["issue/manual", "issue/theirs"]);
    assert_eq!((port.count(At::Search), port.count(At::Delete)), (1, 1));
    let call = port.last(At::Delete);
    assert!(
        call.target.contains("?delete_dependents=true&"),
        "{}",
        call.target
    );
}

#[tokio::test]
async fn one_delete_is_asked_for_as_upstream_does() {
    let port = FakePort::start().await;
    port.put("issue", "OPS-7", &FakePort::ours(), json!({}));
    assert_eq!(words(&port.catalog().delete(&["OPS-7"]).await), ["deleted"]);
    let call = port.last(At::Search);
    assert_eq!(
        call.target,
        "/v1/entities/search?exclude_calculated_properties=true&include=blueprint\
         &include=identifier"
    );
    let expected = json!({"combinator": "and", "rules": [
        {"property": "$identifier", "operator": "=", "value": "OPS-7"},
        {"property": "$blueprint", "operator": "=", "value": "issue"},
        {"property": "$datasource", "operator": "contains", "value": "port-ocean/jira/"},
        {"property": "$datasource", "operator": "contains", "value": "/my-jira/exporter"},
    ]});
    assert_eq!(call.json(), expected);
    assert_eq!(port.last(At::Delete).json(), json!({"entities": ["OPS-7"]}));
}

#[tokio::test]
async fn deletes_of_many_events_share_calls() {
    let port = FakePort::start().await;
    let ids: Vec<_> = (0..250).map(|id| format!("i{id}")).collect();
    for id in &ids {
        port.put("issue", id, &FakePort::ours(), json!({}));
    }
    let catalog = port.catalog();
    let applied = ids.iter().map(|id| catalog.apply(deletes(&[id])));
    let fates = futures_util::future::join_all(applied).await.concat();
    assert!(
        words(&fates).iter().all(|word| word == "deleted"),
        "{fates:?}"
    );
    assert!(
        port.count(At::Delete) <= 4,
        "{} calls",
        port.count(At::Delete)
    );
    assert!(port.count(At::Search) <= 4);
}

#[tokio::test]
async fn dependents_go_first_when_they_are_not_taken_along() {
    let port = FakePort::start().await;
    port.put("project", "p", &FakePort::ours(), json!({}));
    port.put("issue", "i", &FakePort::ours(), json!({"project": "p"}));
    port.put(
        "issue",
        "j",
        &FakePort::ours(),
        json!({"parent": "i", "project": "p"}),
    );
    port.put("project", "needed", &FakePort::ours(), json!({}));
    port.put("issue", "k", "somebody else", json!({"project": "needed"}));
    let changes = ChangeSet {
        deletes: vec![
            key("project", "p"),
            key("project", "needed"),
            key("issue", "i"),
            key("issue", "j"),
        ],
        options: WriteOptions {
            delete_dependents: false,
            ..WriteOptions::default()
        },
        ..ChangeSet::default()
    };
    let fates = port.catalog().apply(changes).await;
    assert_eq!(words(&fates), ["deleted", "retry", "deleted", "deleted"]);
    assert_eq!(
        port.world().writes,
        ["- issue/j", "- issue/i", "- project/p"]
    );
}

#[tokio::test]
async fn identifiers_that_are_not_text() {
    let port = FakePort::start().await;
    port.put("issue", "a", &FakePort::ours(), json!({}));
    let search = json!({"combinator": "and", "rules": [
        {"property": "$identifier", "operator": "=", "value": "a"},
    ]});
    let key = |text: &str| EntityKey {
        blueprint: "issue".into(),
        identifier: Identifier::Json(text.into()),
    };
    let changes = ChangeSet {
        deletes: vec![key("7"), key(&search.to_string())],
        ..ChangeSet::default()
    };
    let fates = port.catalog().apply(changes).await;
    assert_eq!(words(&fates), ["permanent", "deleted"]);
}

#[tokio::test]
async fn one_search_that_port_refuses_does_not_keep_the_others_alive() {
    let port = FakePort::start().await;
    for id in ["a", "b"] {
        port.put("issue", id, &FakePort::ours(), json!({}));
    }
    port.fail_with_status(At::Search, &[422, 422]);
    let mut fates = words(&port.catalog().delete(&["a", "b"]).await);
    fates.sort();
    assert_eq!(fates, ["deleted", "permanent"]);
}

// === Many events ===

#[tokio::test]
async fn a_thousand_events_cost_at_most_sixty_calls() {
    let port = FakePort::start().await;
    let catalog = port.catalog();
    let ids: Vec<_> = (0..1000).map(|id| format!("i{id}")).collect();
    let applied = ids.iter().map(|id| catalog.apply(upserts(&[id])));
    let fates = futures_util::future::join_all(applied).await.concat();
    assert!(words(&fates).iter().all(|word| word == "created"));
    let calls = port.server.calls().len();
    assert!(calls <= 60, "{calls} calls");
}

/// Lanes of events, each repeated until it succeeds as dispatch does, against a Port that fails at
/// every third call: nothing is lost, nothing goes backwards.
#[tokio::test]
async fn under_chaos_every_entity_ends_in_its_last_state() {
    let port = FakePort::start().await;
    let mut options = port.options();
    options.http.timeout = Duration::from_millis(100);
    let catalog = port.catalog_with(options);
    port.chaos(Some(|| {
        let reply = |status| Some(Fault::Instead(Reply::status(status)));
        match fastrand::u8(0..24) {
            0 => reply(500),
            1 => Some(Fault::Instead(Reply::status(429).header("retry-after", 0))),
            2 => Some(Fault::Lost),
            3 => Some(Fault::Instead(Reply::Reset)),
            4 => Some(Fault::Slow(Duration::from_millis(20))),
            5 => Some(Fault::Slow(Duration::from_millis(150))),
            6 => reply(413),
            7 => reply(401),
            _ => None,
        }
    }));
    const LANES: usize = 12;
    const EVENTS: i64 = 15;
    let lane = |lane: usize| {
        let catalog = &catalog;
        async move {
            let id = format!("e{lane}");
            for value in 1..=EVENTS {
                let ends_in_delete = lane.is_multiple_of(3) && value == EVENTS;
                let changes = || match ends_in_delete {
                    true => deletes(&[&id]),
                    false => ChangeSet {
                        upserts: vec![entity("issue", &id, value)],
                        ..ChangeSet::default()
                    },
                };
                loop {
                    match &catalog.apply(changes()).await[..] {
                        [Ok(_)] => break,
                        [Err(CatalogError::Unavailable { after, .. })] => {
                            tokio::time::sleep((*after).min(Duration::from_millis(600))).await;
                        }
                        [Err(_)] => {}
                        other => panic!("{other:?}"),
                    }
                }
            }
        }
    };
    futures_util::future::join_all((0..LANES).map(lane)).await;
    let world = port.world();
    for lane in 0..LANES {
        let key = ("issue".to_owned(), format!("e{lane}"));
        let state = world.entities.get(&key);
        let expected = (!lane.is_multiple_of(3)).then_some(json!(EVENTS));
        assert_eq!(
            state.map(|(wire, _)| wire["properties"]["v"].clone()),
            expected,
            "e{lane}"
        );
        let history = &world.history[&format!("issue/e{lane}")];
        assert!(history.is_sorted(), "e{lane}: {history:?}");
    }
}
