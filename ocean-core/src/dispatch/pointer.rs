//! The raw text at a JSON pointer, as the sender wrote it.

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::raw::Raw;

/// The value at an RFC 6901 pointer into `body`, with its text untouched; `None` when absent or
/// null. Nothing is copied.
pub(super) fn raw_at(body: &Bytes, pointer: &str) -> Option<Raw> {
    let mut value: &RawValue = serde_json::from_slice(body).ok()?;
    if !pointer.is_empty() {
        for token in pointer.strip_prefix('/')?.split('/') {
            value = step(value, &token.replace("~1", "/").replace("~0", "~"))?;
        }
    }
    let text = value.get();
    if text == "null" {
        return None;
    }
    Raw::parse(body.slice_ref(text.as_bytes())).ok()
}

fn step<'a>(value: &'a RawValue, token: &str) -> Option<&'a RawValue> {
    let text = value.get();
    if text.starts_with('{') {
        let mut members: HashMap<String, &RawValue> = serde_json::from_str(text).ok()?;
        return members.remove(token);
    }
    // RFC 6901 knows no leading zeros, so that an element has one pointer only.
    if token.len() > 1 && token.starts_with('0') {
        return None;
    }
    let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    elements.get(token.parse::<usize>().ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &'static str, pointer: &str, expected: Option<&str>) {
        let raw = raw_at(&Bytes::from_static(body.as_bytes()), pointer);
        assert_eq!(raw.as_ref().map(Raw::text), expected, "{pointer} in {body}");
    }

    #[test]
    fn values_keep_their_text() {
        let body = r#" {"issue": {"id": 12345678901234567890123, "key":"A" }, "n": null} "#;
        check(
            body,
            "/issue",
            Some(r#"{"id": 12345678901234567890123, "key":"A" }"#),
        );
        check(body, "/issue/key", Some(r#""A""#));
        check(body, "", Some(body.trim()));
        check(body, "/n", None);
        check(body, "/issue/none", None);
        check(body, "/issue/key/deeper", None);
        check(body, "issue", None);
    }

    #[test]
    fn pointers_are_those_of_rfc_6901() {
        let body = r#"{"a/b": {"c~d": [10, 11]}, "é": 1}"#;
        check(body, "/a~1b/c~0d/1", Some("11"));
        check(body, "/a~1b/c~0d/01", None);
        check(body, "/a~1b/c~0d/2", None);
        check(body, "/é", Some("1"));
    }
}
