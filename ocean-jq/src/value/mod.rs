//! Values: what programs read and produce.
//!
//! A [`Value`] either borrows a parsed [`Document`] (or a constant of a compiled program) or owns
//! what an evaluation built, behind a reference count. Cloning is always cheap. Values never cross
//! threads: they live inside one evaluation and its consumer. Dropping, comparing and printing
//! never recurse without a bound, however deep the value is.

mod build;
mod cells;
mod map;
mod pointer;

use std::rc::Rc;

pub use build::ObjectBuilder;
pub(crate) use cells::{ArrayCell, ObjectCell};
pub use map::Key;
pub(crate) use map::Map;

use crate::document::Document;
use crate::number;

/// The six kinds of JSON values, in the order in which jq sorts them (booleans are one kind here;
/// `false` sorts before `true`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `null`
    Null,
    /// `false` or `true`
    Boolean,
    /// Any number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// The name that jq's `type` gives to the kind.
    ///
    /// ```
    /// assert_eq!(ocean_jq::Kind::Boolean.name(), "boolean");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Boolean => "boolean",
            Kind::Number => "number",
            Kind::String => "string",
            Kind::Array => "array",
            Kind::Object => "object",
        }
    }
}

/// A JSON value, borrowed from a [`Document`] or built by an evaluation.
///
/// ```
/// use ocean_jq::{Document, Kind};
///
/// let document = Document::parse(br#"{"key": "OPS-7", "points": 5}"#)?;
/// let issue = document.root();
/// assert_eq!(issue.kind(), Kind::Object);
/// assert_eq!(issue.get("key").and_then(|key| key.as_str().map(str::to_owned)), Some("OPS-7".into()));
/// assert_eq!(issue.get("points").and_then(|points| points.as_f64()), Some(5.0));
/// # Ok::<(), ocean_jq::ParseError>(())
/// ```
#[derive(Clone)]
pub struct Value<'a>(pub(crate) Repr<'a>);

