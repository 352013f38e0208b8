//! The default mapping and the blueprints, on the examples of `.port`.

use std::collections::{BTreeSet, HashMap};

use ocean_core::{
    Integration as _, Raw, RawResults,
    mapping::{Mapping, MappingOptions, PlanInput, parse_text},
    processor::Registry,
};
use serde_json::{Value, json};

use crate::Jira;

const ISSUE: &str = include_str!("../.port/examples/issue.json");
const PROJECT: &str = include_str!("../.port/examples/project.json");
const USER: &str = include_str!("../.port/examples/user.json");

fn mapping() -> Mapping {
    let registry = Registry::unchecked(Registry::discover());
    let kinds = ["project", "user", "team", "issue"];
    let options = MappingOptions {
        selectors: kinds
            .map(|kind| (kind.to_owned(), registry.selector_types(kind)))
            .into_iter()
            .collect::<HashMap<_, _>>(),
        ..MappingOptions::default()
    };
    Mapping::compile(&parse_text(Jira::assets().app_config).unwrap(), &options).unwrap()
}

/// What the default mapping makes of a raw item of `kind`.
fn entity(kind: &str, raw: &str) -> Value {
    let mapping = mapping();
    let resource = mapping
        .resources()
        .position(|resource| &*resource.kind == kind)
        .unwrap();
    let results = RawResults::updated([Raw::parse(raw.to_owned()).unwrap()]);
    let plan = mapping.plan(&[PlanInput {
        resources: &[resource],
        results: &results,
    }]);
    serde_json::from_slice(&plan.upserts[0].1.json).unwrap()
}

#[test]
fn every_program_compiles_and_every_selector_is_read() {
    assert_eq!(mapping().problems(), []);
}

#[test]
fn an_issue_becomes_an_entity() {
    let raw: Value = serde_json::from_str(ISSUE).unwrap();
    assert_eq!(
        entity("issue", ISSUE),
        json!({
            "identifier": "OPS-7",
            "title": "Rotate the signing keys",
            "blueprint": "jiraIssue",
            "properties": {
                "url": "https://ocean-demo.atlassian.net/browse/OPS-7",
                "status": "In Progress",
                "issueType": "Task",
                "components": raw["fields"]["components"],
                "creator": "ann@example.com",
                "priority": "High",
                "labels": ["infra", "security"],
                "created": "2026-01-05T10:00:00.000+0000",
                "updated": "2026-01-15T09:30:00.000+0000",
                "resolutionDate": null,
            },
            "relations": {
                "project": "OPS",
                "parentIssue": "OPS-1",
                "subtasks": ["OPS-8"],
                "assignee": "5b10a2844c20165700ede21a",
                "reporter": "712020:3c1f4a52-9f0e-4a7b-8d55-0f6f2a1f7c11",
            },
        })
    );
}

#[test]
fn projects_and_users_become_entities() {
    assert_eq!(
        entity("project", PROJECT),
        json!({
            "identifier": "OPS",
            "title": "Operations",
            "blueprint": "jiraProject",
            "properties": {
                "url": "https://ocean-demo.atlassian.net/projects/OPS",
                "totalIssues": 3,
            },
        })
    );
    assert_eq!(
        entity("user", USER),
        json!({
            "identifier": "5b10a2844c20165700ede21a",
            "title": "Ann Okafor",
            "blueprint": "jiraUser",
            "properties": {
                "emailAddress": "ann@example.com",
                "active": true,
                "accountType": "atlassian",
                "timeZone": "Europe/Berlin",
                "locale": "en_GB",
                "avatarUrl": "https://avatars.example.com/5b10a2844c20165700ede21a/48x48.png",
            },
        })
    );
}

#[test]
fn a_team_without_members_has_an_empty_relation() {
    let team = entity("team", r#"{"teamId":"t1","displayName":"Core"}"#);
    assert_eq!(team["relations"], json!({ "members": [] }));
    let team = entity(
        "team",
        r#"{"teamId":"t1","__members":[{"accountId":"a1"}]}"#,
    );
    assert_eq!(team["relations"], json!({ "members": ["a1"] }));
}

#[test]
fn the_mapping_fills_what_the_blueprints_declare() {
    let blueprints: Vec<Value> = serde_json::from_str(Jira::assets().blueprints).unwrap();
    let mapping = parse_text(Jira::assets().app_config).unwrap();
    let resources = mapping["resources"].as_array().unwrap();
    assert_eq!(resources.len(), blueprints.len());
    for resource in resources {
        let mappings = &resource["port"]["entity"]["mappings"];
        let name = mappings["blueprint"].as_str().unwrap().trim_matches('"');
        let blueprint = blueprints
            .iter()
            .find(|it| it["identifier"] == name)
            .unwrap();
        let names = |value: &Value| -> BTreeSet<String> {
            value
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, _)| name.clone())
                .collect()
        };
        assert_eq!(
            names(&mappings["properties"]),
            names(&blueprint["schema"]["properties"])
        );
        assert_eq!(
            names(&mappings["relations"]),
            names(&blueprint["relations"]),
            "{name}"
        );
    }
}
