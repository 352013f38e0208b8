//! The parser: one pass, no recursion, an explicit stack of open containers.

use std::fmt;

use super::objects::{self, Indexed};
use super::{Document, Node, scan};

/// Longest text that can be parsed: positions are 32 bits wide.
const MAX_BYTES: usize = (u32::MAX / 4) as usize;

/// What else than strict JSON is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// RFC 8259.
    Strict,
    /// As jq's `fromjson`: numbers of any decimal form, `nan` and `Infinity`; no lone surrogates.
    Jq,
}

/// Why a text is not a JSON document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    message: &'static str,
    line: usize,
    column: usize,
}

impl ParseError {
    /// The line of the error, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column of the error in bytes, from 1.
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        self.message
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at line {}, column {}",
            self.message, self.line, self.column
        )
    }
}

impl std::error::Error for ParseError {}

/// An open container: where its children start on the pending stack, and in the text.
struct Open {
    is_object: bool,
    pending_start: usize,
    text_start: usize,
}

pub(super) struct Parser<'p> {
    pub(super) bytes: &'p [u8],
    pub(super) at: usize,
    pub(super) dialect: Dialect,
    max_depth: usize,
    /// The document's buffer: the source text, then every string that had escapes.
    pub(super) text: &'p mut String,
    nodes: &'p mut Vec<Node>,
    sorted: &'p mut Vec<Indexed>,
    pub(super) pending: Vec<Node>,
    open: Vec<Open>,
}

pub(super) type Fallible<T> = Result<T, &'static str>;

/// Parses into a document; on failure the document is left `null`.
pub(super) fn parse_into(
    document: &mut Document,
    bytes: &[u8],
    max_depth: usize,
    dialect: Dialect,
) -> Result<(), ParseError> {
    document.text.clear();
    document.nodes.clear();
    document.sorted.clear();
    document.root = Node::Null;
    if bytes.len() > MAX_BYTES {
        return Err(ParseError {
            message: "text is too long",
            line: 1,
            column: 1,
        });
    }
    let source = std::str::from_utf8(bytes)
        .map_err(|error| locate("text is not UTF-8", bytes, error.valid_up_to()))?;
    // Room for some strings with escapes, which are written again behind the text.
    document.text.reserve(bytes.len() + bytes.len() / 8);
    document.text.push_str(source);
    // A node for every nine bytes is typical; guessing right saves the growth.
    document.nodes.reserve(bytes.len() / 8);
    let mut parser = Parser {
        bytes,
        at: 0,
        dialect,
        max_depth,
        text: &mut document.text,
        nodes: &mut document.nodes,
        sorted: &mut document.sorted,
        pending: Vec::with_capacity(64),
        open: Vec::with_capacity(16),
    };
    match parser.document() {
        Ok(root) => {
            document.root = root;
            Ok(())
        }
        // The reference counts what it has read, and says so at the end of the text.
        Err("Invalid numeric literal") if parser.at == bytes.len() => Err(locate(
            "Invalid numeric literal at EOF",
            bytes,
            parser.at.saturating_sub(1),
        )),
        Err(message) => Err(locate(message, bytes, parser.at)),
    }
}

/// Parses what `fromjson` accepts.
pub(crate) fn parse_lenient(text: &str) -> Result<Document, ParseError> {
    const MAX_DEPTH: usize = 10_000;
    let mut document = Document::default();
    parse_into(&mut document, text.as_bytes(), MAX_DEPTH, Dialect::Jq)?;
    Ok(document)
}

fn locate(message: &'static str, bytes: &[u8], at: usize) -> ParseError {
    let before = &bytes[..at.min(bytes.len())];
    let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
    let column = 1 + before
        .iter()
        .rev()
        .take_while(|&&byte| byte != b'\n')
        .count();
    ParseError {
        message,
        line,
        column,
    }
}

// === impl Parser ===

