//! Tokens, produced one at a time because strings switch back and forth between text and program.

/// A token of the program text; keywords are words.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token<'t> {
    /// `name` or `space::name`, keywords included.
    Word(&'t str),
    /// `.name`
    Field(&'t str),
    /// `$name`
    Binding(&'t str),
    /// `@name`
    Format(&'t str),
    Number(&'t str),
    /// An opening quote; the text after it is read by [`Lexer::string_text`].
    Quote,
    /// An operator or punctuation.
    Symbol(&'static str),
    End,
    /// A byte that starts no token.
    Invalid(char),
}

/// Longest symbols first: the first that matches wins.
const SYMBOLS: [&str; 37] = [
    "?//", "//=", "!=", "==", "//", "|=", "+=", "-=", "*=", "/=", "%=", "<=", ">=", "..", ".", "?",
    "=", ";", ",", ":", "|", "+", "-", "*", "/", "%", "$", "<", ">", "[", "]", "{", "}", "(", ")",
    // Kept last: they never start a valid token, but name themselves in errors.
    "&", "!",
];

const KEYWORDS: [&str; 18] = [
    "as", "import", "include", "module", "def", "if", "then", "else", "elif", "and", "or", "end",
    "reduce", "foreach", "try", "catch", "label", "break",
];

/// Whether a word is reserved and cannot name a function.
pub(crate) fn is_keyword(word: &str) -> bool {
    KEYWORDS.contains(&word)
}

/// What stands in a string up to its next interpolation or its end.
pub(crate) enum StringStop {
    Interpolation,
    End,
}

pub(crate) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

// === impl Token ===

impl Token<'_> {
    /// The token as error messages show it.
    pub(crate) fn describe(&self) -> String {
        match self {
            Token::Word(word) => format!("`{word}`"),
            Token::Field(name) => format!("`.{name}`"),
            Token::Binding(name) => format!("`${name}`"),
            Token::Format(name) => format!("`@{name}`"),
            Token::Number(text) => format!("`{text}`"),
            Token::Quote => "a string".to_owned(),
            Token::Symbol(symbol) => format!("`{symbol}`"),
            Token::End => "end of program".to_owned(),
            Token::Invalid(character) => format!("character `{character}`"),
        }
    }
}

// === impl Lexer ===

impl<'t> Lexer<'t> {
    pub(crate) fn new(text: &'t str) -> Lexer<'t> {
        Lexer { text, at: 0 }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// The next token and where it starts.
    pub(crate) fn next_token(&mut self) -> (Token<'t>, usize) {
        self.skip_blanks();
        let start = self.at;
        (self.token(), start)
    }

    fn skip_blanks(&mut self) {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(b'#') => self.skip_comment(),
                _ => return,
            }
        }
    }

    /// A comment ends with its line, unless an odd number of backslashes ends the line.
    fn skip_comment(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'\n' => return,
                b'\\' => match bytes.get(self.at) {
                    Some(b'\\' | b'\n') => self.at += 1,
                    Some(b'\r') if bytes.get(self.at + 1) == Some(&b'\n') => self.at += 2,
                    _ => {}
                },
                _ => {}
            }
        }
    }

    fn token(&mut self) -> Token<'t> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let Some(&first) = bytes.first() else {
            return Token::End;
        };
        let second = bytes.get(1).copied().unwrap_or(0);
        match first {
            b'"' => {
                self.at += 1;
                Token::Quote
            }
            b'.' if is_word_start(second) => {
                Token::Field(&self.take(1 + word_len(&bytes[1..]))[1..])
            }
            b'0'..=b'9' => Token::Number(self.take(number_len(bytes))),
            b'.' if second.is_ascii_digit() => Token::Number(self.take(number_len(bytes))),
            b'$' if is_word_start(second) => {
                Token::Binding(&self.take(1 + path_len(&bytes[1..]))[1..])
            }
            b'@' if is_word_byte(second) => {
                let len = bytes[1..]
                    .iter()
                    .take_while(|&&byte| is_word_byte(byte))
                    .count();
                Token::Format(&self.take(1 + len)[1..])
            }
            _ if is_word_start(first) => Token::Word(self.take(path_len(bytes))),
            _ => match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
                Some(symbol) => {
                    self.at += symbol.len();
                    Token::Symbol(symbol)
                }
                None => {
                    let character = rest.chars().next().unwrap_or('\0');
                    self.at += character.len_utf8();
                    Token::Invalid(character)
                }
            },
        }
    }

    fn take(&mut self, len: usize) -> &'t str {
        let taken = &self.text[self.at..self.at + len];
        self.at += len;
        taken
    }

    /// Reads string text after an opening quote or an interpolation into `out`.
    pub(crate) fn string_text(&mut self, out: &mut String) -> Result<StringStop, &'static str> {
        loop {
            let rest = self.rest();
            let Some(stop) = rest.find(['"', '\\']) else {
                self.at = self.text.len();
                return Err("unexpected end of program in a string");
            };
            out.push_str(&rest[..stop]);
            self.at += stop;
            if rest.as_bytes()[stop] == b'"' {
                self.at += 1;
                return Ok(StringStop::End);
            }
            if rest.as_bytes().get(stop + 1) == Some(&b'(') {
                self.at += 2;
                return Ok(StringStop::Interpolation);
            }
            self.escape(out)?;
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), &'static str> {
        const INVALID: &str = "invalid escape in a string";
        let escaped = match self.rest().as_bytes().get(1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.hex4().ok_or(INVALID)?;
                out.push(self.unicode(first)?);
                return Ok(());
            }
            _ => return Err(INVALID),
        };
        out.push(escaped);
        self.at += 2;
        Ok(())
    }

    /// Takes `\uXXXX` at the cursor.
    fn hex4(&mut self) -> Option<u32> {
        let digits = self.rest().strip_prefix("\\u")?.get(..4)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 6;
        u32::from_str_radix(digits, 16).ok()
    }

    fn unicode(&mut self, first: u32) -> Result<char, &'static str> {
        if let Some(character) = char::from_u32(first) {
            return Ok(character);
        }
        if (0xD800..0xDC00).contains(&first)
            && let Some(second) = self.hex4()
            && (0xDC00..0xE000).contains(&second)
        {
            let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        Err("invalid surrogate pair in a string")
    }
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn word_len(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|&&byte| is_word_byte(byte)).count()
}

/// The length of `a::b::c`.
fn path_len(bytes: &[u8]) -> usize {
    let mut len = word_len(bytes);
    while bytes[len..].starts_with(b"::") && bytes.get(len + 2).is_some_and(|&b| is_word_start(b)) {
        len += 2 + word_len(&bytes[len + 2..]);
    }
    len
}

fn number_len(bytes: &[u8]) -> usize {
    let digits = |from: usize| {
        bytes[from..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let mut len = digits(0);
    if bytes.get(len) == Some(&b'.') {
        len += 1;
        len += digits(len);
    }
    if let Some(b'e' | b'E') = bytes.get(len) {
        let sign = usize::from(matches!(bytes.get(len + 1), Some(b'+' | b'-')));
        let exponent = digits((len + 1 + sign).min(bytes.len()));
        if exponent > 0 {
            len += 1 + sign + exponent;
        }
    }
    len
}
