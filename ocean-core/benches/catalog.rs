//! What a write costs on this side of Port: the catalog against a stand-in in the same process
//! that answers at once.

use std::{hint::black_box, sync::Arc, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::{StreamExt as _, stream};
use ocean_core::{
    catalog::{
        Catalog, ChangeSet, Entity, EntityKey, Identifier, IntegrationName, PortCatalog,
        PortOptions,
    },
    supervisor::Supervisor,
};
use serde_json::json;
use tokio::runtime::Runtime;

#[path = "../src/http/loopback.rs"]
mod loopback;

use loopback::{Call, Loopback, Reply};

const EVENTS: u64 = 1000;

fn answer(call: &Call) -> Reply {
    if call.path().ends_with("/access_token") {
        return Reply::json(200, &json!({"accessToken": "t", "expiresIn": 10_800}));
    }
    let count = call.json()["entities"].as_array().map_or(0, Vec::len);
    let written: Vec<_> = (0..count)
        .map(|index| json!({"index": index, "created": false}))
        .collect();
    Reply::json(200, &json!({"ok": true, "entities": written}))
}

/// An entity of the size that the default mapping of Jira issues makes.
fn changes(event: u64) -> ChangeSet {
    let identifier = format!("OPS-{event}");
    let wire = json!({
        "identifier": identifier, "blueprint": "jiraIssue", "title": "x".repeat(60),
        "properties": {"status": "Done", "description": "x".repeat(400), "labels": ["a", "b"]},
        "relations": {"project": "OPS", "assignee": "5b10ac8d82e05b22cc7d4ef5", "subtasks": []},
    });
    ChangeSet {
        upserts: vec![Entity {
            key: EntityKey {
                blueprint: "jiraIssue".into(),
                identifier: Identifier::Text(identifier.into()),
            },
            json: wire.to_string().into(),
        }],
        ..ChangeSet::default()
    }
}

fn catalog(runtime: &Runtime, supervisor: &Supervisor) -> (Loopback, Arc<PortCatalog>) {
    runtime.block_on(async {
        let server = Loopback::start_forgetful(answer).await;
        let name = IntegrationName {
            kind: "jira".to_owned(),
            identifier: "bench".to_owned(),
            version: "0.1.0".to_owned(),
        };
        let url = server.url("").parse().expect("the server's URL is one");
        let options = PortOptions::new(url, "id", "secret", name);
        let catalog = PortCatalog::start(options, Arc::default(), supervisor)
            .expect("the options are complete");
        (server, catalog)
    })
}

fn writes(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime starts");
    let supervisor = Supervisor::default();
    let (_server, catalog) = catalog(&runtime, &supervisor);
    let mut group = criterion.benchmark_group("catalog");
    group.measurement_time(Duration::from_secs(5));
    for workers in [64, 256] {
        group.throughput(Throughput::Elements(EVENTS));
        group.bench_function(format!("1000 events, {workers} at a time"), |bencher| {
            bencher.to_async(&runtime).iter(|| async {
                let applied = (0..EVENTS).map(|event| catalog.apply(changes(event)));
                let mut fates = stream::iter(applied).buffer_unordered(workers);
                while let Some(fates) = fates.next().await {
                    assert!(black_box(fates)[0].is_ok());
                }
            });
        });
    }
    group.throughput(Throughput::Elements(1));
    group.bench_function("one event after another", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            assert!(black_box(catalog.apply(changes(1)).await)[0].is_ok());
        });
    });
    group.finish();
}

criterion_group!(benches, writes);
criterion_main!(benches);
