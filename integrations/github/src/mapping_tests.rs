//! The default mapping and the blueprints, on the examples of `.port`.

use std::collections::BTreeSet;

use ocean_core::{
    Integration as _, Raw, RawResults,
    mapping::{Mapping, MappingOptions, PlanInput, parse_text},
    processor::Registry,
};
use serde_json::{Value, json};

use crate::GitHub;

const KINDS: [&str; 3] = ["organization", "repository", "pull-request"];

fn mapping() -> Mapping {
    let registry = Registry::unchecked(Registry::discover());
    let options = MappingOptions {
        selectors: KINDS
            .map(|kind| (kind.to_owned(), registry.selector_types(kind)))
            .into(),
        ..MappingOptions::default()
    };
    Mapping::compile(&parse_text(GitHub::assets().app_config).unwrap(), &options).unwrap()
}

/// What the default mapping makes of a raw item of `kind`.
fn entity(kind: &str, raw: &Value) -> Value {
    let mapping = mapping();
    let resource = mapping
        .resources()
        .position(|resource| &*resource.kind == kind)
        .unwrap();
    let results = RawResults::updated([Raw::new(raw)]);
    let plan = mapping.plan(&[PlanInput {
        resources: &[resource],
        results: &results,
    }]);
    serde_json::from_slice(&plan.upserts[0].1.json).unwrap()
}

fn example(kind: &str) -> Value {
    let file = format!("{}/.port/examples/{kind}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn every_program_compiles_and_every_selector_is_read() {
    assert_eq!(mapping().problems(), []);
}

#[test]
fn a_repository_becomes_an_entity() {
    assert_eq!(
        entity("repository", &example("repository")),
        json!({
            "identifier": "shop",
            "title": "shop",
            "blueprint": "githubRepository",
            "properties": {
                "description": "The shop",
                "visibility": "private",
                "defaultBranch": "main",
                "readme": "# Shop\n",
                "codeowners": "* @acme/core\n",
                "url": "https://github.com/acme/shop",
                "language": "Rust",
            },
            "relations": { "organization": "acme" },
        })
    );
}

#[test]
fn a_pull_request_becomes_an_entity() {
    assert_eq!(
        entity("pull-request", &example("pull-request")),
        json!({
            "identifier": "shop80011",
            "title": "Sign sessions with the new key",
            "blueprint": "githubPullRequest",
            "properties": {
                "creator": "ann-okafor",
                "assignees": ["ann-okafor"],
                "reviewers": ["ben-ito"],
                "status": "open",
                "closedAt": null,
                "updatedAt": "2026-01-15T09:30:00Z",
                "mergedAt": null,
                "createdAt": "2026-01-05T10:00:00Z",
                "prNumber": 80011,
                "link": "https://github.com/acme/shop/pull/11",
                "leadTimeHours": null,
            },
            "relations": { "repository": "shop" },
        })
    );
}

#[test]
fn lead_time_and_names_of_bots_are_as_upstream_has_them() {
    let mut pull = example("pull-request");
    pull["merged_at"] = json!("2026-01-06T16:30:20.123Z");
    pull["user"]["login"] = json!("dependabot[bot]");
    pull["assignees"][0]["login"] = json!("dependabot[bot]");
    let properties = &entity("pull-request", &pull)["properties"];
    assert_eq!(properties["leadTimeHours"], 30.5);
    assert_eq!(properties["creator"], "dependabot-bot");
    assert_eq!(properties["assignees"], json!(["dependabot[bot"]));
}

#[test]
fn an_organization_without_description_has_an_empty_one() {
    let mut organization = example("organization");
    organization["description"] = Value::Null;
    let entity = entity("organization", &organization);
    assert_eq!(entity["identifier"], "acme");
    assert_eq!(entity["properties"]["description"], "");
}

#[test]
fn the_mapping_fills_what_the_blueprints_declare() {
    let blueprints: Vec<Value> = serde_json::from_str(GitHub::assets().blueprints).unwrap();
    let mapping = parse_text(GitHub::assets().app_config).unwrap();
    let resources = mapping["resources"].as_array().unwrap();
    assert_eq!(resources.len(), blueprints.len());
    for resource in resources {
        let mappings = &resource["port"]["entity"]["mappings"];
        let name = mappings["blueprint"].as_str().unwrap().trim_matches('"');
        let blueprint = blueprints.iter().find(|it| it["identifier"] == name);
        let blueprint = blueprint.unwrap();
        let names = |value: &Value| -> BTreeSet<String> {
            let names = value.as_object().into_iter().flatten();
            names.map(|(name, _)| name.clone()).collect()
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
