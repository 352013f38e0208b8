use expect_test::{Expect, expect};
use serde_json::json;

use super::*;

fn config(mappings: Value) -> Value {
    json!({"resources": [{
        "kind": "issue",
        "selector": {"query": "true"},
        "port": {"entity": {"mappings": mappings}},
    }]})
}

fn fields(mappings: Value) -> Vec<(&'static str, Template<String>)> {
    let mut config = AppConfig::check(&config(mappings)).unwrap();
    config.resources.remove(0).fields
}

fn program(text: &str) -> Template<String> {
    Template::Program(text.to_owned())
}

fn check_refused(config: &Value, expected: Expect) {
    let error = AppConfig::check(config).unwrap_err();
    expected.assert_eq(&error.problems.join("\n"));
}

#[test]
fn fields_come_in_wire_order_and_only_if_set() {
    let fields = fields(json!({
        "relations": {}, "title": ".t", "team": null, "blueprint": "\"b\"", "identifier": ".k",
    }));
    let keys: Vec<_> = fields.iter().map(|(key, _)| *key).collect();
    assert_eq!(
        keys,
        ["identifier", "blueprint", "title", "team", "relations"]
    );
    assert_eq!(fields[3].1, Template::Null);
}

#[test]
fn numbers_and_truth_values_become_text() {
    let fields = fields(json!({
        "identifier": 7, "blueprint": "\"b\"",
        "properties": {"a": 1.5, "b": true, "c": false},
    }));
    assert_eq!(fields[0].1, program("7"));
    let Template::Object(properties) = &fields[2].1 else {
        panic!("properties are an object");
    };
    let texts = ["1.5", "True", "False"].map(program);
    assert!(properties.iter().map(|(_, field)| field).eq(&texts));
}

#[test]
fn a_list_of_one_mapping_is_that_mapping() {
    let fields = fields(json!([{"identifier": ".k", "blueprint": "\"b\""}]));
    assert_eq!(fields.len(), 2);
}

#[test]
fn flags_take_what_pydantic_takes() {
    for (value, expected) in [
        (json!(true), true),
        (json!(1), true),
        (json!(1.0), true),
        (json!("On"), true),
        (json!("no"), false),
        (json!(0), false),
    ] {
        let config = AppConfig::check(&json!({"enableMergeEntity": value})).unwrap();
        assert_eq!(config.write.merge, expected, "{value}");
    }
}

#[test]
fn the_names_of_upstreams_code_are_taken_at_the_top_level() {
    let config = AppConfig::check(&json!({
        "delete_dependent_entities": false,
        "create_missing_related_entities": true,
        "createMissingRelatedEntities": false,
    }))
    .unwrap();
    assert_eq!(
        config.write,
        WriteOptions {
            merge: true,
            create_missing_related_entities: false,
            delete_dependents: false
        }
    );
}

#[test]
fn items_to_parse_has_upstreams_defaults() {
    let items = |port: Value| {
        let mut config = config(json!({"identifier": ".k", "blueprint": "\"b\""}));
        let target = config["resources"][0]["port"].as_object_mut().unwrap();
        target.extend(port.as_object().unwrap().clone());
        AppConfig::check(&config).unwrap().resources.remove(0).items
    };
    assert_eq!(items(json!({"itemsToParse": null})), None);
    assert_eq!(items(json!({"itemsToParse": ""})), None);
    let expected = ItemsConfig {
        program: ".a".to_owned(),
        name: "item".to_owned(),
        transform: true,
    };
    assert_eq!(items(json!({"itemsToParse": ".a"})), Some(expected));
}

#[test]
fn rules_may_nest_and_extra_keys_are_dropped() {
    let search = json!({"combinator": "\"or\"", "blueprint": "\"x\"", "rules": [
        {"property": "p", "operator": "o", "value": 1, "extra": "e"},
        {"combinator": "\"and\"", "rules": []},
    ]});
    let fields = fields(json!({"identifier": search, "blueprint": "\"b\""}));
    let object = |entries: Vec<(&str, Template<String>)>| {
        let entries = entries.into_iter();
        Template::Object(
            entries
                .map(|(key, field)| (key.to_owned(), field))
                .collect(),
        )
    };
    let expected = object(vec![
        ("combinator", program("\"or\"")),
        (
            "rules",
            Template::List(vec![
                object(vec![
                    ("property", program("p")),
                    ("operator", program("o")),
                    ("value", program("1")),
                ]),
                object(vec![
                    ("combinator", program("\"and\"")),
                    ("rules", Template::List(vec![])),
                ]),
            ]),
        ),
    ]);
    assert_eq!(fields[0].1, expected);
}

#[test]
fn all_problems_are_named_at_once() {
    check_refused(
        &json!({
            "enableMergeEntity": "perhaps",
            "resources": [
                {"kind": "issue", "selector": {}, "port": {
                    "itemsToParseName": null,
                    "entity": {"mappings": {
                        "identifier": {"combinator": "\"and\"", "rules": [
                            {"property": "p"}, 5, {"rules": []},
                        ]},
                        "properties": {"a": null, "b": {}},
                        "relations": [],
                    }},
                }},
                {"selector": "true", "port": {"entity": {"mappings": [{}, {}]}}},
                "what",
            ],
        }),
        expect![[r#"
            `enableMergeEntity` is text; it must be true or false
            resources[0] (issue) `selector.query` is missing; set it to text such as `true`
            resources[0] (issue) `port.itemsToParseName` is null; it must be text
            resources[0] (issue) `port.entity.mappings.identifier.rules[0].operator` is missing; set it to text such as `"="`
            resources[0] (issue) `port.entity.mappings.identifier.rules[0].value` is missing; set it to text such as `.key`
            resources[0] (issue) `port.entity.mappings.identifier.rules[1]` is the number 5; it must be an object
            resources[0] (issue) `port.entity.mappings.identifier.rules[2].combinator` is missing; set it to text such as `"and"`
            resources[0] (issue) `port.entity.mappings.blueprint` is missing; set it to text such as `"issue"`
            resources[0] (issue) `port.entity.mappings.properties.a` is null; it must be text
            resources[0] (issue) `port.entity.mappings.properties.b` is an object; it must be text
            resources[0] (issue) `port.entity.mappings.relations` is a list; it must be an object
            resources[1] `kind` is missing; set it to text such as `issue`
            resources[1] `selector` is text; it must be an object
            resources[1] `port.entity.mappings` is a list of 2; a resource maps one entity: write a resource for each
            resources[2] is text; it must be an object"#]],
    );
}

#[test]
fn an_empty_config_says_so() {
    for config in [json!({}), json!(null)] {
        check_refused(
            &config,
            expect!["the mapping is empty; write one with `resources` in Port"],
        );
    }
}

#[test]
fn files_are_json_or_yaml() {
    let expected = json!({"resources": [{"kind": "issue", "5": true, "a": ".x | .y"}]});
    for text in [
        "resources:\n  - kind: issue\n    5: true\n    a: .x | .y\n",
        r#"{"resources": [{"kind": "issue", "5": true, "a": ".x | .y"}]}"#,
    ] {
        assert_eq!(parse_text(text).unwrap(), expected, "{text}");
    }
    let error = parse_text("a: [").unwrap_err();
    assert!(error.to_string().contains("line 1"), "{error}");
}
