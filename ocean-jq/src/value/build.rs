//! Ways into and out of values: building inputs, converting, serializing.

use std::rc::Rc;

use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};

use super::{Key, Kind, Map, Repr, Value};
use crate::write::JsonWriter;

/// Builds an object value, for instance a base object with one more key.
///
/// ```
/// use ocean_jq::{Document, ObjectBuilder, Value};
///
/// let document = Document::parse(br#"{"key": "OPS-7", "comments": [{"id": 1}]}"#)?;
/// let issue = document.root();
/// let comment = issue.get("comments").and_then(|comments| comments.get_index(0));
/// let context = ObjectBuilder::from_object(&issue)
///     .without("comments")
///     .with("item", comment.unwrap_or(Value::NULL))
///     .build();
/// assert_eq!(context.to_json_string(), r#"{"key":"OPS-7","item":{"id":1}}"#);
/// # Ok::<(), ocean_jq::ParseError>(())
/// ```
#[derive(Debug, Default)]
pub struct ObjectBuilder<'a> {
    map: Map<'a>,
}

// === impl ObjectBuilder ===

impl<'a> ObjectBuilder<'a> {
    /// An empty object.
    pub fn new() -> ObjectBuilder<'a> {
        ObjectBuilder::default()
    }

    /// Starts with the entries of an object; empty when the value is none.
    ///
    /// Values are shared, not copied: the cost is one small entry per key.
    pub fn from_object(object: &Value<'a>) -> ObjectBuilder<'a> {
        match object.kind() {
            Kind::Object => ObjectBuilder {
                map: object.clone().into_map(),
            },
            _ => ObjectBuilder::default(),
        }
    }

    /// Sets a key: in its place when present, at the end otherwise.
    #[must_use]
    pub fn with(mut self, key: &'a str, value: Value<'a>) -> ObjectBuilder<'a> {
        self.map.insert(Key::Ref(key), value);
        self
    }

    /// As [`ObjectBuilder::with`], for a key that is not borrowed.
    #[must_use]
    pub fn with_owned(mut self, key: String, value: Value<'a>) -> ObjectBuilder<'a> {
        self.map.insert(Key::Own(Rc::new(key)), value);
        self
    }

    /// Removes a key.
    #[must_use]
    pub fn without(mut self, key: &str) -> ObjectBuilder<'a> {
        self.map.remove_where(|candidate, _| candidate == key);
        self
    }

    /// The object.
    pub fn build(self) -> Value<'a> {
        Value::object(self.map)
    }
}

// === impl Value ===

