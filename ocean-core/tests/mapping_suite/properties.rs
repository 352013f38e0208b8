//! Whatever comes in, the mapping does not panic, and what comes out is JSON.

use ocean_core::{
    Raw, RawResults,
    mapping::{Mapping, MappingOptions, PlanInput, parse_text, read_items},
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        "[a-d]".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-d]",
        "kind|selector|query|port|entity|mappings|identifier",
        ".{0,4}"
    ]
}

/// Fragments of programs, put together at random: most do not compile, which is a part of the
/// point.
fn any_program() -> impl Strategy<Value = String> {
    let fragment = prop::sample::select(vec![
        ".",
        ".a",
        ".b[]",
        ".c?",
        "[.[]?]",
        "|",
        ",",
        "//",
        "'x'",
        "\"y\"",
        "map(",
        ")",
        "(",
        "select(.)",
        "not",
        "tostring",
        "1",
        "-1e400",
        "nan",
        "keys",
        "del(.a)",
        "..",
        "{a: .b}",
        "$ENV",
        "if . then 1 else 2 end",
        "try error catch .",
        "@json",
        "\u{e9}",
        " ",
    ]);
    prop::collection::vec(fragment, 0..7).prop_map(|fragments| fragments.join(" "))
}

fn any_resource() -> impl Strategy<Value = Value> {
    let program = || any_program().prop_map(Value::from);
    (
        (program(), program(), program(), program(), program()),
        prop::option::of(any_program()),
        any::<bool>(),
    )
        .prop_map(
            |((query, identifier, icon, property, value), items, transform)| {
                json!({
                    "kind": "issue",
                    "selector": {"query": query},
                    "port": {
                        "itemsToParse": items,
                        "itemsToParseTopLevelTransform": transform,
                        "entity": {"mappings": {
                            "identifier": identifier,
                            "blueprint": "'b'",
                            "icon": icon,
                            "properties": {"p": property},
                            "relations": {"r": {"combinator": "'and'", "rules": [
                                {"property": "'p'", "operator": "'='", "value": value},
                            ]}},
                        }},
                    },
                })
            },
        )
}

proptest! {
    #[test]
    fn any_item_maps_or_says_why_not(resource in any_resource(), items in prop::collection::vec(any_json(), 1..3)) {
        let config = json!({"resources": [resource]});
        let mapping = Mapping::compile(&config, &MappingOptions::default()).unwrap();
        let results = RawResults::updated(items.iter().map(Raw::new))
            .and_deleted(items.iter().map(Raw::new));
        let plan = mapping.plan(&[PlanInput { resources: &[0], results: &results }]);
        for (_, entity) in &plan.upserts {
            let json: Value = serde_json::from_slice(&entity.json).unwrap();
            prop_assert_eq!(&json["blueprint"], "b");
        }
        for (_, note) in &plan.notes {
            prop_assert!(note.to_string().starts_with("issue-0: "));
        }
    }

    #[test]
    fn any_config_compiles_or_is_refused(config in any_json()) {
        if let Err(error) = Mapping::compile(&config, &MappingOptions::default()) {
            prop_assert!(!error.problems.is_empty());
        }
    }

    #[test]
    fn any_text_is_a_file_or_an_error(text in ".*") {
        let _ = parse_text(&text);
        let _ = read_items(text.as_bytes());
    }
}
