//! Parsed JSON documents: a flat arena of small nodes over one text buffer.
//!
//! A document owns its text and its nodes, is `Send + Sync`, costs a handful of allocations
//! whatever its size, and can be reused for the next text. Children of a container lie side by
//! side; objects of many keys carry a sorted index, so lookups stay fast and hostile keys cannot
//! make them quadratic. Nesting is limited, and parsing never recurses.

mod objects;
mod parse;
mod scalars;
mod scan;

use std::rc::Rc;

use objects::{Indexed, SCAN_LIMIT};
pub use parse::ParseError;
pub(crate) use parse::{Dialect, parse_lenient};
pub(crate) use scalars::special_number;

use crate::value::{Key, Repr, Value};

/// One node; 16 bytes. Positions of strings and literals are into the text buffer.
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Num(f64),
    Lit {
        start: u32,
        len: u32,
    },
    Str {
        start: u32,
        len: u32,
        hash: u32,
    },
    /// `start` is the first child; `extent` the length of the source text.
    Arr {
        start: u32,
        len: u32,
        extent: u32,
    },
    /// Keys and values alternate. Objects of many keys have the start of their sorted index in
    /// an extra [`Node::Index`] in front of the first key.
    Obj {
        start: u32,
        len: u32,
        extent: u32,
    },
    Index(u32),
}

/// A parsed JSON document; [`Document::root`] gives the value that borrows it.
///
/// ```
/// use ocean_jq::Document;
///
/// let document = Document::parse(br#"{"id": 12345678901234567890, "id": 7, "name": "x"}"#)?;
/// assert_eq!(document.root().to_json_string(), r#"{"id":7,"name":"x"}"#);
/// assert!(Document::parse(b"[1,]").is_err());
/// # Ok::<(), ocean_jq::ParseError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Document {
    text: String,
    nodes: Vec<Node>,
    /// The indexes of all objects of many keys.
    sorted: Vec<Indexed>,
    root: Node,
}

impl Default for Document {
    /// The document `null`.
    fn default() -> Document {
        Document {
            text: String::new(),
            nodes: Vec::new(),
            sorted: Vec::new(),
            root: Node::Null,
        }
    }
}

/// The node number of the root, which does not live in the arena.
const ROOT: u32 = u32::MAX;

// === impl Document ===

impl Document {
    /// Levels of nesting that [`Document::parse`] allows.
    pub const DEFAULT_DEPTH: usize = 512;

    /// Parses JSON text (RFC 8259): UTF-8, exactly one value, nothing that JSON forbids.
    ///
    /// Keys keep their order; of a key that occurs twice the last value counts, at the place of
    /// the first. Integers keep every digit. An escaped surrogate without its partner reads as
    /// U+FFFD.
    ///
    /// # Errors
    /// The text is not valid JSON, or nested deeper than [`Document::DEFAULT_DEPTH`].
    pub fn parse(bytes: &[u8]) -> Result<Document, ParseError> {
        Document::parse_within(bytes, Document::DEFAULT_DEPTH)
    }

    /// As [`Document::parse`], with a limit of one's own on the levels of nesting.
    ///
    /// ```
    /// use ocean_jq::Document;
    /// assert!(Document::parse_within(b"[[1]]", 1).is_err());
    /// ```
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn parse_within(bytes: &[u8], max_depth: usize) -> Result<Document, ParseError> {
        let mut document = Document::default();
        document.reparse_within(bytes, max_depth)?;
        Ok(document)
    }

    /// Parses another text into this document, reusing its memory.
    ///
    /// ```
    /// use ocean_jq::Document;
    /// let mut document = Document::parse(b"[1]")?;
    /// document.reparse(b"[2]")?;
    /// assert_eq!(document.root().to_json_string(), "[2]");
    /// # Ok::<(), ocean_jq::ParseError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Document::parse`]; the document is then `null`.
    pub fn reparse(&mut self, bytes: &[u8]) -> Result<(), ParseError> {
        self.reparse_within(bytes, Document::DEFAULT_DEPTH)
    }

