//! The parser: one pass, no recursion, an explicit stack of open containers.

use std::fmt;

use super::{Document, Node, SCAN_LIMIT, hash_bytes, scan};
use crate::number;

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

struct Parser<'p> {
    bytes: &'p [u8],
    at: usize,
    dialect: Dialect,
    max_depth: usize,
    /// The document's buffer: the source text, then every string that had escapes.
    text: &'p mut String,
    nodes: &'p mut Vec<Node>,
    sorted: &'p mut Vec<u32>,
    pending: Vec<Node>,
    open: Vec<Open>,
}

type Fallible<T> = Result<T, &'static str>;

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
    document.text.push_str(source);
    // A node for every ten bytes is typical; guessing right saves the growth.
    document.nodes.reserve(bytes.len() / 10);
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
    fn document(&mut self) -> Fallible<Node> {
        if self.dialect == Dialect::Strict && self.bytes.starts_with(b"\xEF\xBB\xBF") {
            return Err("unexpected byte order mark");
        }
        self.skip_space();
        loop {
            // Here a value is expected.
            let scalar = match self.bytes.get(self.at) {
                Some(b'[') => {
                    self.open_container(false)?;
                    if self.bytes.get(self.at) != Some(&b']') {
                        continue;
                    }
                    self.at += 1;
                    self.close_array()?
                }
                Some(b'{') => {
                    self.open_container(true)?;
                    if self.bytes.get(self.at) != Some(&b'}') {
                        self.key()?;
                        continue;
                    }
                    self.at += 1;
                    self.close_object()?
                }
                Some(_) => self.scalar()?,
                None => return Err("unexpected end of text, expected a value"),
            };
            if let Some(root) = self.after_value(scalar)? {
                return Ok(root);
            }
        }
    }

    /// Takes a finished value to its container, closing what ends here. The root ends all.
    fn after_value(&mut self, mut node: Node) -> Fallible<Option<Node>> {
        loop {
            self.skip_space();
            let Some(open) = self.open.last() else {
                return if self.at == self.bytes.len() {
                    Ok(Some(node))
                } else {
                    Err("unexpected text after the value")
                };
            };
            self.pending.push(node);
            let is_object = open.is_object;
            match (self.bytes.get(self.at), is_object) {
                (Some(b','), false) => {
                    self.at += 1;
                    self.skip_space();
                    return Ok(None);
                }
                (Some(b','), true) => {
                    self.at += 1;
                    self.skip_space();
                    self.key()?;
                    return Ok(None);
                }
                (Some(b']'), false) => {
                    self.at += 1;
                    node = self.close_array()?;
                }
                (Some(b'}'), true) => {
                    self.at += 1;
                    node = self.close_object()?;
                }
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

    fn close_array(&mut self) -> Fallible<Node> {
        let open = self.open.pop().ok_or("unbalanced bracket")?;
        let start = self.nodes.len() as u32;
        let len = (self.pending.len() - open.pending_start) as u32;
        self.nodes.extend(self.pending.drain(open.pending_start..));
        Ok(Node::Arr {
            start,
            len,
            extent: (self.at - open.text_start) as u32,
        })
    }

    fn close_object(&mut self) -> Fallible<Node> {
        let open = self.open.pop().ok_or("unbalanced brace")?;
        let extent = (self.at - open.text_start) as u32;
        if (self.pending.len() - open.pending_start) / 2 > SCAN_LIMIT {
            return Ok(self.close_large_object(open.pending_start, extent));
        }
        self.merge_duplicates(open.pending_start);
        let start = self.nodes.len() as u32;
        let len = ((self.pending.len() - open.pending_start) / 2) as u32;
        self.nodes.extend(self.pending.drain(open.pending_start..));
        Ok(Node::Obj { start, len, extent })
    }

    fn key_of(&self, node: Node) -> &[u8] {
        match node {
            Node::Str { start, len, .. } => {
                &self.text.as_bytes()[start as usize..start as usize + len as usize]
            }
            _ => &[],
        }
    }

    fn same_key(&self, left: Node, right: Node) -> bool {
        match (left, right) {
            (
                Node::Str {
                    hash: left_hash, ..
                },
                Node::Str {
                    hash: right_hash, ..
                },
            ) => left_hash == right_hash && self.key_of(left) == self.key_of(right),
            _ => false,
        }
    }

    /// Moves the last value of a repeated key to the key's first place; for few keys.
    fn merge_duplicates(&mut self, from: usize) {
        let mut at = from + 2;
        while at < self.pending.len() {
            let key = self.pending[at];
            let first = (from..at)
                .step_by(2)
                .find(|&first| self.same_key(self.pending[first], key));
            match first {
                Some(first) => {
                    self.pending[first + 1] = self.pending[at + 1];
                    self.pending.drain(at..at + 2);
                }
                None => at += 2,
            }
        }
    }

    /// As above for many keys, where pairwise comparison would be quadratic.
    fn close_large_object(&mut self, from: usize, extent: u32) -> Node {
        let count = (self.pending.len() - from) / 2;
        let mut order: Vec<u32> = (0..count as u32).collect();
        let key = |position: &u32| self.key_of(self.pending[from + 2 * *position as usize]);
        let hash = |position: &u32| match self.pending[from + 2 * *position as usize] {
            Node::Str { hash, .. } => hash,
            _ => 0,
        };
        // By hash first: equal hashes, which only hostile keys have, fall back on the text.
        order.sort_unstable_by(|left, right| {
            let by_key = || key(left).cmp(key(right)).then(left.cmp(right));
            hash(left).cmp(&hash(right)).then_with(by_key)
        });
        let repeated = order.windows(2).any(|pair| key(&pair[0]) == key(&pair[1]));
        if repeated {
            let mut keep = vec![true; count];
            let mut moves = Vec::new();
            for run in order.chunk_by(|left, right| key(left) == key(right)) {
                moves.push((run[0], run[run.len() - 1]));
                for &later in &run[1..] {
                    keep[later as usize] = false;
                }
            }
            for (first, last) in moves {
                self.pending[from + 2 * first as usize + 1] =
                    self.pending[from + 2 * last as usize + 1];
            }
            let entries = self.pending.split_off(from);
            for (entry, keep) in entries.chunks_exact(2).zip(keep) {
                if keep {
                    self.pending.extend_from_slice(entry);
                }
            }
            return if (self.pending.len() - from) / 2 > SCAN_LIMIT {
                self.close_large_object(from, extent)
            } else {
                let start = self.nodes.len() as u32;
                let len = ((self.pending.len() - from) / 2) as u32;
                self.nodes.extend(self.pending.drain(from..));
                Node::Obj { start, len, extent }
            };
        }
        self.nodes.push(Node::Index(self.sorted.len() as u32));
        self.sorted.append(&mut order);
        let start = self.nodes.len() as u32;
        self.nodes.extend(self.pending.drain(from..));
        Node::Obj {
            start,
            len: count as u32,
            extent,
        }
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
        let key = self.string()?;
        self.pending.push(key);
        self.skip_space();
        if self.bytes.get(self.at) != Some(&b':') {
            return Err("expected ':' after a key");
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    fn scalar(&mut self) -> Fallible<Node> {
        let first = self.bytes[self.at];
        match first {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' if self.dialect == Dialect::Strict => self.number(),
            b't' if self.word(b"true") => Ok(Node::Bool(true)),
            b'f' if self.word(b"false") => Ok(Node::Bool(false)),
            b'n' if self.word(b"null") => Ok(Node::Null),
            b'-' | b'+' | b'.' | b'0'..=b'9' | b'n' | b'N' | b'i' | b'I'
                if self.dialect == Dialect::Jq =>
            {
                self.loose_number()
            }
            _ => Err("expected a value"),
        }
    }

    fn word(&mut self, word: &[u8]) -> bool {
        let rest = &self.bytes[self.at..];
        let ends = !rest.get(word.len()).is_some_and(u8::is_ascii_alphanumeric);
        let found = rest.starts_with(word) && ends;
        if found {
            self.at += word.len();
        }
        found
    }

    fn number(&mut self) -> Fallible<Node> {
        let start = self.at;
        if self.bytes[self.at] == b'-' {
            self.at += 1;
        }
        let digits_start = self.at;
        let mut value: i64 = 0;
        while let Some(&digit @ b'0'..=b'9') = self.bytes.get(self.at) {
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            self.at += 1;
        }
        let digits = self.at - digits_start;
        if digits == 0 {
            return Err("expected a digit");
        }
        if digits > 1 && self.bytes[digits_start] == b'0' {
            return Err("unexpected leading zero");
        }
        let is_integer = !matches!(self.bytes.get(self.at), Some(b'.' | b'e' | b'E'));
        let negative = digits_start > start;
        // `-0` keeps its sign as a literal.
        if is_integer && digits <= 15 && !(negative && value == 0) {
            return Ok(Node::Num(if negative { -value } else { value } as f64));
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Node::Lit {
            start: start as u32,
            len: (self.at - start) as u32,
        })
    }

    fn digits(&mut self) -> Fallible<()> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == start {
            Err("expected a digit")
        } else {
            Ok(())
        }
    }

    /// A number of any decimal form, as `fromjson` and `tonumber` take it.
    fn loose_number(&mut self) -> Fallible<Node> {
        let start = self.at;
        while self
            .bytes
            .get(self.at)
            .is_some_and(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        {
            self.at += 1;
        }
        let text = &self.text[start..self.at];
        if let Some(value) = special_number(text) {
            return Ok(Node::Num(value));
        }
        if number::is_plain_integer(text.as_bytes()) {
            return Ok(Node::Num(number::literal_to_f64(text)));
        }
        match number::Decimal::parse(text) {
            Some(_) => Ok(Node::Lit {
                start: start as u32,
                len: (self.at - start) as u32,
            }),
            None => Err("Invalid numeric literal"),
        }
    }

    fn string(&mut self) -> Fallible<Node> {
        let start = self.at + 1;
        let end = scan::string_end(self.bytes, start);
        if self.bytes.get(end) == Some(&b'"') {
            self.at = end + 1;
            let hash = hash_bytes(&self.bytes[start..end]);
            return Ok(Node::Str {
                start: start as u32,
                len: (end - start) as u32,
                hash,
            });
        }
        self.escaped_string(start, end)
    }

    /// A string with escapes: its text is written behind the source text.
    fn escaped_string(&mut self, mut from: usize, mut end: usize) -> Fallible<Node> {
        let start = self.text.len();
        loop {
            // Both ends are next to ASCII bytes, so this never cuts a character.
            let piece = std::str::from_utf8(&self.bytes[from..end]).unwrap_or_default();
            self.text.push_str(piece);
            self.at = end;
            match self.bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(_) => return Err("control characters in strings must be escaped"),
                None => return Err("unexpected end of text in a string"),
            }
            from = self.at;
            end = scan::string_end(self.bytes, from);
        }
        self.at += 1;
        let len = self.text.len() - start;
        let hash = hash_bytes(&self.text.as_bytes()[start..]);
        Ok(Node::Str {
            start: start as u32,
            len: len as u32,
            hash,
        })
    }

    fn escape(&mut self) -> Fallible<()> {
        let escaped = match self.bytes.get(self.at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 2;
                let character = self.unicode_escape()?;
                self.text.push(character);
                return Ok(());
            }
            _ => return Err("Invalid escape"),
        };
        self.text.push(escaped);
        self.at += 2;
        Ok(())
    }

    /// The four hex digits at the cursor, and a second escape when they are half a pair.
    fn unicode_escape(&mut self) -> Fallible<char> {
        let first = self.hex4()?;
        if let Some(character) = char::from_u32(first) {
            return Ok(character);
        }
        let is_high = (0xD800..0xDC00).contains(&first);
        if is_high && self.bytes.get(self.at..self.at + 2) == Some(b"\\u") {
            let before = self.at;
            self.at += 2;
            let second = self.hex4()?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before;
        }
        match self.dialect {
            Dialect::Strict => Ok(char::REPLACEMENT_CHARACTER),
            Dialect::Jq => Err("Invalid \\uXXXX\\uXXXX surrogate pair escape"),
        }
    }

    fn hex4(&mut self) -> Fallible<u32> {
        let digits = self
            .bytes
            .get(self.at..self.at + 4)
            .ok_or("Invalid escape")?;
        let mut value = 0;
        for &digit in digits {
            let digit = char::from(digit).to_digit(16).ok_or("Invalid escape")?;
            value = value << 4 | digit;
        }
        self.at += 4;
        Ok(value)
    }
}

/// Numbers that decimal text cannot express.
pub(crate) fn special_number(text: &str) -> Option<f64> {
    let (negative, word) = match text.strip_prefix('-') {
        Some(word) => (true, word),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if word.eq_ignore_ascii_case("nan") {
        return Some(f64::NAN);
    }
    if word.eq_ignore_ascii_case("infinity") || word.eq_ignore_ascii_case("inf") {
        return Some(if negative {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        });
    }
    None
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
