//! Where a value stands in a request.

use ocean_jq::{Kind, Value};

use crate::event::Headers;

/// Where a value stands in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locator {
    /// In a header, named in lower case.
    Header(&'static str),
    /// In the body, at an RFC 6901 pointer.
    Pointer(&'static str),
}

impl Locator {
    /// In a header, named in lower case.
    pub const fn header(name: &'static str) -> Self {
        Self::Header(name)
    }

    /// In the body, at an RFC 6901 pointer.
    pub const fn pointer(pointer: &'static str) -> Self {
        Self::Pointer(pointer)
    }

    /// The value as text, if it is there: text as it is, numbers and booleans as JSON writes them.
    /// Empty text counts as absent.
    pub(crate) fn read(self, headers: &Headers, body: Value<'_>) -> Option<Box<str>> {
        match self {
            Self::Header(name) => headers.get(name).map(Box::from),
            Self::Pointer(pointer) => body.pointer(pointer).and_then(scalar_text),
        }
        .filter(|text| !text.is_empty())
    }
}

fn scalar_text(value: Value<'_>) -> Option<Box<str>> {
    match value.kind() {
        Kind::String => value.as_str().map(Into::into),
        Kind::Number | Kind::Boolean => Some(value.to_json_string().into()),
        Kind::Null | Kind::Array | Kind::Object => None,
    }
}

#[cfg(test)]
mod tests {
    use ocean_jq::Document;

    use super::*;

    #[test]
    fn values_are_read_as_text() {
        let headers = Headers::new([("X-Event", "push"), ("x-event", "second"), ("x-empty", "")]);
        let body =
            br#"{"a": {"name": "issue"}, "id": 7, "on": true, "no": null, "e": "", "l": [1]}"#;
        let body = Document::parse(body).unwrap();
        for (locator, expected) in [
            (Locator::header("x-event"), Some("push")),
            (Locator::header("x-empty"), None),
            (Locator::header("x-absent"), None),
            (Locator::pointer("/a/name"), Some("issue")),
            (Locator::pointer("/id"), Some("7")),
            (Locator::pointer("/on"), Some("true")),
            (Locator::pointer("/no"), None),
            (Locator::pointer("/e"), None),
            (Locator::pointer("/l"), None),
            (Locator::pointer("/l/0"), Some("1")),
            (Locator::pointer("/absent"), None),
        ] {
            let value = locator.read(&headers, body.root());
            assert_eq!(value.as_deref(), expected, "{locator:?}");
        }
    }
}
