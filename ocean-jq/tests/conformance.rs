//! Agreement with the reference, jq 1.8.2, on recorded cases.
//!
//! `mapping-cases.json` holds real mapping expressions on real and synthesised inputs,
//! `builtin-probes.json` hand-written probes of builtins and syntax.

use ocean_jq::{Document, Error, Kind, Limits, Options, Program, Value};

/// The quote rule of mappings: single quotes that open or close a string become double quotes.
fn with_double_quotes(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let blank = |at: Option<&char>| at.is_none_or(|c| c.is_whitespace());
    let solid = |at: Option<&char>| at.is_some_and(|c| !c.is_whitespace() && *c != '"');
    let replaced = chars.iter().enumerate().map(|(at, &c)| {
        let before = at.checked_sub(1).and_then(|at| chars.get(at));
        let after = chars.get(at + 1);
        let quotes = blank(before) && solid(after) || blank(after) && solid(before);
        if c == '\'' && quotes { '"' } else { c }
    });
    replaced.collect()
}

/// Equality of JSON values, numbers by their double.
fn same(left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left.kind(), right.kind()) {
        (Kind::Number, Kind::Number) => {
            let number = |value: &Value<'_>| {
                let number = value.as_f64().unwrap_or(f64::NAN);
                if number.is_nan() {
                    None
                } else {
                    Some(number.clamp(f64::MIN, f64::MAX))
                }
            };
            number(left) == number(right)
        }
        // The reference's output cannot carry a NaN.
        (Kind::Number, Kind::Null) => left.as_f64().is_some_and(f64::is_nan),
        (Kind::Array, Kind::Array) => {
            left.len() == right.len()
                && left
                    .items()
                    .zip(right.items())
                    .all(|(left, right)| same(&left, &right))
        }
        (Kind::Object, Kind::Object) => {
            left.len() == right.len()
                && left
                    .entries()
                    .all(|(key, value)| right.get(&key).is_some_and(|other| same(&value, &other)))
        }
        (left_kind, right_kind) => {
            left_kind == right_kind
                && left.as_str() == right.as_str()
                && left.as_bool() == right.as_bool()
        }
    }
}

fn load(name: &str) -> Document {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).expect("the data is in the repository");
    Document::parse(&bytes).expect("the data is JSON")
}

fn text_of(value: Option<Value<'_>>) -> String {
    value
        .as_ref()
        .and_then(Value::as_str)
        .expect("a string")
        .to_owned()
}

fn item<'a>(value: &Value<'a>, at: usize) -> Value<'a> {
    value.get_index(at).unwrap_or(Value::NULL)
}

#[test]
fn every_mapping_case_agrees() {
    let document = load("mapping-cases.json");
    let (mut count, mut failures) = (0, Vec::new());
    for group in document.root().items() {
        let expression = text_of(group.get_index(0));
        let program = Program::compile(&with_double_quotes(&expression), &Options::default());
        for case in item(&group, 1).items() {
            count += 1;
            let (input, outcome) = (item(&case, 0), text_of(case.get_index(1)));
            let result = match &program {
                Err(error) => Err(format!("compile error: {error}")),
                Ok(program) => Ok(program.first(&input, &mut Limits::default())),
            };
            let agrees = match (&result, outcome.as_str()) {
                (Err(_), "compile_error") => true,
                (Ok(Ok(Some(value))), "output") => same(value, &item(&case, 2)),
                (Ok(Ok(None)), "no_output") => true,
                (Ok(Err(Error::Raised { .. } | Error::Break)), "error") => true,
                _ => false,
            };
            if !agrees {
                failures.push(format!(
                    "{expression}\n  input {input}\n  expected {case}\n  got {result:?}"
                ));
            }
        }
    }
    assert_eq!(count, 4501);
    let shown = failures
        .iter()
        .take(20)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        failures.is_empty(),
        "{} of {count} differ\n{shown}",
        failures.len()
    );
}

#[test]
fn every_probe_agrees() {
    let document = load("builtin-probes.json");
    let (mut count, mut failures) = (0, Vec::new());
    for probe in document.root().items() {
        count += 1;
        let expression = text_of(probe.get("expr"));
        let input = probe.get("input").unwrap();
        let program = Program::compile(&expression, &Options::default());
        let result = match &program {
            Err(error) => Err(format!("compile error: {error}")),
            Ok(program) => match program.all(&input, &mut Limits::default()) {
                Ok(outputs) => Ok(outputs),
                // What halts ends without an error.
                Err(Error::Halt { .. }) => Ok(Vec::new()),
                Err(error) => Err(error.to_string()),
            },
        };
        let agrees = match (&result, probe.get("outputs"), probe.get("error")) {
            (Ok(outputs), Some(expected), _) => {
                Some(outputs.len()) == expected.len()
                    && outputs
                        .iter()
                        .zip(expected.items())
                        .all(|(left, right)| same(left, &right))
            }
            (Err(message), None, Some(expected)) => {
                // Compile errors have wording of their own; those of the evaluation are the same.
                message.starts_with("compile error")
                    || Some(message.as_str()) == expected.as_str()
                    || expected.as_str() == Some("null")
            }
            _ => false,
        };
        if !agrees {
            failures.push(format!("{probe}\n  got {result:?}"));
        }
    }
    assert_eq!(count, 193);
    assert!(
        failures.is_empty(),
        "{} of {count} differ\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn the_quote_rule() {
    for (text, expected) in [
        ("'bug'", "\"bug\""),
        (".a == 'x' and .b == 'y z'", ".a == \"x\" and .b == \"y z\""),
        ("split(',')", "split(',')"),
        (".a + ' x'", ".a + ' x\""),
        ("\"it's\"", "\"it's\""),
    ] {
        assert_eq!(with_double_quotes(text), expected);
    }
}

#[test]
fn the_longest_match_wins_under_its_flag() {
    let program =
        r#"[("a bbb cc" | match("[a-z]+"; "gl").string), ("aab" | match("a|ab|aab"; "l").string)]"#;
    let program = Program::compile(program, &Options::default()).unwrap();
    let output = program
        .first(&Value::NULL, &mut Limits::default())
        .unwrap()
        .unwrap();
    assert_eq!(output.to_json_string(), r#"["bbb","cc","aab"]"#);
}
