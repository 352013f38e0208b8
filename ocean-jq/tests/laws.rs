//! Laws that hold for every value: paths, text and back, the order, programs and their print.

mod fuzzing;

use ocean_jq::{Document, Limits, Options, Program, Value, normalize};
use proptest::prelude::*;

/// JSON texts of any shape, with numbers, keys and strings that repeat and collide.
fn json() -> impl Strategy<Value = String> {
    let string = prop_oneof![
        "[a-c]{0,2}",
        Just("ä😀".to_owned()),
        Just("\\n\\\"\\u0000".to_owned()),
        Just("2024-03-05".to_owned())
    ]
    .prop_map(|text| format!("\"{text}\""));
    let number = prop_oneof![
        (-3..4_i32).prop_map(|number| number.to_string()),
        Just("1.50".to_owned()),
        Just("1e3".to_owned()),
        Just("9007199254740993".to_owned()),
        Just("9007199254740992".to_owned()),
        Just("-0.0".to_owned()),
        Just("123456789012345678901234567890".to_owned())
    ];
    let word = prop_oneof![Just("null"), Just("true"), Just("false")].prop_map(str::to_owned);
    let leaf = prop_oneof![string.clone(), number, word];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        let entry = (string.clone(), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(entry, 0..5).prop_map(|entries| {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|(key, value)| format!("{key}:{value}"))
                    .collect();
                format!("{{{}}}", entries.join(","))
            })
        ]
    })
}

/// Whether a program gives true, and nothing else, on an input.
fn holds(program: &str, input: &str) -> bool {
    let program = Program::compile(program, &Options::default()).expect("the law compiles");
    let document = Document::parse(input.as_bytes()).expect("the input is JSON");
    let outputs = program
        .all(&document.root(), &mut Limits::default())
        .expect("the law holds");
    !outputs.is_empty() && outputs.iter().all(|value| value.as_bool() == Some(true))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_and_back(json in json()) {
        prop_assert!(holds("(tojson | fromjson) == .", &json));
        prop_assert!(holds("(tojson | fromjson | tojson) == tojson", &json));
        let document = Document::parse(json.as_bytes()).unwrap();
        let text = document.root().to_json_string();
        let again = Document::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(again.root().to_json_string(), text);
    }

    #[test]
    fn what_is_set_can_be_got(json in json()) {
        prop_assert!(holds(". as $v | all(paths; . as $p | ($v | setpath($p; 42) | getpath($p)) == 42)", &json));
        prop_assert!(holds(". as $v | all(paths; . as $p | ($v | setpath($p; getpath($p))) == $v)", &json));
        prop_assert!(holds("[paths] == [path(..) | select(length > 0)]", &json));
        prop_assert!(holds("[paths as $p | getpath($p)] == [.. ] [1:]", &json));
    }

    #[test]
    fn what_is_deleted_is_gone(json in json()) {
        prop_assert!(holds(". as $v | ([paths] | length) as $n | all(paths; . as $p | ($v | delpaths([$p]) | [paths] | length) < $n)", &json));
        prop_assert!(holds("delpaths([]) == .", &json));
        prop_assert!(holds("delpaths([[]]) == null", &json));
    }

    #[test]
    fn updates_agree_with_rebuilding(json in json()) {
        prop_assert!(holds("[.]|map_values(.) == .", &json));
        prop_assert!(holds("((.. | select(type == \"string\")) |= length) == walk(if type == \"string\" then length else . end)", &json));
        prop_assert!(holds("fromstream(tostream) == .", &json));
        prop_assert!(holds("if type == \"object\" then (to_entries | from_entries) == . else true end", &json));
    }

    #[test]
    fn sorting_is_a_total_order(left in json(), middle in json(), right in json()) {
        let three = format!("[{left},{middle},{right}]");
        prop_assert!(holds("[.[0] < .[1], .[0] == .[1], .[0] > .[1]] | map(select(.)) | length == 1", &three));
        prop_assert!(holds("if .[0] <= .[1] and .[1] <= .[2] then .[0] <= .[2] else true end", &three));
        prop_assert!(holds("sort | . == sort and .[0] <= .[1] and .[1] <= .[2]", &three));
        prop_assert!(holds("(sort | reverse | sort) == sort", &three));
        prop_assert!(holds("[group_by(.)[][]] == sort", &three));
        prop_assert!(holds("min == sort[0] and max == sort[-1]", &three));
        prop_assert!(holds("unique == (group_by(.) | map(.[0]))", &three));
    }

    #[test]
    fn printed_programs_are_the_same_programs(seed in any::<u64>(), json in json()) {
        let mut random = fuzzing::Random::new(seed);
        let text = fuzzing::program(&mut random);
        let Ok(program) = Program::compile(&text, &Options::default()) else { return Ok(()) };
        let printed = normalize(&text).unwrap();
        prop_assert_eq!(&normalize(&printed).unwrap(), &printed);
        let again = Program::compile(&printed, &Options::default()).unwrap();
        let document = Document::parse(json.as_bytes()).unwrap();
        let run = |program: &Program| {
            let limits = &mut Limits { steps: 20_000, ..Limits::default() };
            let outputs = program.all(&document.root(), limits);
            outputs.map(|values| values.iter().map(Value::to_json_string).collect::<Vec<_>>())
        };
        if !printed.contains("now") && !printed.contains("__loc__") {
            prop_assert_eq!(run(&program), run(&again), "{}", printed);
        }
    }
}