    fn reparse_within(&mut self, bytes: &[u8], max_depth: usize) -> Result<(), ParseError> {
        parse::parse_into(self, bytes, max_depth, Dialect::Strict)
    }

    /// The value of the whole document.
    pub fn root(&self) -> Value<'_> {
        self.value_of(self.root, ROOT)
    }

    /// The memory that the document holds on the heap, in bytes.
    ///
    /// ```
    /// use ocean_jq::Document;
    /// let document = Document::parse(br#"{"a": [1, 2, 3]}"#)?;
    /// assert!(document.heap_bytes() >= 16 * 5);
    /// # Ok::<(), ocean_jq::ParseError>(())
    /// ```
    pub fn heap_bytes(&self) -> usize {
        self.text.capacity()
            + self.nodes.capacity() * size_of::<Node>()
            + self.sorted.capacity() * size_of::<Indexed>()
    }

    #[inline(always)]
    fn node(&self, id: u32) -> Node {
        if id == ROOT {
            self.root
        } else {
            self.nodes[id as usize]
        }
    }

    #[inline(always)]
    fn slice(&self, start: u32, len: u32) -> &str {
        &self.text[start as usize..start as usize + len as usize]
    }

    #[inline(always)]
    fn value_of(&self, node: Node, id: u32) -> Value<'_> {
        Value(match node {
            Node::Null | Node::Index(_) => Repr::Null,
            Node::Bool(value) => Repr::Bool(value),
            Node::Num(value) => Repr::Num(value),
            Node::Lit { start, len } => Repr::LitRef(self.slice(start, len)),
            Node::Str { start, len, .. } => Repr::StrRef(self.slice(start, len)),
            Node::Arr { .. } => Repr::ArrRef(self, id),
            Node::Obj { .. } => Repr::ObjRef(self, id),
        })
    }

    #[inline(always)]
    pub(crate) fn value(&self, id: u32) -> Value<'_> {
        self.value_of(self.node(id), id)
    }

    /// The number of items or entries of a container.
    pub(crate) fn container_len(&self, id: u32) -> usize {
        match self.node(id) {
            Node::Arr { len, .. } | Node::Obj { len, .. } => len as usize,
            _ => 0,
        }
    }

    /// The length of the source text of a container, an upper bound of what printing it takes.
    pub(crate) fn extent(&self, id: u32) -> usize {
        match self.node(id) {
            Node::Arr { extent, .. } | Node::Obj { extent, .. } => extent as usize,
            _ => 0,
        }
    }

    /// The nodes of the items of an array.
    #[inline]
    pub(crate) fn item_nodes(&self, id: u32) -> std::ops::Range<u32> {
        match self.node(id) {
            Node::Arr { start, len, .. } => start..start + len,
            _ => 0..0,
        }
    }

    #[inline]
    pub(crate) fn item(&self, id: u32, index: usize) -> Option<Value<'_>> {
        match self.node(id) {
            Node::Arr { start, len, .. } if index < len as usize => {
                Some(self.value(start + index as u32))
            }
            _ => None,
        }
    }

    fn entry_start(&self, id: u32, index: usize) -> Option<u32> {
        match self.node(id) {
            Node::Obj { start, len, .. } if index < len as usize => Some(start + 2 * index as u32),
            _ => None,
        }
    }

    pub(crate) fn entry(&self, id: u32, index: usize) -> Option<(Key<'_>, Value<'_>)> {
        let at = self.entry_start(id, index)?;
        Some((Key::Ref(self.key_text(at)), self.value(at + 1)))
    }

    pub(crate) fn entry_value(&self, id: u32, index: usize) -> Option<Value<'_>> {
        Some(self.value(self.entry_start(id, index)? + 1))
    }

    fn key_text(&self, id: u32) -> &str {
        match self.node(id) {
            Node::Str { start, len, .. } => self.slice(start, len),
            _ => "",
        }
    }

    #[inline]
    pub(crate) fn is_object(&self, id: u32) -> bool {
        matches!(self.node(id), Node::Obj { .. })
    }

    /// The value under a key; `wanted` is the key's [`hash`].
    pub(crate) fn get(&self, id: u32, key: &str, wanted: u32) -> Option<Value<'_>> {
        self.child(id, key, wanted).map(|child| self.value(child))
    }

    /// The node of the value under a key.
    pub(crate) fn child(&self, id: u32, key: &str, wanted: u32) -> Option<u32> {
        let Node::Obj {
            start: first,
            len: count,
            ..
        } = self.node(id)
        else {
            return None;
        };
        if count as usize > SCAN_LIMIT {
            return self.indexed_child(first, count, key, wanted);
        }
        let entries = &self.nodes[first as usize..first as usize + 2 * count as usize];
        let at = entries.chunks_exact(2).position(|entry| match entry[0] {
            Node::Str { start, len, hash } => hash == wanted && self.slice(start, len) == key,
            _ => false,
        })?;
        Some(first + 2 * at as u32 + 1)
    }

    fn indexed_child(&self, first: u32, count: u32, key: &str, wanted: u32) -> Option<u32> {
        let Node::Index(from) = self.nodes[first as usize - 1] else {
            return None;
        };
        let order = &self.sorted[from as usize..from as usize + count as usize];
        let found = objects::find(order, wanted, |position| {
            let entry = first + 2 * position as u32;
            self.key_text(entry).cmp(key)
        });
        Some(first + 2 * found? as u32 + 1)
    }
}