impl Parser<'_> {
    /// Values join the pending nodes as they end; the root is the only one in the end.
    fn document(&mut self) -> Fallible<Node> {
        if self.dialect == Dialect::Strict && self.bytes.starts_with(b"\xEF\xBB\xBF") {
            return Err("unexpected byte order mark");
        }
        self.skip_space();
        loop {
            // Here a value is expected.
            match self.bytes.get(self.at) {
                Some(b'"') => self.string::<false>()?,
                Some(b'[') => {
                    self.open_container(false)?;
                    if self.bytes.get(self.at) != Some(&b']') {
                        continue;
                    }
                    self.close_array()?;
                }
                Some(b'{') => {
                    self.open_container(true)?;
                    if self.bytes.get(self.at) != Some(&b'}') {
                        self.key()?;
                        continue;
                    }
                    self.close_object()?;
                }
                Some(_) => self.scalar()?,
                None => return Err("unexpected end of text, expected a value"),
            }
            if self.after_value()? {
                return self.pending.pop().ok_or("expected a value");
            }
        }
    }

    /// Closes what ends behind a value; whether that was the root.
    fn after_value(&mut self) -> Fallible<bool> {
        loop {
            self.skip_space();
            let Some(open) = self.open.last() else {
                return if self.at == self.bytes.len() {
                    Ok(true)
                } else {
                    Err("unexpected text after the value")
                };
            };
            match (self.bytes.get(self.at), open.is_object) {
                (Some(b','), is_object) => {
                    self.at += 1;
                    self.skip_space();
                    if is_object {
                        self.key()?;
                    }
                    return Ok(false);
                }
                (Some(b']'), false) => self.close_array()?,
                (Some(b'}'), true) => self.close_object()?,
                (None, _) => return Err("unexpected end of text in a container"),
                (Some(_), false) => return Err("expected ',' or ']'"),
                (Some(_), true) => return Err("expected ',' or '}'"),
            }
        }
    }

    fn open_container(&mut self, is_object: bool) -> Fallible<()> {
        if self.open.len() >= self.max_depth {
            return Err("Exceeds depth limit for parsing");
        }
        let pending_start = self.pending.len();
        self.open.push(Open {
            is_object,
            pending_start,
            text_start: self.at,
        });
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    fn close_array(&mut self) -> Fallible<()> {
        self.at += 1;
        let open = self.open.pop().ok_or("unbalanced bracket")?;
        let (start, len) = self.settle(open.pending_start);
        let extent = (self.at - open.text_start) as u32;
        self.pending.push(Node::Arr { start, len, extent });
        Ok(())
    }

    fn close_object(&mut self) -> Fallible<()> {
        self.at += 1;
        let open = self.open.pop().ok_or("unbalanced brace")?;
        let from = open.pending_start;
        let index = objects::finish(&mut self.pending, from, self.text, self.sorted);
        self.nodes.extend(index);
        let (start, len) = self.settle(from);
        let extent = (self.at - open.text_start) as u32;
        self.pending.push(Node::Obj {
            start,
            len: len / 2,
            extent,
        });
        Ok(())
    }

    /// Moves the pending children of a container to their place in the arena.
    fn settle(&mut self, from: usize) -> (u32, u32) {
        let start = self.nodes.len() as u32;
        self.nodes.extend_from_slice(&self.pending[from..]);
        self.pending.truncate(from);
        (start, self.nodes.len() as u32 - start)
    }

    #[inline(always)]
    fn skip_space(&mut self) {
        self.at = scan::skip_space(self.bytes, self.at);
    }

    /// A key and its colon; the key joins the pending nodes.
    fn key(&mut self) -> Fallible<()> {
        if self.bytes.get(self.at) != Some(&b'"') {
            return Err("expected a key in double quotes");
        }
        self.string::<true>()?;
        self.skip_space();
        if self.bytes.get(self.at) != Some(&b':') {
            return Err("expected ':' after a key");
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_what_json_forbids() {
        let rejected: &[&[u8]] = &[
            b"",
            b" ",
            b"[1,]",
            b"{\"a\":1,}",
            b"{a:1}",
            b"'a'",
            b"01",
            b"1.",
            b".5",
            b"+1",
            b"nan",
            b"1 2",
            b"[1",
            b"\"\x01\"",
            b"\"\\x\"",
            b"\"\\u12\"",
            b"tru",
            b"nulll",
            b"-",
            b"1e",
            b"\xff",
            b"[\"a\xc3\"]",
            b"// x\n1",
            b"\xEF\xBB\xBF1",
            b"}",
            b"[}",
            b"{]",
        ];
        for text in rejected {
            assert!(
                Document::parse(text).is_err(),
                "{:?}",
                String::from_utf8_lossy(text)
            );
        }
    }

    #[test]
    fn errors_have_a_place() {
        let error = Document::parse(b"{\n  \"a\": tru\n}").unwrap_err();
        assert_eq!(error.to_string(), "expected a value at line 2, column 8");
    }

    #[test]
    fn depth_is_limited_without_recursion() {
        let deep = "[".repeat(100_000);
        assert!(Document::parse(deep.as_bytes()).is_err());
        let nested = format!("{}{}", "[".repeat(512), "]".repeat(512));
        assert!(Document::parse(nested.as_bytes()).is_ok());
    }
}
