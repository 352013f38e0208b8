//! Wire form: jq values as JSON bytes, the way upstream's round trip through Python leaves them.

use std::io::Write as _;

use ocean_jq::{Kind, Value};

/// Appends `value` as compact JSON. Integers stay exact whatever their size, `1.0` becomes `1`,
/// NaN becomes null and infinity the largest double. The recursion is bounded by the engine, whose
/// outputs have at most [`ocean_jq::Limits::output_depth`] levels.
pub(super) fn write(value: &Value<'_>, out: &mut Vec<u8>) {
    match value.kind() {
        Kind::Null => out.extend_from_slice(b"null"),
        Kind::Boolean if value.is_truthy() => out.extend_from_slice(b"true"),
        Kind::Boolean => out.extend_from_slice(b"false"),
        Kind::Number => write_number(value, out),
        Kind::String => write_str(value.as_str().unwrap_or_default(), out),
        Kind::Array => {
            let mut open = b'[';
            for item in value.items() {
                out.push(open);
                open = b',';
                write(&item, out);
            }
            close(open, b'[', b']', out);
        }
        Kind::Object => {
            let mut open = b'{';
            for (key, item) in value.entries() {
                out.push(open);
                open = b',';
                write_str(&key, out);
                out.push(b':');
                write(&item, out);
            }
            close(open, b'{', b'}', out);
        }
    }
}

/// Whether the value is null once it is written.
pub(super) fn is_null(value: &Value<'_>) -> bool {
    value.is_null() || value.as_f64().is_some_and(f64::is_nan)
}

/// What a value is, in a sentence.
pub(super) fn describe(value: &Value<'_>) -> &'static str {
    match value.kind() {
        Kind::Null => "null",
        Kind::Boolean => "a boolean",
        Kind::Number => "a number",
        Kind::String => "a string",
        Kind::Array => "an array",
        Kind::Object => "an object",
    }
}

/// The text that Python makes of a number or truth value, which is what upstream sends where it
/// expects text; `None` for any other value.
pub(super) fn python_text(value: &Value<'_>) -> Option<String> {
    match value.as_bool() {
        Some(true) => Some("True".to_owned()),
        Some(false) => Some("False".to_owned()),
        None => value.as_f64().map(|double| match integer_text(value) {
            Some(text) => text,
            None => python_float(double),
        }),
    }
}

fn close(last: u8, opening: u8, closing: u8, out: &mut Vec<u8>) {
    if last == opening {
        out.push(opening);
    }
    out.push(closing);
}

/// Appends text as a JSON string.
pub(super) fn write_str(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("writing text to memory does not fail");
}

fn write_number(value: &Value<'_>, out: &mut Vec<u8>) {
    if let Some(integer) = value.as_i64() {
        write!(out, "{integer}").expect("writing to memory does not fail");
        return;
    }
    let double = value.as_f64().unwrap_or_default();
    if double.is_nan() {
        out.extend_from_slice(b"null");
    } else if double.is_infinite() {
        serde_json::to_writer(out, &f64::MAX.copysign(double)).expect("as above");
    } else if let Some(text) = long_integer(value) {
        out.extend_from_slice(text.as_bytes());
    } else {
        serde_json::to_writer(out, &double).expect("as above");
    }
}

/// The digits of an integer beyond 64 bits that passed through untouched.
fn long_integer(value: &Value<'_>) -> Option<String> {
    let text = value.to_json_string();
    let digits = text.strip_prefix('-').unwrap_or(&text);
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(text)
}

fn integer_text(value: &Value<'_>) -> Option<String> {
    match value.as_i64() {
        Some(integer) => Some(integer.to_string()),
        None => {
            let double = value.as_f64().filter(|double| double.fract() == 0.0)?;
            // `{:.0}` has all the digits of the double, as Python's `int` does.
            Some(long_integer(value).unwrap_or_else(|| format!("{double:.0}")))
        }
    }
}

/// Python's `repr` of a double that is no integer: the shortest digits, an exponent of at least
/// two digits for what is small.
fn python_float(double: f64) -> String {
    let plain = double.to_string();
    if double.abs() >= 1e-4 {
        return plain;
    }
    let scientific = format!("{double:e}");
    match scientific.split_once("e-") {
        Some((digits, exponent)) => format!("{digits}e-{exponent:0>2}"),
        None => plain,
    }
}

#[cfg(test)]
mod tests {
    use ocean_jq::Document;

    use super::*;

    #[test]
    fn values_are_written_as_upstream_sends_them() {
        for (json, expected) in [
            ("null", "null"),
            ("[true, false]", "[true,false]"),
            ("[]", "[]"),
            ("{}", "{}"),
            ("[[], {}]", "[[],{}]"),
            (r#"{"b": 1, "a": {"c": "x"}}"#, r#"{"b":1,"a":{"c":"x"}}"#),
            (r#""\u00e9\n\"\ud83d\ude00""#, "\"é\\n\\\"😀\""),
            ("1.0", "1"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("1e2", "100"),
            ("1.5", "1.5"),
            ("0.1", "0.1"),
            ("9007199254740993", "9007199254740993"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("18446744073709551615", "18446744073709551615"),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567890",
            ),
        ] {
            let document = Document::parse(json.as_bytes()).unwrap();
            let mut out = Vec::new();
            write(&document.root(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{json}");
        }
    }

    #[test]
    fn doubles_that_json_lacks_are_replaced() {
        for (double, expected) in [
            (f64::NAN, "null"),
            (f64::INFINITY, "1.7976931348623157e308"),
            (f64::NEG_INFINITY, "-1.7976931348623157e308"),
        ] {
            let mut out = Vec::new();
            write(&Value::number(double), &mut out);
            let text = String::from_utf8(out).unwrap().replace("e+", "e");
            assert_eq!(text, expected);
        }
        assert!(is_null(&Value::number(f64::NAN)) && !is_null(&Value::number(0.0)));
    }

    #[test]
    fn text_is_made_as_python_makes_it() {
        for (json, expected) in [
            ("true", Some("True")),
            ("false", Some("False")),
            ("5", Some("5")),
            ("5.0", Some("5")),
            ("1.5", Some("1.5")),
            ("-0.25", Some("-0.25")),
            ("0.0001", Some("0.0001")),
            ("0.00001", Some("1e-05")),
            ("1.5e-7", Some("1.5e-07")),
            ("1e-123", Some("1e-123")),
            ("1e20", Some("100000000000000000000")),
            ("1e23", Some("99999999999999991611392")),
            ("9007199254740993", Some("9007199254740993")),
            ("\"x\"", None),
            ("null", None),
            ("[]", None),
        ] {
            let document = Document::parse(json.as_bytes()).unwrap();
            assert_eq!(python_text(&document.root()).as_deref(), expected, "{json}");
        }
    }
}
