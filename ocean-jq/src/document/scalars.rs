//! Strings and numbers of the parser.

use super::parse::{Dialect, Fallible, Parser};
use super::{Node, hash_bytes, scan};
use crate::number;

// === impl Parser ===

impl Parser<'_> {
    /// A number or a word joins the pending nodes.
    pub(super) fn scalar(&mut self) -> Fallible<()> {
        let first = self.bytes[self.at];
        let node = match first {
            b'-' | b'0'..=b'9' if self.dialect == Dialect::Strict => self.number()?,
            b't' if self.word(b"true") => Node::Bool(true),
            b'f' if self.word(b"false") => Node::Bool(false),
            b'n' if self.word(b"null") => Node::Null,
            b'-' | b'+' | b'.' | b'0'..=b'9' | b'n' | b'N' | b'i' | b'I'
                if self.dialect == Dialect::Jq =>
            {
                self.loose_number()?
            }
            _ => return Err("expected a value"),
        };
        self.pending.push(node);
        Ok(())
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

    /// A string joins the pending nodes. Only keys are looked up, so only they have a hash.
    #[inline]
    pub(super) fn string<const IS_KEY: bool>(&mut self) -> Fallible<()> {
        let start = self.at + 1;
        let end = scan::string_end(self.bytes, start);
        if self.bytes.get(end) != Some(&b'"') {
            return self.escaped_string(start, end, IS_KEY);
        }
        self.at = end + 1;
        let hash = if IS_KEY {
            hash_bytes(&self.bytes[start..end])
        } else {
            0
        };
        self.pending.push(Node::Str {
            start: start as u32,
            len: (end - start) as u32,
            hash,
        });
        Ok(())
    }

    /// A string with escapes: its text is written behind the source text.
    fn escaped_string(&mut self, mut from: usize, mut end: usize, is_key: bool) -> Fallible<()> {
        let start = self.text.len();
        loop {
            // Both ends are next to ASCII bytes, so this never cuts a character.
            self.text.extend_from_within(from..end);
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
        let hash = if is_key {
            hash_bytes(&self.text.as_bytes()[start..])
        } else {
            0
        };
        self.pending.push(Node::Str {
            start: start as u32,
            len: len as u32,
            hash,
        });
        Ok(())
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