/// The representation; flat, so that a value stays three words long.
#[derive(Clone)]
#[repr(u64)]
pub(crate) enum Repr<'a> {
    Null,
    Bool(bool),
    /// A double, either computed or a literal that prints like the double.
    Num(f64),
    /// A number literal whose text says more than its double.
    LitRef(&'a str),
    LitOwn(Rc<String>),
    StrRef(&'a str),
    StrOwn(Rc<String>),
    ArrRef(&'a Document, u32),
    ArrOwn(Rc<ArrayCell<'a>>),
    ObjRef(&'a Document, u32),
    ObjOwn(Rc<ObjectCell<'a>>),
}

/// A string without a decision on who owns it.
#[derive(Clone)]
pub(crate) enum Text<'a> {
    Ref(&'a str),
    Own(Rc<String>),
}

// === impl Value ===

impl<'a> Value<'a> {
    /// `null`.
    pub const NULL: Value<'static> = Value(Repr::Null);

    /// A boolean.
    pub fn boolean(value: bool) -> Value<'a> {
        Value(Repr::Bool(value))
    }

    /// A number.
    pub fn number(value: f64) -> Value<'a> {
        Value(Repr::Num(value))
    }

    /// An integer, exact even beyond 2^53.
    ///
    /// ```
    /// use ocean_jq::Value;
    /// assert_eq!(Value::integer(9_007_199_254_740_993).to_json_string(), "9007199254740993");
    /// ```
    pub fn integer(value: i64) -> Value<'a> {
        if value.unsigned_abs() <= 1 << 53 {
            Value(Repr::Num(value as f64))
        } else {
            Value(Repr::LitOwn(Rc::new(value.to_string())))
        }
    }

    /// A string that is borrowed.
    pub fn str(value: &'a str) -> Value<'a> {
        Value(Repr::StrRef(value))
    }

    /// A string that the value owns.
    pub fn string(value: impl Into<String>) -> Value<'a> {
        Value(Repr::StrOwn(Rc::new(value.into())))
    }

    /// An array of values.
    ///
    /// ```
    /// use ocean_jq::Value;
    /// assert_eq!(Value::array(vec![Value::number(1.0), Value::NULL]).to_json_string(), "[1,null]");
    /// ```
    pub fn array(items: Vec<Value<'a>>) -> Value<'a> {
        Value(Repr::ArrOwn(Rc::new(ArrayCell::new(items))))
    }

    pub(crate) fn object(map: Map<'a>) -> Value<'a> {
        Value(Repr::ObjOwn(Rc::new(ObjectCell::new(map))))
    }

    /// A literal with its text, or the plain double when the text says no more.
    pub(crate) fn literal(text: &str) -> Value<'a> {
        if number::is_plain_integer(text.as_bytes()) {
            Value(Repr::Num(number::literal_to_f64(text)))
        } else {
            Value(Repr::LitOwn(Rc::new(text.to_owned())))
        }
    }

    /// The kind of the value.
    pub fn kind(&self) -> Kind {
        match &self.0 {
            Repr::Null => Kind::Null,
            Repr::Bool(_) => Kind::Boolean,
            Repr::Num(_) | Repr::LitRef(_) | Repr::LitOwn(_) => Kind::Number,
            Repr::StrRef(_) | Repr::StrOwn(_) => Kind::String,
            Repr::ArrRef(..) | Repr::ArrOwn(_) => Kind::Array,
            Repr::ObjRef(..) | Repr::ObjOwn(_) => Kind::Object,
        }
    }

    /// Whether the value is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.0, Repr::Null)
    }

    /// Whether jq takes the value for true: everything but `null` and `false`.
    ///
    /// ```
    /// use ocean_jq::Value;
    /// assert!(Value::number(0.0).is_truthy());
    /// assert!(!Value::NULL.is_truthy());
    /// ```
    pub fn is_truthy(&self) -> bool {
        !matches!(self.0, Repr::Null | Repr::Bool(false))
    }

    /// The boolean, when the value is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.0 {
            Repr::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The number as a double, when the value is a number.
    pub fn as_f64(&self) -> Option<f64> {
        match &self.0 {
            Repr::Num(value) => Some(*value),
            Repr::LitRef(text) => Some(number::literal_to_f64(text)),
            Repr::LitOwn(text) => Some(number::literal_to_f64(text)),
            _ => None,
        }
    }

    /// The number as an exact integer, when the value is an integral number that fits.
    ///
    /// ```
    /// use ocean_jq::Document;
    /// let document = Document::parse(b"[9007199254740993, 1.0, 1.5]")?;
    /// let integers: Vec<_> = document.root().items().map(|item| item.as_i64()).collect();
    /// assert_eq!(integers, [Some(9007199254740993), Some(1), None]);
    /// # Ok::<(), ocean_jq::ParseError>(())
    /// ```
    pub fn as_i64(&self) -> Option<i64> {
        let value = match self.literal_text() {
            Some(text) => match text.parse::<i64>() {
                Ok(value) => return Some(value),
                Err(_) => number::literal_to_f64(text),
            },
            None => self.as_f64()?,
        };
        let in_range = (-9.2e18..=9.2e18).contains(&value);
        (in_range && value == value.trunc()).then_some(value as i64)
    }

    /// The text of a literal whose text says more than its double.
    pub(crate) fn literal_text(&self) -> Option<&str> {
        match &self.0 {
            Repr::LitRef(text) => Some(text),
            Repr::LitOwn(text) => Some(text),
            _ => None,
        }
    }

    /// The string, when the value is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Repr::StrRef(text) => Some(text),
            Repr::StrOwn(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_text(&self) -> Option<Text<'a>> {
        match &self.0 {
            Repr::StrRef(text) => Some(Text::Ref(text)),
            Repr::StrOwn(text) => Some(Text::Own(Rc::clone(text))),
            _ => None,
        }
    }

    /// The number of items of an array or object; `None` for anything else.
    pub fn len(&self) -> Option<usize> {
        match &self.0 {
            Repr::ArrRef(document, node) | Repr::ObjRef(document, node) => {
                Some(document.container_len(*node))
            }
            Repr::ArrOwn(cell) => Some(cell.items.len()),
            Repr::ObjOwn(cell) => Some(cell.map.len()),
            _ => None,
        }
    }

    /// Whether the value is an empty array or object; `None` for anything else.
    pub fn is_empty(&self) -> Option<bool> {
        self.len().map(|len| len == 0)
    }

    /// The value under a key of an object; `None` when it is no object or has no such key.
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        match &self.0 {
            Repr::ObjRef(document, node) => document.get(*node, key, crate::document::hash(key)),
            Repr::ObjOwn(cell) => cell.map.get(key).cloned(),
            _ => None,
        }
    }

    /// As [`Value::get`], with the hash of the key at hand.
    pub(crate) fn get_hashed(&self, key: &str, hash: u32) -> Option<Value<'a>> {
        match &self.0 {
            Repr::ObjRef(document, node) => document.get(*node, key, hash),
            Repr::ObjOwn(cell) => cell.map.get(key).cloned(),
            _ => None,
        }
    }

    /// The item of an array; `None` when it is no array or too short.
    pub fn get_index(&self, index: usize) -> Option<Value<'a>> {
        match &self.0 {
            Repr::ArrRef(document, node) => document.item(*node, index),
            Repr::ArrOwn(cell) => cell.items.get(index).cloned(),
            _ => None,
        }
    }

    /// The items of an array, or the values of an object; nothing for anything else.
    ///
    /// ```
    /// use ocean_jq::Document;
    /// let document = Document::parse(b"[1, 2]")?;
    /// let sum: f64 = document.root().items().filter_map(|item| item.as_f64()).sum();
    /// assert_eq!(sum, 3.0);
    /// # Ok::<(), ocean_jq::ParseError>(())
    /// ```
    pub fn items(&self) -> Items<'a> {
        Items {
            len: self.len().unwrap_or(0),
            container: self.clone(),
            at: 0,
        }
    }

    /// The entries of an object in their order; nothing for anything else.
    ///
    /// ```
    /// use ocean_jq::Document;
    /// let document = Document::parse(br#"{"b": 1, "a": 2}"#)?;
    /// let keys: Vec<String> = document.root().entries().map(|(key, _)| key.to_string()).collect();
    /// assert_eq!(keys, ["b", "a"]);
    /// # Ok::<(), ocean_jq::ParseError>(())
    /// ```
    pub fn entries(&self) -> Entries<'a> {
        let len = match self.kind() {
            Kind::Object => self.len().unwrap_or(0),
            _ => 0,
        };
        Entries {
            len,
            container: self.clone(),
            at: 0,
        }
    }

    /// The entry at a position of an object.
    pub(crate) fn entry_at(&self, index: usize) -> Option<(Key<'a>, Value<'a>)> {
        match &self.0 {
            Repr::ObjRef(document, node) => document.entry(*node, index),
            Repr::ObjOwn(cell) => cell
                .map
                .entry_at(index)
                .map(|(key, value)| (key.clone(), value.clone())),
            _ => None,
        }
    }

    /// The item or value at a position of an array or object.
    pub(crate) fn item_at(&self, index: usize) -> Option<Value<'a>> {
        match &self.0 {
            Repr::ArrRef(document, node) => document.item(*node, index),
            Repr::ArrOwn(cell) => cell.items.get(index).cloned(),
            Repr::ObjRef(document, node) => document.entry_value(*node, index),
            Repr::ObjOwn(cell) => cell.map.entry_at(index).map(|(_, value)| value.clone()),
            _ => None,
        }
    }

    /// Whether both are the very same value in memory, which is what path expressions ask.
    pub(crate) fn is_identical(&self, other: &Value<'_>) -> bool {
        match (&self.0, &other.0) {
            (Repr::Null, Repr::Null) => true,
            (Repr::Bool(left), Repr::Bool(right)) => left == right,
            (Repr::Num(left), Repr::Num(right)) => left.to_bits() == right.to_bits(),
            (Repr::LitRef(left), Repr::LitRef(right))
            | (Repr::StrRef(left), Repr::StrRef(right)) => {
                left.len() == right.len() && left.as_ptr() == right.as_ptr()
            }
            (Repr::LitOwn(left), Repr::LitOwn(right))
            | (Repr::StrOwn(left), Repr::StrOwn(right)) => Rc::ptr_eq(left, right),
            (Repr::ArrRef(left, left_node), Repr::ArrRef(right, right_node))
            | (Repr::ObjRef(left, left_node), Repr::ObjRef(right, right_node)) => {
                left_node == right_node && std::ptr::eq(*left, *right)
            }
            (Repr::ArrOwn(left), Repr::ArrOwn(right)) => {
                Rc::as_ptr(left).addr() == Rc::as_ptr(right).addr()
            }
            (Repr::ObjOwn(left), Repr::ObjOwn(right)) => {
                Rc::as_ptr(left).addr() == Rc::as_ptr(right).addr()
            }
            _ => false,
        }
    }

    /// The items of an array as an owned vector, without copying when nobody else holds it.
    pub(crate) fn into_items(self) -> Vec<Value<'a>> {
        match self.0 {
            Repr::ArrOwn(mut cell) => match Rc::get_mut(&mut cell) {
                Some(cell) => std::mem::take(&mut cell.items),
                None => cell.items.clone(),
            },
            repr => Value(repr).items().collect(),
        }
    }

    /// The entries of an object as an owned map, without copying when nobody else holds it.
    pub(crate) fn into_map(self) -> Map<'a> {
        match self.0 {
            Repr::ObjOwn(mut cell) => match Rc::get_mut(&mut cell) {
                Some(cell) => std::mem::take(&mut cell.map),
                None => cell.map.clone(),
            },
            repr => {
                let value = Value(repr);
                let mut map = Map::with_capacity(value.len().unwrap_or(0));
                for (key, item) in value.entries() {
                    map.push_unique(key, item);
                }
                map
            }
        }
    }
}

impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_json_string())
    }
}

impl std::fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_json_string())
    }
}

/// Iterator over items, see [`Value::items`].
#[derive(Debug)]
pub struct Items<'a> {
    container: Value<'a>,
    at: usize,
    len: usize,
}

impl<'a> Iterator for Items<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        if self.at >= self.len {
            return None;
        }
        self.at += 1;
        self.container.item_at(self.at - 1)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len - self.at, Some(self.len - self.at))
    }
}

/// Iterator over entries, see [`Value::entries`].
#[derive(Debug)]
pub struct Entries<'a> {
    container: Value<'a>,
    at: usize,
    len: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = (Key<'a>, Value<'a>);

    fn next(&mut self) -> Option<(Key<'a>, Value<'a>)> {
        if self.at >= self.len {
            return None;
        }
        self.at += 1;
        self.container.entry_at(self.at - 1)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len - self.at, Some(self.len - self.at))
    }
}