/// A cheap hash that tells the keys of one object apart; collisions only cost a comparison.
#[inline]
pub(crate) fn hash(key: &str) -> u32 {
    hash_bytes(key.as_bytes())
}

#[inline]
pub(crate) fn hash_bytes(bytes: &[u8]) -> u32 {
    let len = bytes.len();
    let word = |from: usize| -> u64 {
        bytes[from..]
            .first_chunk::<8>()
            .map_or(0, |chunk| u64::from_le_bytes(*chunk))
    };
    let half = |from: usize| -> u64 {
        bytes[from..]
            .first_chunk::<4>()
            .map_or(0, |chunk| u64::from(u32::from_le_bytes(*chunk)))
    };
    let mixed = match *bytes {
        [] => 0,
        [first, .., last] if len < 4 => u64::from_le_bytes([first, bytes[1], last, 0, 0, 0, 0, 0]),
        [first] => u64::from(first),
        _ if len < 8 => half(0) | half(len - 4) << 32,
        _ => word(0) ^ word(len - 8).rotate_left(29),
    };
    let spread = (mixed ^ (len as u64) << 56).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (spread >> 32) as u32
}

/// Constants nested deeper than this are rebuilt each time instead.
const MAX_FROZEN_DEPTH: usize = 100;

/// A document that holds a copy of a value, for constants of compiled programs.
pub(crate) fn freeze(value: &Value<'_>) -> Option<Document> {
    let mut document = Document::default();
    document.root = document.copy(value, MAX_FROZEN_DEPTH)?;
    Some(document)
}

// === impl Document: building ===

impl Document {
    fn copy(&mut self, value: &Value<'_>, depth: usize) -> Option<Node> {
        Some(match &value.0 {
            Repr::Null => Node::Null,
            Repr::Bool(value) => Node::Bool(*value),
            Repr::Num(value) => Node::Num(*value),
            Repr::LitRef(text) => self.copy_literal(text),
            Repr::LitOwn(text) => self.copy_literal(text),
            Repr::StrRef(text) => self.copy_string(text),
            Repr::StrOwn(text) => self.copy_string(text),
            Repr::ArrRef(..) | Repr::ArrOwn(_) => {
                let depth = depth.checked_sub(1)?;
                let mut children = Vec::new();
                for item in value.items() {
                    children.push(self.copy(&item, depth)?);
                }
                let (start, len) = self.append(&mut children);
                Node::Arr {
                    start,
                    len,
                    extent: value.to_json_string().len() as u32,
                }
            }
            Repr::ObjRef(..) | Repr::ObjOwn(_) => {
                let depth = depth.checked_sub(1)?;
                let mut children = Vec::new();
                for (key, item) in value.entries() {
                    children.push(self.copy_string(&key));
                    children.push(self.copy(&item, depth)?);
                }
                let count = children.len() / 2;
                if count > SCAN_LIMIT {
                    self.nodes.push(Node::Index(self.sorted.len() as u32));
                    objects::index(&children, &self.text, &mut self.sorted);
                }
                let (start, _) = self.append(&mut children);
                let extent = value.to_json_string().len() as u32;
                Node::Obj {
                    start,
                    len: count as u32,
                    extent,
                }
            }
        })
    }

