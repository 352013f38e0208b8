//! What mapping costs: loading a config, and one Jira issue from bytes to the entity's JSON.
//!
//! `cargo bench -p ocean-core --bench mapping`

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ocean_core::{
    Raw, RawResults,
    mapping::{Mapping, MappingOptions, PlanInput},
};
use serde_json::{Value, json};

/// A resource of the size and shape that teams have: 19 programs, the selector among them.
fn config() -> Value {
    json!({"resources": [{
        "kind": "issue",
        "selector": {"query": ".fields.project.key != 'SECRET'", "jql": "updated >= -1w"},
        "port": {"entity": {"mappings": {
            "identifier": ".key",
            "title": ".fields.summary",
            "blueprint": "'jiraIssue'",
            "properties": {
                "url": "(.self | split(\"/\") | .[:3] | join(\"/\")) + \"/browse/\" + .key",
                "status": ".fields.status.name",
                "issueType": ".fields.issuetype.name",
                "components": ".fields.components | map(.name)",
                "creator": ".fields.creator.emailAddress",
                "priority": ".fields.priority.name",
                "labels": ".fields.labels",
                "created": ".fields.created",
                "updated": ".fields.updated",
                "resolutionDate": ".fields.resolutiondate",
            },
            "relations": {
                "project": ".fields.project.key",
                "parentIssue": ".fields.parent.key",
                "subtasks": ".fields.subtasks | map(.key)",
                "assignee": ".fields.assignee.accountId // null",
                "reporter": ".fields.reporter.accountId // null",
            },
        }}},
    }]})
}

/// An issue as Jira's API returns it, 8 KB.
fn issue() -> Raw {
    let site = "https://example.atlassian.net/rest/api/3";
    let user = |id: u32| {
        json!({
            "self": format!("{site}/user?accountId=5b10a2844c20165700ede2{id}"),
            "accountId": format!("5b10a2844c20165700ede2{id}"),
            "emailAddress": format!("person{id}@example.com"),
            "avatarUrls": {
                "48x48": format!("https://avatar.example.com/{id}/48"),
                "24x24": format!("https://avatar.example.com/{id}/24"),
                "16x16": format!("https://avatar.example.com/{id}/16"),
                "32x32": format!("https://avatar.example.com/{id}/32"),
            },
            "displayName": format!("Person {id}"),
            "active": true,
            "timeZone": "Europe/Berlin",
            "accountType": "atlassian",
        })
    };
    let named = |kind: &str, id: u32, name: &str| {
        json!({
            "self": format!("{site}/{kind}/{id}"),
            "id": id.to_string(),
            "name": name,
            "description": "What it is for, in the words of an administrator.",
            "iconUrl": format!("https://example.atlassian.net/images/icons/{kind}.svg"),
        })
    };
    let subtask = |number: u32| {
        json!({
            "id": (20_000 + number).to_string(),
            "key": format!("OPS-{number}"),
            "self": format!("{site}/issue/{}", 20_000 + number),
            "fields": {
                "summary": "A part of it", "status": named("status", 3, "In Progress"),
                "priority": named("priority", 2, "High"),
                "issuetype": named("issuetype", 5, "Sub-task"),
            },
        })
    };
    let mut fields = json!({
        "summary": "Rotate the keys of the payment gateway",
        "status": named("status", 3, "In Progress"),
        "issuetype": named("issuetype", 10_001, "Story"),
        "components": [named("component", 1, "gateway"), named("component", 2, "keys")],
        "creator": user(21),
        "reporter": user(22),
        "assignee": user(23),
        "priority": named("priority", 2, "High"),
        "labels": ["infra", "security"],
        "description": "The keys are older than the policy allows. ".repeat(35),
        "created": "2026-01-05T09:12:33.123+0100",
        "updated": "2026-01-07T17:45:01.456+0100",
        "resolutiondate": null,
        "project": {"key": "OPS", "id": "10000", "name": "Operations", "projectTypeKey": "software"},
        "parent": {"id": "10100", "key": "OPS-1"},
        "subtasks": [subtask(101), subtask(102)],
    });
    let target = fields.as_object_mut().expect("an object");
    for number in 10_000..10_060 {
        let value = match number % 4 {
            0 => json!({"value": "option", "id": number.to_string()}),
            1 => json!(f64::from(number) / 4.0),
            _ => Value::Null,
        };
        target.insert(format!("customfield_{number}"), value);
    }
    Raw::new(&json!({
        "expand": "operations,versionedRepresentations,editmeta,changelog",
        "id": "10042",
        "self": format!("{site}/issue/10042"),
        "key": "OPS-42",
        "fields": fields,
    }))
}

fn mapping(c: &mut Criterion) {
    let options = MappingOptions::default();
    let config = config();
    let mapping = Mapping::compile(&config, &options).expect("a good config");
    assert!(mapping.problems().is_empty(), "{:?}", mapping.problems());
    let issue = issue();
    let size = issue.as_bytes().len();
    let updated = RawResults::updated([issue.clone()]);
    let deleted = RawResults::deleted([issue]);
    let plan = |results: &RawResults| {
        mapping.plan(&[PlanInput {
            resources: &[0],
            results,
        }])
    };
    assert_eq!(plan(&updated).upserts.len(), 1);

    let mut group = c.benchmark_group("mapping");
    group.bench_function("compile 19 programs", |b| {
        b.iter(|| Mapping::compile(black_box(&config), &options));
    });
    group.bench_function("reload with the programs at hand", |b| {
        b.iter(|| Mapping::compile_after(black_box(&config), &options, Some(&mapping)));
    });
    group.throughput(Throughput::Bytes(size as u64));
    group.bench_function("upsert one issue", |b| b.iter(|| plan(black_box(&updated))));
    group.bench_function("delete one issue", |b| b.iter(|| plan(black_box(&deleted))));
    group.finish();
}

criterion_group!(benches, mapping);
criterion_main!(benches);
