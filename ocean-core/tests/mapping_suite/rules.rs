//! The rules of the mapping, one by one, as its users meet them.

use std::{sync::Arc, time::Duration};

use expect_test::{Expect, expect};
use ocean_core::{
    Raw, RawResults, SelectorType,
    mapping::{Finding, Mapping, MappingOptions, PlanInput, read_items, report},
    telemetry::Telemetry,
};
use serde_json::{Value, json};

fn resource(mappings: Value) -> Value {
    json!({
        "kind": "issue",
        "selector": {"query": ".pass != false"},
        "port": {"entity": {"mappings": mappings}},
    })
}

fn with_port(mut resource: Value, port: Value) -> Value {
    let target = resource["port"].as_object_mut().unwrap();
    target.extend(port.as_object().unwrap().clone());
    resource
}

fn compile(resources: &[Value]) -> Mapping {
    Mapping::compile(&json!({"resources": resources}), &MappingOptions::default()).unwrap()
}

/// The plan in lines: `+` upserts, `-` deletes, `!` errors, `?` other findings.
fn plan(resources: &[Value], results: &RawResults) -> String {
    let mapping = compile(resources);
    let indices: Vec<_> = (0..resources.len()).collect();
    let plan = mapping.plan(&[PlanInput {
        resources: &indices,
        results,
    }]);
    let mut lines = Vec::new();
    for (_, entity) in &plan.upserts {
        lines.push(format!("+ {}", str::from_utf8(&entity.json).unwrap()));
    }
    lines.extend(plan.deletes.iter().map(|(_, key)| format!("- {key}")));
    for (_, note) in &plan.notes {
        let sign = if note.finding.is_error() { '!' } else { '?' };
        lines.push(format!("{sign} {note}"));
    }
    lines.join("\n")
}

fn check(mappings: Value, raw: Value, expected: Expect) {
    let results = RawResults::updated([Raw::new(&raw)]);
    expected.assert_eq(&plan(&[resource(mappings)], &results));
}

fn check_port(port: Value, raw: Value, expected: Expect) {
    let mappings = json!({"identifier": ".item.id? // .item", "blueprint": "'b'"});
    let results = RawResults::updated([Raw::new(&raw)]);
    expected.assert_eq(&plan(&[with_port(resource(mappings), port)], &results));
}

// === Identity ===

#[test]
fn what_names_nothing_makes_no_entity() {
    for value in [
        "null", "\"\"", "0", "0.0", "-0", "false", "[]", "{}", "nan", "empty",
    ] {
        for (identifier, blueprint) in [(value, "'b'"), ("'i'", value)] {
            let mapping = compile(&[resource(
                json!({"identifier": identifier, "blueprint": blueprint}),
            )]);
            let results = RawResults::updated([Raw::new(&json!({}))]);
            let plan = mapping.plan(&[PlanInput {
                resources: &[0],
                results: &results,
            }]);
            assert!(plan.upserts.is_empty(), "{identifier} {blueprint}");
            let last = &plan.notes.last().unwrap().1.finding;
            assert_eq!(*last, Finding::NoIdentity, "{identifier} {blueprint}");
        }
    }
}

