//! The mapping held to upstream's results, case by case. Each case was made by running upstream;
//! where this mapping differs on purpose, the case says which deliberate difference it shows and
//! what exactly comes out instead.

use std::sync::Arc;

use ocean_core::{
    Raw, RawResults,
    mapping::{ConfigError, DIFFERENCES, Mapping, MappingOptions, PlanInput, Report, report},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A case that shows a deliberate difference: what stands at `pointer` in upstream's result is
/// `here` in ours.
struct Deviation {
    case: &'static str,
    difference: &'static str,
    pointer: &'static str,
    here: &'static str,
}

const DEVIATIONS: &[Deviation] = &[
    Deviation {
        case: "numbers-pass-through-double",
        difference: "exact-integers",
        pointer: "/passed/0/properties/big",
        here: "9007199254740993",
    },
    Deviation {
        case: "selector-error-counted-twice-with-properties",
        difference: "selector-error-once",
        pointer: "/errors",
        here: "1",
    },
    Deviation {
        case: "icon-list-aborts-the-batch",
        difference: "bad-icon-fails-its-item",
        pointer: "/errors",
        here: "1",
    },
    Deviation {
        case: "delete-failing-selector-is-not-deleted",
        difference: "deletes-ignore-the-selector",
        pointer: "/delete",
        here: r#"[{"identifier": "B", "blueprint": "task"}]"#,
    },
    Deviation {
        case: "items-to-parse-delete",
        difference: "deletes-ignore-the-selector",
        pointer: "/delete",
        here: r#"[
            {"identifier": "x", "blueprint": "label"},
            {"identifier": "skip", "blueprint": "label"},
            {"identifier": "y", "blueprint": "label"}
        ]"#,
    },
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(rename = "why")]
    _why: String,
    raw: Raw,
    resource: Value,
    #[serde(default = "yes")]
    env_access: bool,
    expected: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SyncCase {
    name: String,
    #[serde(rename = "why")]
    _why: String,
    results: Vec<SyncResult>,
    expected: Value,
}

#[derive(Deserialize)]
struct SyncResult {
    resource: Value,
    updated: Vec<Raw>,
    deleted: Vec<Raw>,
}

fn yes() -> bool {
    true
}

#[test]
fn mapping_cases() {
    check_all(include_str!("data/mapping-cases.json"), 59, check_mapping);
}

#[test]
fn mapping_examples() {
    check_all(include_str!("data/mapping-examples.json"), 6, check_mapping);
}

#[test]
fn live_sync_cases() {
    check_all(include_str!("data/live-sync-cases.json"), 11, check_sync);
}

#[test]
fn deviations_name_cases_and_differences_that_exist() {
    let cases = [
        include_str!("data/mapping-cases.json"),
        include_str!("data/live-sync-cases.json"),
    ]
    .concat();
    for deviation in DEVIATIONS {
        assert!(
            cases.contains(&format!("\"{}\"", deviation.case)),
            "{}",
            deviation.case
        );
        let known = DIFFERENCES
            .iter()
            .any(|known| known.name == deviation.difference);
        assert!(known, "{}", deviation.difference);
    }
}

