//! JSON pointers.

use super::{Kind, Value};

impl<'a> Value<'a> {
    /// The value at an RFC 6901 pointer such as `/issue/fields/0`; `None` if there is none. The
    /// empty pointer is the value itself.
    ///
    /// ```
    /// use ocean_jq::Document;
    ///
    /// let document = Document::parse(br#"{"issue": {"a/b": [1, 2]}}"#).unwrap();
    /// let found = document.root().pointer("/issue/a~1b/1").unwrap();
    /// assert_eq!(found.as_i64(), Some(2));
    /// ```
    pub fn pointer(&self, pointer: &str) -> Option<Value<'a>> {
        let mut found = self.clone();
        if pointer.is_empty() {
            return Some(found);
        }
        for token in pointer.strip_prefix('/')?.split('/') {
            found = match found.kind() {
                Kind::Object if token.contains('~') => {
                    found.get(&token.replace("~1", "/").replace("~0", "~"))?
                }
                Kind::Object => found.get(token)?,
                Kind::Array => found.get_index(element(token)?)?,
                _ => return None,
            };
        }
        Some(found)
    }
}

/// The place of an element. Leading zeros are not allowed, so that an element has one pointer only.
fn element(token: &str) -> Option<usize> {
    let digits = token.bytes().all(|byte| byte.is_ascii_digit());
    (digits && (token == "0" || !token.starts_with('0'))).then(|| token.parse().ok())?
}

#[cfg(test)]
mod tests {
    use crate::Document;

    #[track_caller]
    fn check(pointer: &str, expected: Option<i64>) {
        let text = br#"{"a": {"b": [10, 20]}, "": 3, "m~n": 4, "c/d": 5, "7": 6}"#;
        let document = Document::parse(text).unwrap();
        let found = document.root().pointer(pointer);
        assert_eq!(
            found.and_then(|value| value.as_i64()),
            expected,
            "{pointer}"
        );
    }

    #[test]
    fn pointers_are_those_of_rfc_6901() {
        check("/a/b/1", Some(20));
        check("/a/b/01", None);
        check("/a/b/2", None);
        check("/a/b/-", None);
        check("/", Some(3));
        check("/m~0n", Some(4));
        check("/c~1d", Some(5));
        check("/7", Some(6));
        check("a", None);
        check("/a/b/1/x", None);
    }
}