#[test]
fn what_names_something_is_kept_as_it_is() {
    for (program, json) in [
        ("5", "5"),
        ("-0.5", "-0.5"),
        ("true", "true"),
        ("[null]", "[null]"),
        ("{a: 1}", r#"{"a":1}"#),
        ("\" \"", "\" \""),
        (".big", "9007199254740993"),
    ] {
        let mapping = compile(&[resource(json!({"identifier": program, "blueprint": "'b'"}))]);
        let results = RawResults::updated([Raw::new(&json!({"big": 9007199254740993_u64}))]);
        let plan = mapping.plan(&[PlanInput {
            resources: &[0],
            results: &results,
        }]);
        let expected = format!(r#"{{"identifier":{json},"blueprint":"b"}}"#);
        assert_eq!(plan.upserts[0].1.json, expected);
        assert_eq!(
            plan.upserts[0].1.key.identifier.to_string(),
            json.trim_matches('"')
        );
    }
}

// === Fields ===

#[test]
fn fields_are_sent_in_upstreams_order() {
    check(
        json!({
            "relations": {"r": ".r"}, "properties": {"p": ".p"}, "team": ".t", "title": ".title",
            "blueprint": "'b'", "icon": "'Jira'", "identifier": ".id",
        }),
        json!({"id": "1", "title": "T", "t": ["x"], "p": 1.0, "r": [null]}),
        expect![[
            r#"+ {"identifier":"1","icon":"Jira","blueprint":"b","title":"T","team":["x"],"properties":{"p":1},"relations":{"r":[null]}}"#
        ]],
    );
}

#[test]
fn a_null_in_the_mapping_is_sent_and_reported() {
    check(
        json!({"identifier": ".id", "blueprint": "'b'", "title": null, "team": null}),
        json!({"id": "1"}),
        expect![[r#"
            + {"identifier":"1","blueprint":"b","title":null,"team":null}
            ? issue-0: `title` is null (program: null)
            ? issue-0: `team` is null (program: null)"#]],
    );
}

#[test]
fn errors_become_null_and_say_why() {
    check(
        json!({
            "identifier": ".id", "blueprint": "'b'",
            "properties": {"a": ".id.x", "b": "error(\"no\")", "c": ".[", "d": "empty", "e": ".e?"},
        }),
        json!({"id": "1"}),
        expect![[r#"
            + {"identifier":"1","blueprint":"b","properties":{"a":null,"b":null,"c":null,"d":null,"e":null}}
            ? issue-0: `properties.a` is null (program: .id.x): Cannot index string with string ("x")
            ? issue-0: `properties.b` is null (program: error("no")): no
            ? issue-0: `properties.c` is null (program: .[): unexpected end of program, expected a term at line 1, column 3
            ? issue-0: `properties.d` is null (program: empty)
            ? issue-0: `properties.e` is null (program: .e?)"#]],
    );
}

#[test]
fn icons_and_teams_become_text() {
    for (program, icon, team) in [
        ("5", r#""5""#, r#""5""#),
        ("1.5", r#""1.5""#, r#""1.5""#),
        ("true", r#""True""#, r#""True""#),
        ("false", r#""False""#, r#""False""#),
        ("null", "null", "null"),
        ("nan", "null", "null"),
        ("\"x\"", r#""x""#, r#""x""#),
        ("[1]", "fails", "[1]"),
        ("{}", "fails", "{}"),
    ] {
        for (field, expected) in [("icon", icon), ("team", team)] {
            let mut mappings = json!({"identifier": "'i'", "blueprint": "'b'"});
            mappings[field] = json!(program);
            let mapping = compile(&[resource(mappings)]);
            let items = RawResults::updated([Raw::new(&json!({}))]);
            let report = report(&mapping, "issue", &items).unwrap();
            let actual = match report.upsert.first() {
                None => "fails".to_owned(),
                Some(entity) => {
                    let entity: Value = serde_json::from_slice(&entity.json).unwrap();
                    entity[field].to_string()
                }
            };
            assert_eq!(actual, expected, "{field} {program}");
            assert_eq!(report.errors.len(), usize::from(expected == "fails"));
        }
    }
}

#[test]
fn a_bad_icon_is_no_failure_of_an_item_that_makes_no_entity() {
    check(
        json!({"identifier": ".id", "blueprint": "'b'", "icon": "[]"}),
        json!({"id": ""}),
        expect!["? issue-0: no entity: `identifier` or `blueprint` is empty"],
    );
}

#[test]
fn search_objects_are_evaluated_leaf_by_leaf() {
    let search = json!({"combinator": "'or'", "rules": [
        {"property": "'email'", "operator": "'='", "value": ".mail"},
        {"combinator": "'and'", "rules": [
            {"property": "'role'", "operator": "'='", "value": ".role"},
        ]},
    ]});
    check(
        json!({
            "identifier": search, "blueprint": "'b'", "team": search,
            "relations": {"owner": search, "plain": ".mail"},
        }),
        json!({"mail": "a@b"}),
        expect![[r#"
            + {"identifier":{"combinator":"or","rules":[{"property":"email","operator":"=","value":"a@b"},{"combinator":"and","rules":[{"property":"role","operator":"=","value":null}]}]},"blueprint":"b","team":{"combinator":"or","rules":[{"property":"email","operator":"=","value":"a@b"},{"combinator":"and","rules":[{"property":"role","operator":"=","value":null}]}]},"relations":{"owner":{"combinator":"or","rules":[{"property":"email","operator":"=","value":"a@b"},{"combinator":"and","rules":[{"property":"role","operator":"=","value":null}]}]},"plain":"a@b"}}
            ? issue-0: `identifier.rules.rules.value` is null (program: .role)
            ? issue-0: `team.rules.rules.value` is null (program: .role)
            ? issue-0: `relations.owner.rules.rules.value` is null (program: .role)"#]],
    );
}

// === Selector ===

#[test]
fn a_selector_is_true_or_false_and_nothing_else() {
    for (query, expected) in [
        ("true", expect![[r#"+ {"identifier":"1","blueprint":"b"}"#]]),
        ("false", expect!["- b/1"]),
        (
            "true, false",
            expect![[r#"+ {"identifier":"1","blueprint":"b"}"#]],
        ),
        (
            ".id",
            expect!["! issue-0: `selector.query` gave a string; it must give true or false"],
        ),
        (
            "null",
            expect!["! issue-0: `selector.query` gave null; it must give true or false"],
        ),
        (
            "empty",
            expect!["! issue-0: `selector.query` gave nothing; it must give true or false"],
        ),
        (
            "error(\"x\")",
            expect!["! issue-0: `selector.query` failed: x"],
        ),
        (
            ".a |",
            expect![
                "! issue-0: `selector.query` failed: unexpected end of program, expected a term at line 1, column 5"
            ],
        ),
        (
            "",
            expect![
                "! issue-0: `selector.query` failed: the program is empty; write `.` for the input itself at line 1, column 1"
            ],
        ),
    ] {
        let mut resource = resource(json!({"identifier": ".id", "blueprint": "'b'"}));
        resource["selector"]["query"] = json!(query);
        let results = RawResults::updated([Raw::new(&json!({"id": "1"}))]);
        expected.assert_eq(&plan(&[resource], &results));
    }
}

// === itemsToParse ===

#[test]
fn items_become_copies_without_the_list() {
    check_port(
        json!({"itemsToParse": ".list"}),
        json!({"item": "old", "list": [{"id": "a"}, {"id": 7}, "c"]}),
        expect![[r#"
            + {"identifier":"a","blueprint":"b"}
            + {"identifier":7,"blueprint":"b"}
            + {"identifier":"c","blueprint":"b"}"#]],
    );
}

#[test]
fn items_that_have_no_list_are_skipped() {
    let raw = json!({"list": {"a": 1}, "text": "x"});
    for (program, expected) in [
        (
            ".missing",
            expect!["? issue-0: skipped: `itemsToParse` gave null, not a list"],
        ),
        (
            ".list",
            expect!["? issue-0: skipped: `itemsToParse` gave an object, not a list"],
        ),
        (
            ".text.x",
            expect![[
                r#"? issue-0: skipped: `itemsToParse` failed: Cannot index string with string ("x")"#
            ]],
        ),
        (
            ".text |",
            expect![
                "? issue-0: skipped: `itemsToParse` failed: unexpected end of program, expected a term at line 1, column 8"
            ],
        ),
        (
            "[1]",
            expect![
                "? issue-0: skipped: what `itemsToParse` names cannot be cut out: it names no path"
            ],
        ),
        (
            ". | keys",
            expect![
                "? issue-0: skipped: what `itemsToParse` names cannot be cut out: it names no path"
            ],
        ),
        (
            "[range(1e9)]",
            expect!["! issue-0: `itemsToParse` exceeded a limit of mapping programs: bytes"],
        ),
    ] {
        check_port(json!({"itemsToParse": program}), raw.clone(), expected);
    }
}

#[test]
fn items_that_are_no_objects_are_skipped() {
    check_port(
        json!({"itemsToParse": ".[0]"}),
        json!([[1], 2]),
        expect![
            "? issue-0: skipped: without what `itemsToParse` names, the item is an array, not an object"
        ],
    );
}

#[test]
fn the_list_stays_where_the_mapping_says_so() {
    let mappings = json!({
        "identifier": ".sub", "blueprint": "'b'", "properties": {"n": ".list | length"},
    });
    let port = json!({
        "itemsToParse": "[.list[] | tostring]",
        "itemsToParseName": "sub",
        "itemsToParseTopLevelTransform": false,
    });
    let results = RawResults::updated([Raw::new(&json!({"list": [1, 2]}))]);
    expect![[r#"
        + {"identifier":"1","blueprint":"b","properties":{"n":2}}
        + {"identifier":"2","blueprint":"b","properties":{"n":2}}"#]]
    .assert_eq(&plan(&[with_port(resource(mappings), port)], &results));
}

// === Plan ===

#[test]
fn entities_come_resource_by_resource_and_removals_last() {
    let first = resource(json!({"identifier": ".id", "blueprint": "'first'"}));
    let second = resource(json!({"identifier": ".id", "blueprint": "'second'"}));
    let items = |items: Value| read_items(items.to_string().as_bytes()).unwrap();
    let results = RawResults::updated(items(json!([
        {"id": "a"}, {"id": "b", "pass": false}, {"id": "c"},
    ])))
    .and_deleted(items(json!([{"id": "d", "pass": false}, {"id": "c"}])));
    expect![[r#"
        + {"identifier":"a","blueprint":"first"}
        + {"identifier":"c","blueprint":"first"}
        + {"identifier":"a","blueprint":"second"}
        + {"identifier":"c","blueprint":"second"}
        - first/d
        - second/d
        - first/b
        - second/b"#]]
    .assert_eq(&plan(&[first, second], &results));
}

#[test]
fn an_item_that_is_deleted_needs_no_selector() {
    for query in ["false", ".id", "empty", "error", ".a |", "[range(1e9)]"] {
        let mut resource = resource(json!({
            "identifier": ".id", "blueprint": "'b'", "icon": "[]", "title": ".id.x",
        }));
        resource["selector"]["query"] = json!(query);
        let results = RawResults::deleted([Raw::new(&json!({"id": "1"}))]);
        assert_eq!(plan(&[resource], &results), "- b/1", "{query}");
    }
}

#[test]
fn identifiers_of_different_types_are_different() {
    let resource = resource(json!({"identifier": ".id", "blueprint": "'b'"}));
    let results = RawResults::updated([Raw::new(&json!({"id": "5"}))])
        .and_deleted([Raw::new(&json!({"id": 5}))]);
    expect![[r#"
        + {"identifier":"5","blueprint":"b"}
        - b/5"#]]
    .assert_eq(&plan(&[resource], &results));
}

#[test]
fn each_result_says_where_it_is_from() {
    let resource = |kind| {
        let mut resource = resource(json!({"identifier": ".id", "blueprint": "'b'"}));
        resource["kind"] = json!(kind);
        resource
    };
    let mapping = compile(&[resource("issue"), resource("project"), resource("issue")]);
    let issue = RawResults::updated([Raw::new(&json!({"id": "i"}))]);
    let project = RawResults::deleted([Raw::new(&json!({"id": "p"})), Raw::new(&json!({}))]);
    let plan = mapping.plan(&[
        PlanInput {
            resources: &[0, 2],
            results: &issue,
        },
        PlanInput {
            resources: &[1],
            results: &project,
        },
    ]);
    let origins: Vec<_> = plan
        .upserts
        .iter()
        .map(|(origin, _)| *origin)
        .chain(plan.deletes.iter().map(|(origin, _)| *origin))
        .map(|origin| (origin.input, origin.resource))
        .collect();
    assert_eq!(origins, [(0, 0), (0, 2), (1, 1)]);
    assert!(plan.notes.iter().all(|(origin, note)| {
        (origin.input, origin.resource) == (1, 1) && &*note.resource == "project-1"
    }));
}

// === Limits ===

#[test]
fn a_program_beyond_its_limits_harms_only_its_field() {
    check(
        json!({
            "identifier": ".id", "blueprint": "'b'",
            "properties": {
                "before": ".id",
                "steps": "last(range(1e9))",
                "memory": "[range(1e9)]",
                "stack": "def f: [f]; f",
                "depth": "reduce range(2000) as $i (1; [.])",
                "after": ".id",
            },
        }),
        json!({"id": "1"}),
        expect![[r#"
            + {"identifier":"1","blueprint":"b","properties":{"before":"1","steps":null,"memory":null,"stack":null,"depth":null,"after":"1"}}
            ! issue-0: `properties.steps` exceeded a limit of mapping programs: steps
            ! issue-0: `properties.memory` exceeded a limit of mapping programs: bytes
            ! issue-0: `properties.stack` exceeded a limit of mapping programs: stack_bytes
            ! issue-0: `properties.depth` exceeded a limit of mapping programs: output_depth"#]],
    );
}

#[test]
fn a_selector_beyond_its_limits_fails_its_item() {
    let mut resource = resource(json!({"identifier": ".id", "blueprint": "'b'"}));
    resource["selector"]["query"] = json!("if .bad then last(range(1e9)) else true end");
    let results = RawResults::updated([
        Raw::new(&json!({"id": "1", "bad": true})),
        Raw::new(&json!({"id": "2"})),
    ]);
    expect![[r#"
        + {"identifier":"2","blueprint":"b"}
        ! issue-0: `selector.query` exceeded a limit of mapping programs: steps"#]]
    .assert_eq(&plan(&[resource], &results));
}

#[test]
fn findings_are_counted() {
    let mapping = compile(&[resource(json!({
        "identifier": ".id", "blueprint": "'b'", "title": ".t", "team": "last(range(1e9))",
    }))]);
    let results = RawResults::updated([Raw::new(&json!({"id": "1"})), Raw::new(&json!({}))]);
    let plan = mapping.plan(&[PlanInput {
        resources: &[0],
        results: &results,
    }]);
    let telemetry = Telemetry::default();
    telemetry.mapping.planned(&plan, Duration::from_millis(1));
    let text = telemetry.encode();
    for line in [
        r#"ocean_mapping_entities_total{change="Upsert"} 1"#,
        r#"ocean_mapping_findings_total{resource="issue-0",finding="limit"} 2"#,
        r#"ocean_mapping_findings_total{resource="issue-0",finding="misconfigured"} 3"#,
        r#"ocean_mapping_findings_total{resource="issue-0",finding="no_identity"} 1"#,
        "ocean_mapping_plan_seconds_count 1",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

// === Compiling ===

#[test]
fn problems_name_resource_field_and_column() {
    let config = json!({"resources": [
        with_port(
            resource(json!({
                "identifier": {"combinator": "and", "rules": [
                    {"property": "'p'", "operator": "'='", "value": ".a | | .b"},
                ]},
                "blueprint": "'b'",
                "properties": {"yes": true, "file": "file://README.md", "fine": ".a"},
            })),
            json!({"itemsToParse": "[.a]"}),
        ),
        {"kind": "unheard", "selector": {"query": ".a ="}, "port": {
            "itemsToParse": ".a[",
            "entity": {"mappings": {"identifier": "split(',')", "blueprint": "\n  'b' |"}},
        }},
    ]});
    let options = MappingOptions {
        kinds: vec!["issue".to_owned(), "project".to_owned()],
        ..MappingOptions::default()
    };
    let mapping = Mapping::compile(&config, &options).unwrap();
    let problems: Vec<_> = mapping.problems().iter().map(ToString::to_string).collect();
    expect![[r#"
        resources[0] (issue) `port.itemsToParse`: names no path that could be cut out of the item, so every item is skipped; set `itemsToParseTopLevelTransform` to false
        resources[0] (issue) `port.entity.mappings.identifier.combinator`: unexpected `and`, expected a term at line 1, column 1
        resources[0] (issue) `port.entity.mappings.identifier.rules[0].value`: unexpected `|`, expected a term at line 1, column 6
        resources[0] (issue) `port.entity.mappings.properties.yes`: True/0 is not defined at line 1, column 1; a truth value in the mapping must be quoted
        resources[0] (issue) `port.entity.mappings.properties.file`: `file://` is not supported; map a field of the raw item
        resources[1] (unheard) `kind`: no processor maps this kind; the kinds are issue, project
        resources[1] (unheard) `selector.query`: unexpected end of program, expected a term at line 1, column 5
        resources[1] (unheard) `port.itemsToParse`: unexpected end of program, expected a term at line 1, column 4
        resources[1] (unheard) `port.entity.mappings.identifier`: unexpected character `'`, expected a term at line 1, column 7
        resources[1] (unheard) `port.entity.mappings.blueprint`: unexpected end of program, expected a term at line 2, column 8"#]].assert_eq(&problems.join("\n"));
}

#[derive(serde::Deserialize)]
struct IssueSelector {
    jql: String,
}

#[test]
fn selectors_are_read_when_the_mapping_loads() {
    let options = MappingOptions {
        selectors: [(
            "issue".to_owned(),
            vec![SelectorType::of::<IssueSelector>()],
        )]
        .into(),
        ..MappingOptions::default()
    };
    let config = |selector: Value| {
        let mut resource = resource(json!({"identifier": ".id", "blueprint": "'b'"}));
        resource["selector"] = selector;
        json!({"resources": [resource]})
    };
    let good = config(json!({"query": "true", "jql": "project = OPS", "other": 1}));
    let mapping = Mapping::compile(&good, &options).unwrap();
    let resource = mapping.resources().next().unwrap();
    let selector: Arc<IssueSelector> = resource.selector.get().unwrap();
    assert_eq!(selector.jql, "project = OPS");
    assert_eq!(&*mapping.query(0), "true");

    let error = Mapping::compile(&config(json!({"query": "true"})), &options).unwrap_err();
    assert_eq!(
        error.problems,
        ["resources[0] (issue) `selector`: IssueSelector: missing field `jql`"]
    );
}

// === Report ===

#[test]
fn a_report_shows_removals_in_full_and_reads_well() {
    let mapping = compile(&[resource(json!({
        "identifier": ".id", "blueprint": "'b'", "title": ".title", "icon": ".icon",
        "properties": {"p": ".p"},
    }))]);
    let items = read_items(
        br#" [{"id": "1", "title": "One", "icon": "A", "p": [1]},
              {"id": "2", "pass": false, "title": "Two", "icon": [], "p": "x"},
              {"title": "Three"}, {"id": "4", "icon": {}}] "#,
    )
    .unwrap();
    let report = report(&mapping, "issue", &RawResults::updated(items)).unwrap();
    expect![[r#"
        {
          "upsert": [
            {"identifier":"1","icon":"A","blueprint":"b","title":"One","properties":{"p":[1]}}
          ],
          "delete": [
            {"identifier":"2","blueprint":"b","title":"Two","properties":{"p":"x"}}
          ],
          "errors": [
            "issue-0: `icon` gave an object; it must give text or null"
          ],
          "misconfigured": {
            "icon": ".icon",
            "identifier": ".id",
            "properties.p": ".p",
            "title": ".title"
          }
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&report).unwrap());
    expect![[r#"
        upsert b/1
               identifier: "1"
               icon: "A"
               blueprint: "b"
               title: "One"
               properties
                 p: [1]
        delete b/2
               identifier: "2"
               blueprint: "b"
               title: "Two"
               properties
                 p: "x"
        error  issue-0: `icon` gave an object; it must give text or null
        none   issue-0: no entity: `identifier` or `blueprint` is empty
        null   icon: .icon
        null   identifier: .id
        null   properties.p: .p
        null   title: .title
        1 to upsert, 1 to delete, 1 failed, 1 skipped"#]]
    .assert_eq(&report.to_string());
}

#[test]
fn a_kind_without_resource_is_an_error_that_names_the_kinds() {
    let mapping = compile(&[resource(json!({"identifier": ".id", "blueprint": "'b'"}))]);
    let error = report(&mapping, "isue", &RawResults::none()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the mapping has no resource of kind `isue`; its kinds are issue"
    );
}

#[test]
fn input_is_one_object_or_an_array() {
    assert_eq!(read_items(b" {\"a\": 1} ").unwrap().len(), 1);
    assert_eq!(read_items(b" [{}, {}] ").unwrap().len(), 2);
    assert!(read_items(b"{} {}").is_err() && read_items(b"nonsense").is_err());
}
