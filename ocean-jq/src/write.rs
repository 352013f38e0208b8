//! JSON text: the one printer behind `tojson`, `tostring`, error messages and outputs.

use crate::number;
use crate::value::{Repr, Value};

/// The reference prints a remark instead of levels beyond this depth.
const MAX_DEPTH: usize = 10_000;
const TOO_DEEP: &str = "<skipped: too deep>";

/// Prints values without recursion; stops at a size when it has a bound.
pub(crate) struct JsonWriter {
    max_bytes: usize,
}

/// A container that is being printed.
struct Open<'a> {
    container: Value<'a>,
    at: usize,
    len: usize,
    is_object: bool,
}

impl JsonWriter {
    pub(crate) fn unbounded() -> JsonWriter {
        JsonWriter {
            max_bytes: usize::MAX,
        }
    }

    pub(crate) fn bounded(max_bytes: usize) -> JsonWriter {
        JsonWriter { max_bytes }
    }

    /// Appends the text of the value; `false` when the bound cut it short.
    pub(crate) fn write(&self, value: &Value<'_>, out: &mut String) -> bool {
        let mut open: Vec<Open<'_>> = Vec::new();
        if let Some(container) = start(value, 0, out) {
            open.push(container);
        }
        while let Some(top) = open.last_mut() {
            if out.len() > self.max_bytes {
                return false;
            }
            if top.at == top.len {
                out.push(if top.is_object { '}' } else { ']' });
                open.pop();
                continue;
            }
            if top.at > 0 {
                out.push(',');
            }
            let item = if top.is_object {
                match top.container.entry_at(top.at) {
                    Some((key, item)) => {
                        write_string(&key, out);
                        out.push(':');
                        item
                    }
                    None => Value::NULL,
                }
            } else {
                top.container.item_at(top.at).unwrap_or(Value::NULL)
            };
            top.at += 1;
            if let Some(container) = start(&item, open.len(), out) {
                open.push(container);
            }
        }
        out.len() <= self.max_bytes
    }
}

/// Prints a scalar whole, and of a container the opening bracket.
fn start<'a>(value: &Value<'a>, depth: usize, out: &mut String) -> Option<Open<'a>> {
    match &value.0 {
        Repr::Null => out.push_str("null"),
        Repr::Bool(true) => out.push_str("true"),
        Repr::Bool(false) => out.push_str("false"),
        Repr::Num(number) => number::write_f64(*number, out),
        Repr::LitRef(text) => number::write_literal(text, out),
        Repr::LitOwn(text) => number::write_literal(text, out),
        Repr::StrRef(text) => write_string(text, out),
        Repr::StrOwn(text) => write_string(text, out),
        _ if depth > MAX_DEPTH => out.push_str(TOO_DEEP),
        Repr::ArrRef(..) | Repr::ArrOwn(_) | Repr::ObjRef(..) | Repr::ObjOwn(_) => {
            let is_object = matches!(value.0, Repr::ObjRef(..) | Repr::ObjOwn(_));
            out.push(if is_object { '{' } else { '[' });
            let len = value.len().unwrap_or(0);
            return Some(Open {
                container: value.clone(),
                at: 0,
                len,
                is_object,
            });
        }
    }
    None
}

/// Appends a string with quotes and escapes.
pub(crate) fn write_string(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0x00..=0x1f | 0x7f => {
                out.push_str(&text[from..at]);
                out.push_str("\\u00");
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
                from = at + 1;
                continue;
            }
            _ => continue,
        };
        out.push_str(&text[from..at]);
        out.push_str(escape);
        from = at + 1;
    }
    out.push_str(&text[from..]);
    out.push('"');
}

/// The text of a value as error messages show it: at most `max` bytes, cut with an ellipsis.
pub(crate) fn excerpt(value: &Value<'_>, max: usize) -> String {
    // Error messages need only the first bytes; a bounded print keeps them cheap for any value.
    let mut text = String::new();
    match value.as_str() {
        Some(string) if string.len() > max => {
            let cut: String = string.chars().take(max).collect();
            write_string(&cut, &mut text);
        }
        _ => {
            JsonWriter::bounded(max * 4).write(value, &mut text);
        }
    }
    if text.len() < max {
        return text;
    }
    let closing = match text.as_bytes().first() {
        Some(b'"') => "\"",
        Some(b'[') => "]",
        Some(b'{') => "}",
        _ => "",
    };
    let mut end = max - if closing.is_empty() { 4 } else { 5 };
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.push_str("...");
    text.push_str(closing);
    text
}
