//! Escapes: classes, anchors, references and characters.

use super::classes::{LATIN_1_WORD, WORD, push_literal};
use super::names::{self, enclosed};
use super::{END, Translator};

const INVALID_CODE: &str = "invalid code point value";

// === impl Translator ===

impl Translator<'_> {
    pub(super) fn escape(&mut self) -> Result<(), String> {
        let next = self.next().ok_or("end pattern at escape")?;
        if matches!(next, 'Z' | 'z' | 'R' | 'X') {
            self.check_ahead()?;
        }
        match next {
            'w' => self.out.push_str(&format!("(?-i:[{WORD}{LATIN_1_WORD}])")),
            'W' => self.out.push_str(&format!("(?-i:[^{WORD}{LATIN_1_WORD}])")),
            'Z' => self.out.push(END),
            'z' => self.out.push_str(r"\z"),
            'd' | 'D' | 's' | 'S' | 'b' | 'B' | 'A' | 'G' | 'K' => {
                self.out.push('\\');
                self.out.push(next);
            }
            'R' => self
                .out
                .push_str(r"(?>\r\n|[\n\x0B\x0C\r\x{85}\x{2028}\x{2029}])"),
            'N' => self.out.push_str(r"[^\n]"),
            'O' => self.out.push_str("(?s:.)"),
            'y' => self.out.push_str(r"(?!(?<=[^\r\n])\p{M}|(?<=\r)\n)"),
            'Y' => self.out.push_str(r"(?=(?<=[^\r\n])\p{M}|(?<=\r)\n)"),
            'X' => self.out.push_str(r"(?>\r\n|\P{M}\p{M}*|\p{M}+)"),
            'p' | 'P' if self.rest.starts_with('{') => {
                // Alone, a property does not care for `(?i)`; in a class it does.
                let class = self.property(next == 'P')?;
                self.out.push_str(&format!("(?-i:{class})"));
            }
            'k' => {
                let number = self.reference()?;
                self.out.push_str(&format!(r"(?:\{number})"));
            }
            'g' if self.rest.starts_with(['<', '\'']) => {
                let number = self.reference()?;
                self.out.push_str(&format!(r"\g<{number}>"));
            }
            'Q' => {
                let (quoted, rest) = self.rest.split_once(r"\E").unwrap_or((self.rest, ""));
                quoted
                    .chars()
                    .for_each(|literal| push_literal(literal, &mut self.out));
                self.rest = rest;
            }
            '1'..='9' => {
                let more = self.rest.bytes().take_while(u8::is_ascii_digit).count();
                let digits = format!("{next}{}", &self.rest[..more]);
                let number: usize = digits.parse().unwrap_or(usize::MAX);
                if number > self.names.len() && next != '8' && next != '9' && digits.len() > 1 {
                    let character = self.octal(next);
                    push_literal(character, &mut self.out);
                    return Ok(());
                }
                if number > self.names.len() {
                    return Err(names::INVALID.to_owned());
                }
                self.rest = &self.rest[more..];
                self.out.push_str(&format!(r"(?:\{number})"));
            }
            _ => {
                let literal = self.character_escape(next)?;
                push_literal(literal, &mut self.out);
            }
        }
        Ok(())
    }

    /// An escape that stands for one character, in and out of classes.
    pub(super) fn character_escape(&mut self, next: char) -> Result<char, String> {
        Ok(match next {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'f' => '\x0c',
            'a' => '\x07',
            'e' => '\x1b',
            'x' => self.hex()?,
            '0' => self.octal('0'),
            'c' => {
                let control = self.next().ok_or("end pattern at control")?;
                char::from(control as u8 & 0x1f)
            }
            other => other,
        })
    }

    /// Digits behind `\x`; without any it is a mere letter where the pattern has no more to say.
    fn hex(&mut self) -> Result<char, String> {
        if let Some((digits, rest)) = self
            .rest
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'))
            .filter(|(digits, _)| !digits.is_empty())
        {
            self.rest = rest;
            let code = u32::from_str_radix(digits, 16).map_err(|_| INVALID_CODE)?;
            return char::from_u32(code).ok_or_else(|| INVALID_CODE.to_owned());
        }
        match self.hex_byte() {
            None if self.rest.is_empty() || self.rest.starts_with('{') => Ok('x'),
            None => Ok('\0'),
            Some(byte) => self.encoded(byte),
        }
    }

    fn hex_byte(&mut self) -> Option<u8> {
        let digits = self.rest.bytes().take(2);
        let len = digits.take_while(u8::is_ascii_hexdigit).count();
        let (digits, rest) = self.rest.split_at(len);
        self.rest = rest;
        u8::from_str_radix(digits, 16).ok()
    }

    /// A byte beyond ASCII has to be the first of a whole character in escapes.
    fn encoded(&mut self, first: u8) -> Result<char, String> {
        const SHORT: &str = "too short multibyte code string";
        if first.is_ascii() {
            return Ok(char::from(first));
        }
        let mut bytes = vec![first];
        loop {
            match std::str::from_utf8(&bytes) {
                Ok(text) => return text.chars().next().ok_or_else(|| SHORT.to_owned()),
                Err(error) if error.error_len().is_some() => return Err(INVALID_CODE.to_owned()),
                Err(_) => {}
            }
            if !self.eat("\\x") {
                return Err(SHORT.to_owned());
            }
            bytes.push(self.hex_byte().ok_or(SHORT)?);
        }
    }

    pub(super) fn octal(&mut self, first: char) -> char {
        let mut code = first.to_digit(8).unwrap_or(0);
        for _ in 0..2 {
            match self.rest.chars().next().and_then(|digit| digit.to_digit(8)) {
                Some(digit) => {
                    code = code * 8 + digit;
                    self.rest = &self.rest[1..];
                }
                None => break,
            }
        }
        char::from_u32(code).unwrap_or('\0')
    }

    /// The number of the group in `<name>` or `'name'`.
    fn reference(&mut self) -> Result<usize, String> {
        let (name, rest) = enclosed(self.rest).ok_or(names::INVALID)?;
        self.rest = rest;
        names::group_number(name, &self.names, self.opened)
    }
}
