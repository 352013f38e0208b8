//! Raw items: JSON as a tool returned it, before any mapping.

use std::{fmt, ops::Deref};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error as _},
};
use serde_json::value::RawValue;

/// One raw item, kept as JSON text so that the mapping parses it exactly once.
///
/// ```
/// use ocean_core::Raw;
///
/// let issue = Raw::new(&serde_json::json!({"key": "OPS-7"})).with("__board", &5);
/// assert_eq!(issue.text(), r#"{"key":"OPS-7","__board":5}"#);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Raw(Bytes);

impl Raw {
    /// The item `value` serializes to.
    ///
    /// # Panics
    /// If `value` does not serialize to JSON, such as a map with keys that are not strings.
    pub fn new(value: &(impl Serialize + ?Sized)) -> Self {
        Self(
            serde_json::to_vec(value)
                .expect("a raw item serializes to JSON")
                .into(),
        )
    }

    /// The item with this JSON text, such as the body of a tool's answer.
    ///
    /// # Errors
    /// `text` is not UTF-8 or not JSON.
    pub fn parse(text: impl Into<Bytes>) -> Result<Self, serde_json::Error> {
        let text = text.into();
        serde_json::from_slice::<&RawValue>(&text)?;
        Ok(Self(text))
    }

    /// The item with `key` set to `value`, as tools' answers are enriched with what the mapping
    /// needs beside them. Anything but an object is returned as it is.
    #[must_use]
    pub fn with(&self, key: &str, value: &(impl Serialize + ?Sized)) -> Self {
        let text = self.text().trim_end();
        let Some(open) = text.strip_suffix('}') else {
            return self.clone();
        };
        let value = Self::new(value);
        let mut out = String::with_capacity(text.len() + key.len() + value.0.len() + 8);
        out.push_str(open);
        if !open.trim_end().ends_with('{') {
            out.push(',');
        }
        out.push_str(Self::new(key).text());
        out.push(':');
        out.push_str(value.text());
        out.push('}');
        Self(out.into())
    }

    /// The JSON text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.0).expect("checked when the item was made")
    }

    /// The JSON text as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads the item as a typed value.
    ///
    /// # Errors
    /// The item has not the shape of `T`.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.0)
    }
}

impl fmt::Debug for Raw {
    // Raw items carry people's data, which has no place in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Raw({} bytes)", self.0.len())
    }
}

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_slice::<&RawValue>(&self.0)
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(Bytes::from(String::from(Box::<str>::from(value)))))
    }
}

// === WithRaw ===

/// A typed part of a payload that keeps its raw item, for deletes that use the payload itself.
///
/// ```
/// use ocean_core::WithRaw;
///
/// #[derive(serde::Deserialize)]
/// struct Issue { key: String }
///
/// let issue: WithRaw<Issue> = serde_json::from_str(r#"{"key":"OPS-7","id":"1"}"#).unwrap();
/// assert_eq!(issue.key, "OPS-7");
/// assert_eq!(issue.raw().text(), r#"{"key":"OPS-7","id":"1"}"#);
/// ```
#[derive(Clone, Debug)]
pub struct WithRaw<T> {
    value: T,
    raw: Raw,
}

impl<T> WithRaw<T> {
    /// The raw item, with all the keys `T` does not name.
    pub fn raw(&self) -> Raw {
        self.raw.clone()
    }
}

impl<T> Deref for WithRaw<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for WithRaw<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Raw::deserialize(deserializer)?;
        let value = raw.read().map_err(D::Error::custom)?;
        Ok(Self { value, raw })
    }
}