/// Runs every case before it complains, so that one failure does not hide others.
fn check_all<C: for<'de> Deserialize<'de>>(
    text: &str,
    count: usize,
    check: fn(C) -> Result<(), String>,
) {
    let cases: Vec<C> = serde_json::from_str(text).unwrap();
    assert_eq!(cases.len(), count);
    let failures: Vec<_> = cases
        .into_iter()
        .filter_map(|case| check(case).err())
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn check_mapping(case: Case) -> Result<(), String> {
    let actual = match compile(&[&case.resource], case.env_access) {
        Err(_) => json!({"passed": [], "failed": [], "errors": 0, "config_error": true}),
        Ok(mapping) => {
            let items = RawResults::updated([case.raw.clone()]);
            describe(&report(&mapping, "issue", &items).unwrap())
        }
    };
    let mut expected = case.expected;
    let errors = expected["errors"].as_array().map(Vec::len);
    expected["errors"] = json!(errors);
    let fields = expected.as_object_mut().unwrap();
    fields.entry("misconfigured").or_insert(json!({}));
    if fields.contains_key("config_error") {
        fields.insert("config_error".to_owned(), json!(true));
        fields.shift_remove("misconfigured");
    }
    // The text of an exception says nothing here; that it aborts the call is a deviation.
    fields.shift_remove("exception");
    let expanded = fields.shift_remove("expanded");
    compare(&case.name, expected, &actual)?;
    match expanded {
        Some(expanded) => check_expansion(&case.name, &case.resource, &case.raw, &expanded),
        None => Ok(()),
    }
}

/// Compares the copies that `itemsToParse` makes, by a mapping that takes each as a whole.
fn check_expansion(
    name: &str,
    resource: &Value,
    raw: &Raw,
    expected: &Value,
) -> Result<(), String> {
    let mut resource = resource.clone();
    resource["port"]["entity"]["mappings"] = json!({
        "identifier": "\"i\"", "blueprint": "\"b\"", "properties": {"all": "."},
    });
    resource["selector"]["query"] = json!("true");
    let mapping = compile(&[&resource], false).unwrap();
    let report = report(&mapping, "issue", &RawResults::updated([raw.clone()])).unwrap();
    let actual: Value = entities(&report.upsert)
        .iter()
        .map(|entity| entity["properties"]["all"].clone())
        .collect();
    compare(name, expected.clone(), &actual)
}

fn check_sync(case: SyncCase) -> Result<(), String> {
    let resources: Vec<_> = case.results.iter().map(|result| &result.resource).collect();
    let mapping = compile(&resources, false).unwrap();
    let indices: Vec<_> = (0..resources.len()).collect();
    let results: Vec<_> = case
        .results
        .into_iter()
        .map(|result| RawResults::updated(result.updated).and_deleted(result.deleted))
        .collect();
    let inputs: Vec<_> = results
        .iter()
        .zip(indices.chunks(1))
        .map(|(results, resources)| PlanInput { resources, results })
        .collect();
    let plan = mapping.plan(&inputs);
    let upserts: Vec<_> = plan.upserts.into_iter().map(|(_, entity)| entity).collect();
    let deletes: Vec<_> = plan
        .deletes
        .iter()
        .map(|(_, key)| {
            json!({"identifier": key.identifier.to_string(), "blueprint": &*key.blueprint})
        })
        .collect();
    let actual = json!({"upsert": entities(&upserts), "delete": deletes});
    compare(&case.name, case.expected, &actual)
}

fn compile(resources: &[&Value], env_access: bool) -> Result<Mapping, ConfigError> {
    let mut env = Map::new();
    if env_access {
        env.insert("OCEAN_TEST_VAR".to_owned(), json!("env-value"));
    }
    let options = MappingOptions {
        env: Arc::new(env),
        ..MappingOptions::default()
    };
    Mapping::compile(&json!({"resources": resources}), &options)
}

fn describe(report: &Report) -> Value {
    json!({
        "passed": entities(&report.upsert),
        "failed": entities(&report.delete),
        "errors": report.errors.len(),
        "misconfigured": &report.misconfigured,
    })
}

fn entities(entities: &[ocean_core::catalog::Entity]) -> Vec<Value> {
    let parse = |entity: &ocean_core::catalog::Entity| serde_json::from_slice(&entity.json);
    entities
        .iter()
        .map(parse)
        .collect::<Result<_, _>>()
        .unwrap()
}

fn compare(name: &str, mut expected: Value, actual: &Value) -> Result<(), String> {
    for deviation in DEVIATIONS.iter().filter(|deviation| deviation.case == name) {
        let here: Value = serde_json::from_str(deviation.here).unwrap();
        let place = expected.pointer_mut(deviation.pointer).unwrap();
        if *place == here {
            return Err(format!(
                "{name}: no longer deviates at {}",
                deviation.pointer
            ));
        }
        *place = here;
    }
    if same(&expected, actual) {
        Ok(())
    } else {
        Err(format!(
            "{name}:\n  expected {expected}\n  got      {actual}"
        ))
    }
}

/// JSON equality: numbers by value, objects whatever the order of their keys.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || (left.is_f64() || right.is_f64()) && left.as_f64() == right.as_f64()
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| same(left, right)))
        }
        _ => left == right,
    }
}