impl<'a> Value<'a> {
    /// A value that borrows the strings of a `serde_json` value.
    ///
    /// The depth of the input bounds the recursion; `serde_json`'s own parser allows 128 levels.
    ///
    /// ```
    /// use ocean_jq::Value;
    /// let json = serde_json::json!({"a": [1, "x"]});
    /// assert_eq!(Value::from_serde(&json).to_json_string(), r#"{"a":[1,"x"]}"#);
    /// ```
    pub fn from_serde(json: &'a serde_json::Value) -> Value<'a> {
        match json {
            serde_json::Value::Null => Value::NULL,
            serde_json::Value::Bool(value) => Value::boolean(*value),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(value), _) => Value::integer(value),
                (None, Some(value)) => Value::literal(&value.to_string()),
                (None, None) => Value::number(number.as_f64().unwrap_or(f64::NAN)),
            },
            serde_json::Value::String(text) => Value::str(text),
            serde_json::Value::Array(items) => {
                Value::array(items.iter().map(Value::from_serde).collect())
            }
            serde_json::Value::Object(entries) => {
                let mut map = Map::with_capacity(entries.len());
                for (key, value) in entries {
                    map.push_unique(Key::Ref(key), Value::from_serde(value));
                }
                Value::object(map)
            }
        }
    }

    /// The value as a `serde_json` value.
    ///
    /// Integral doubles become integers, integers that fit 64 bits stay exact, NaN becomes `null`
    /// and an infinity the largest double. Levels beyond [`crate::Limits::DEFAULT_OUTPUT_DEPTH`]
    /// become `null`: outputs of a program under default limits never have that many.
    ///
    /// ```
    /// use ocean_jq::Document;
    /// let document = Document::parse(b"[9007199254740993, 1.0]")?;
    /// assert_eq!(document.root().to_serde(), serde_json::json!([9007199254740993_i64, 1]));
    /// # Ok::<(), ocean_jq::ParseError>(())
    /// ```
    pub fn to_serde(&self) -> serde_json::Value {
        self.to_serde_within(crate::Limits::DEFAULT_OUTPUT_DEPTH)
    }

    fn to_serde_within(&self, depth: usize) -> serde_json::Value {
        match &self.0 {
            Repr::Null => serde_json::Value::Null,
            Repr::Bool(value) => serde_json::Value::Bool(*value),
            Repr::Num(_) | Repr::LitRef(_) | Repr::LitOwn(_) => {
                serde_json::to_value(self).unwrap_or_default()
            }
            Repr::StrRef(text) => serde_json::Value::String((*text).to_owned()),
            Repr::StrOwn(text) => serde_json::Value::String(text.to_string()),
            Repr::ArrRef(..) | Repr::ArrOwn(_) => match depth.checked_sub(1) {
                Some(depth) => self
                    .items()
                    .map(|item| item.to_serde_within(depth))
                    .collect(),
                None => serde_json::Value::Null,
            },
            Repr::ObjRef(..) | Repr::ObjOwn(_) => match depth.checked_sub(1) {
                Some(depth) => {
                    let mut map = serde_json::Map::with_capacity(self.len().unwrap_or(0));
                    for (key, value) in self.entries() {
                        map.insert((*key).to_owned(), value.to_serde_within(depth));
                    }
                    serde_json::Value::Object(map)
                }
                None => serde_json::Value::Null,
            },
        }
    }

    /// Appends the value as compact JSON text.
    ///
    /// ```
    /// use ocean_jq::Document;
    /// let document = Document::parse(br#" { "a" : [ 1, 2 ] } "#)?;
    /// let mut out = Vec::new();
    /// document.root().write_json(&mut out);
    /// assert_eq!(out, br#"{"a":[1,2]}"#);
    /// # Ok::<(), ocean_jq::ParseError>(())
    /// ```
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let mut text = String::new();
        JsonWriter::unbounded().write(self, &mut text);
        out.extend_from_slice(text.as_bytes());
    }

    /// The value as compact JSON text.
    pub fn to_json_string(&self) -> String {
        let mut text = String::new();
        JsonWriter::unbounded().write(self, &mut text);
        text
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Nested {
            value: self,
            depth: crate::Limits::DEFAULT_OUTPUT_DEPTH,
        }
        .serialize(serializer)
    }
}

/// A value with the number of levels that may still follow: serializers recurse.
struct Nested<'v, 'a> {
    value: &'v Value<'a>,
    depth: usize,
}

impl Serialize for Nested<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = self.value;
        match &value.0 {
            Repr::Null => serializer.serialize_unit(),
            Repr::Bool(value) => serializer.serialize_bool(*value),
            Repr::Num(_) | Repr::LitRef(_) | Repr::LitOwn(_) => serialize_number(value, serializer),
            Repr::StrRef(text) => serializer.serialize_str(text),
            Repr::StrOwn(text) => serializer.serialize_str(text),
            _ if self.depth == 0 => Err(S::Error::custom("value is nested too deeply")),
            Repr::ArrRef(..) | Repr::ArrOwn(_) => {
                let mut sequence = serializer.serialize_seq(value.len())?;
                for item in value.items() {
                    sequence.serialize_element(&Nested {
                        value: &item,
                        depth: self.depth - 1,
                    })?;
                }
                sequence.end()
            }
            Repr::ObjRef(..) | Repr::ObjOwn(_) => {
                let mut map = serializer.serialize_map(value.len())?;
                for (key, item) in value.entries() {
                    map.serialize_entry(
                        &*key,
                        &Nested {
                            value: &item,
                            depth: self.depth - 1,
                        },
                    )?;
                }
                map.end()
            }
        }
    }
}

fn serialize_number<S: Serializer>(value: &Value<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    if let Some(integer) = value.as_i64() {
        return serializer.serialize_i64(integer);
    }
    if let Some(Ok(integer)) = value.literal_text().map(str::parse::<u64>) {
        return serializer.serialize_u64(integer);
    }
    match value.as_f64() {
        Some(double) if !double.is_nan() => {
            serializer.serialize_f64(double.clamp(f64::MIN, f64::MAX))
        }
        _ => serializer.serialize_unit(),
    }
}