    fn append(&mut self, children: &mut Vec<Node>) -> (u32, u32) {
        let start = self.nodes.len() as u32;
        let len = children.len() as u32;
        self.nodes.append(children);
        (start, len)
    }

    fn copy_text(&mut self, text: &str) -> (u32, u32) {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        (start, text.len() as u32)
    }

    fn copy_literal(&mut self, text: &str) -> Node {
        let (start, len) = self.copy_text(text);
        Node::Lit { start, len }
    }

    fn copy_string(&mut self, text: &str) -> Node {
        let (start, len) = self.copy_text(text);
        Node::Str {
            start,
            len,
            hash: hash(text),
        }
    }
}

/// Copies a value out of a document that is about to go, sharing nothing with it.
pub(crate) fn thaw<'a>(value: &Value<'_>, floor: usize) -> Option<Value<'a>> {
    if crate::stack::is_below(floor) {
        return None;
    }
    Some(match &value.0 {
        Repr::Null => Value::NULL,
        Repr::Bool(value) => Value(Repr::Bool(*value)),
        Repr::Num(value) => Value(Repr::Num(*value)),
        Repr::LitRef(text) => Value(Repr::LitOwn(Rc::new((*text).to_owned()))),
        Repr::LitOwn(text) => Value(Repr::LitOwn(Rc::new(text.to_string()))),
        Repr::StrRef(text) => Value::string(*text),
        Repr::StrOwn(text) => Value::string(text.to_string()),
        Repr::ArrRef(..) | Repr::ArrOwn(_) => Value::array(
            value
                .items()
                .map(|item| thaw(&item, floor))
                .collect::<Option<_>>()?,
        ),
        Repr::ObjRef(..) | Repr::ObjOwn(_) => {
            let mut map = crate::value::Map::with_capacity(value.len().unwrap_or(0));
            for (key, item) in value.entries() {
                map.push_unique(Key::Own(Rc::new(key.to_string())), thaw(&item, floor)?);
            }
            Value::object(map)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(text: &str) -> String {
        Document::parse(text.as_bytes())
            .unwrap()
            .root()
            .to_json_string()
    }

    #[test]
    fn nodes_are_small() {
        assert_eq!(size_of::<Node>(), 16);
        assert_eq!(size_of::<Value<'_>>(), 24);
    }

    #[test]
    fn keeps_order_and_last_of_duplicates() {
        assert_eq!(round(r#"{"b":1,"a":2,"b":3}"#), r#"{"b":3,"a":2}"#);
        let many: Vec<String> = (0..40).map(|n| format!(r#""k{}":{n}"#, n % 30)).collect();
        let parsed = Document::parse(format!("{{{}}}", many.join(",")).as_bytes()).unwrap();
        assert_eq!(parsed.root().len(), Some(30));
        assert_eq!(parsed.root().get("k3").and_then(|v| v.as_f64()), Some(33.0));
        assert_eq!(
            parsed.root().get("k12").and_then(|v| v.as_f64()),
            Some(12.0)
        );
        assert!(parsed.root().get("k30").is_none());
    }

    #[test]
    fn strings_unescape() {
        assert_eq!(
            round(r#""a\n\u00fc\ud83d\ude00\ud800x""#),
            "\"a\\nü😀\u{fffd}x\""
        );
    }

    #[test]
    fn a_document_can_be_shared_between_threads() {
        fn assert_send_sync<T: Send + Sync>() {}
        assert_send_sync::<Document>();
    }
}
