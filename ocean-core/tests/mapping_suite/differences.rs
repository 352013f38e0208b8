//! Each deliberate difference from upstream, checked to be exactly what its description says.

use std::sync::Arc;

use ocean_core::{
    Raw, RawResults,
    mapping::{DIFFERENCES, Mapping, MappingOptions, PlanInput, Report, report},
};
use serde_json::{Map, Value, json};

/// One check for each entry of the table, in its order.
const CHECKS: &[(&str, fn())] = &[
    ("exact-integers", exact_integers),
    ("selector-error-once", selector_error_once),
    ("bad-icon-fails-its-item", bad_icon_fails_its_item),
    ("deletes-ignore-the-selector", deletes_ignore_the_selector),
    ("environment-is-closed", environment_is_closed),
    ("mappings-as-a-list-of-one", mappings_as_a_list_of_one),
    ("unknown-kind-is-a-problem", unknown_kind_is_a_problem),
    ("bounded-programs", bounded_programs),
    ("null-fields-are-in-the-story", null_fields_are_in_the_story),
    ("only-used-fields-of-removals", only_used_fields_of_removals),
];

#[test]
fn every_difference_is_checked() {
    let names = |names: &mut dyn Iterator<Item = &'static str>| names.collect::<Vec<_>>();
    assert_eq!(
        names(&mut CHECKS.iter().map(|(name, _)| *name)),
        names(&mut DIFFERENCES.iter().map(|difference| difference.name)),
    );
    for (_, check) in CHECKS {
        check();
    }
}

fn config(query: &str, mappings: Value) -> Value {
    json!({"resources": [{
        "kind": "issue",
        "selector": {"query": query},
        "port": {"entity": {"mappings": mappings}},
    }]})
}

fn map_with(config: &Value, options: &MappingOptions, results: &RawResults) -> Report {
    let mapping = Mapping::compile(config, options).unwrap();
    report(&mapping, "issue", results).unwrap()
}

fn map(config: &Value, raw: &Value) -> Report {
    let results = RawResults::updated([Raw::new(raw)]);
    map_with(config, &MappingOptions::default(), &results)
}

fn properties(report: &Report) -> Value {
    let entity: Value = serde_json::from_slice(&report.upsert[0].json).unwrap();
    entity["properties"].clone()
}

fn exact_integers() {
    let properties_of = |program: &str| {
        let mappings = json!({
            "identifier": "'i'", "blueprint": "'b'", "properties": {"p": program},
        });
        let raw = Raw::parse(&br#"{"n": 9007199254740993, "m": 36893488147419103233}"#[..]);
        let results = RawResults::updated([raw.unwrap()]);
        let report = map_with(
            &config("true", mappings),
            &MappingOptions::default(),
            &results,
        );
        String::from_utf8(report.upsert[0].json.to_vec()).unwrap()
    };
    assert!(properties_of(".n").contains(r#""p":9007199254740993}"#));
    assert!(properties_of("[.m]").contains(r#""p":[36893488147419103233]}"#));
    // Arithmetic goes through a double here too.
    assert!(properties_of(".n + 0").contains(r#""p":9007199254740992}"#));
}

fn selector_error_once() {
    let mappings = json!({"identifier": "'i'", "blueprint": "'b'", "properties": {"p": ".p"}});
    assert_eq!(
        map(&config(".p", mappings), &json!({"p": 5})).errors.len(),
        1
    );
}

fn bad_icon_fails_its_item() {
    let mappings = json!({"identifier": ".id", "blueprint": "'b'", "icon": ".icon"});
    let items = [
        json!({"id": "1", "icon": []}),
        json!({"id": "2", "icon": "x"}),
    ];
    let results = RawResults::updated(items.iter().map(Raw::new));
    let report = map_with(
        &config("true", mappings),
        &MappingOptions::default(),
        &results,
    );
    assert_eq!(report.upsert.len(), 1);
    assert_eq!(
        report.errors,
        ["issue-0: `icon` gave an array; it must give text or null"]
    );
}

fn deletes_ignore_the_selector() {
    let mappings = json!({"identifier": ".id", "blueprint": "'b'"});
    let results = RawResults::deleted([
        Raw::new(&json!({"id": "1"})),
        Raw::new(&json!({"id": null})),
    ]);
    let report = map_with(
        &config("false", mappings),
        &MappingOptions::default(),
        &results,
    );
    assert_eq!(report.delete.len(), 1);
}

fn environment_is_closed() {
    let mappings = json!({"identifier": "'i'", "blueprint": "'b'", "properties": {
        "env": "env", "ENV": "$ENV", "home": "env.HOME // $ENV.PATH",
    }});
    let config = config("true", mappings);
    let closed = map(&config, &json!({}));
    assert_eq!(
        properties(&closed),
        json!({"env": {}, "ENV": {}, "home": null})
    );
    let options = MappingOptions {
        env: Arc::new(Map::from_iter([("HOME".to_owned(), json!("/root"))])),
        ..MappingOptions::default()
    };
    let results = RawResults::updated([Raw::new(&json!({}))]);
    let open = map_with(&config, &options, &results);
    assert_eq!(properties(&open)["home"], "/root");
}

fn mappings_as_a_list_of_one() {
    let mappings = json!({"identifier": "'i'", "blueprint": "'b'"});
    let report = map(&config("true", json!([mappings])), &json!({}));
    assert_eq!(report.upsert.len(), 1);
    let two = config("true", json!([mappings, mappings]));
    assert!(Mapping::compile(&two, &MappingOptions::default()).is_err());
}

fn unknown_kind_is_a_problem() {
    let config = config("true", json!({"identifier": "'i'", "blueprint": "'b'"}));
    let options = MappingOptions {
        kinds: vec!["project".to_owned()],
        ..MappingOptions::default()
    };
    let mapping = Mapping::compile(&config, &options).unwrap();
    assert_eq!(mapping.problems().len(), 1);
}

fn bounded_programs() {
    let mappings = json!({"identifier": "'i'", "blueprint": "'b'", "properties": {
        "for_ever": "def f: f; f", "fine": "1",
    }});
    let report = map(&config("true", mappings), &json!({}));
    assert_eq!(properties(&report), json!({"for_ever": null, "fine": 1}));
    let [error] = &*report.errors else {
        panic!("{:?}", report.errors);
    };
    assert!(
        error.starts_with("issue-0: `properties.for_ever` exceeded a limit"),
        "{error}"
    );
}

fn null_fields_are_in_the_story() {
    let mappings = json!({"identifier": "'i'", "blueprint": "'b'", "title": ".a.b"});
    let mapping = Mapping::compile(&config("true", mappings), &MappingOptions::default()).unwrap();
    let results = RawResults::updated([Raw::new(&json!({"a": 5}))]);
    let plan = mapping.plan(&[PlanInput {
        resources: &[0],
        results: &results,
    }]);
    let note = plan.notes[0].1.to_string();
    assert!(
        note.starts_with("issue-0: `title` is null (program: .a.b): Cannot index number"),
        "{note}"
    );
}

fn only_used_fields_of_removals() {
    let mappings = json!({"identifier": "'i'", "blueprint": "'b'", "title": ".missing"});
    let config = config("false", mappings);
    let mapping = Mapping::compile(&config, &MappingOptions::default()).unwrap();
    let results = RawResults::updated([Raw::new(&json!({}))]);
    let plan = mapping.plan(&[PlanInput {
        resources: &[0],
        results: &results,
    }]);
    assert_eq!((plan.deletes.len(), plan.notes.len()), (1, 0));
}
