//! JSON pointers: places in a document by name, without a program.

use super::{Kind, Value};

impl<'a> Value<'a> {
    /// The value at an RFC 6901 pointer, if there is one.
    ///
    /// ```
    /// use ocean_jq::Document;
    /// let document = Document::parse(br#"{"issue": {"keys": ["OPS-7"], "a/b~c": 1}}"#)?;
    /// let root = document.root();
    /// assert_eq!(root.pointer("/issue/keys/0").and_then(|key| Some(key.as_str()? == "OPS-7")), Some(true));
    /// assert_eq!(root.pointer("/issue/a~1b~0c").and_then(|one| one.as_i64()), Some(1));
    /// assert!(root.pointer("").is_some() && root.pointer("/issue/other").is_none());
    /// # Ok::<(), ocean_jq::ParseError>(())
    /// ```
    pub fn pointer(&self, pointer: &str) -> Option<Value<'a>> {
        if pointer.is_empty() {
            return Some(self.clone());
        }
        let mut value = self.clone();
        for token in pointer.strip_prefix('/')?.split('/') {
            value = match value.kind() {
                // Most tokens have nothing to unescape and need no copy.
                Kind::Object if !token.contains('~') => value.get(token)?,
                Kind::Object => value.get(&token.replace("~1", "/").replace("~0", "~"))?,
                Kind::Array => value.get_index(array_index(token)?)?,
                _ => return None,
            };
        }
        Some(value)
    }
}

/// Digits without leading zeros, as the RFC has it.
fn array_index(token: &str) -> Option<usize> {
    let digits = token.bytes().all(|byte| byte.is_ascii_digit());
    let padded = token.len() > 1 && token.starts_with('0');
    (digits && !padded).then(|| token.parse().ok())?
}
