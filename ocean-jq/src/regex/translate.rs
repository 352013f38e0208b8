//! Rewrites a pattern from the reference's syntax to the engine's.
//!
//! Differences that matter: `$` also stands before a final newline; brackets, `&&` and braces that
//! mean nothing are literals; named groups keep unnamed ones numbered and may repeat a name; POSIX
//! classes know Unicode; `\h`, `\<` and unknown escapes are literals; `(?m)` is Perl's.

/// What `$` becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchors {
    /// The end: right for texts that do not end in a newline.
    Plain,
    BeforeNewline,
}

#[derive(Debug)]
pub(super) struct Translation {
    /// The pattern, cut at every `$` that means the end of the text.
    pieces: Vec<String>,
    /// Names of the groups, in order.
    pub(super) names: Vec<Option<String>>,
    pub(super) has_end_anchor: bool,
}

// === impl Translation ===

impl Translation {
    pub(super) fn text(&self, anchors: Anchors) -> String {
        self.pieces.join(match anchors {
            Anchors::Plain => r"\z",
            Anchors::BeforeNewline => r"(?=\n?\z)",
        })
    }
}

struct Translator<'p> {
    rest: &'p str,
    out: String,
    pieces: Vec<String>,
    names: Vec<Option<String>>,
    /// Options per open group: extended syntax, and lines for `^` and `$`.
    options: Vec<Options>,
    extended_default: bool,
}

#[derive(Clone, Copy)]
struct Options {
    extended: bool,
    lines: bool,
}

pub(super) fn translate(pattern: &str, extended: bool) -> Result<Translation, String> {
    let mut translator = Translator {
        rest: pattern,
        out: String::with_capacity(pattern.len() + 8),
        pieces: Vec::new(),
        names: group_names(pattern),
        options: vec![Options {
            extended,
            lines: false,
        }],
        extended_default: extended,
    };
    translator.pattern()?;
    let Translator {
        out,
        mut pieces,
        names,
        ..
    } = translator;
    pieces.push(out);
    Ok(Translation {
        has_end_anchor: pieces.len() > 1,
        pieces,
        names,
    })
}

/// Names of all capturing groups; found first, because references may look forward.
fn group_names(pattern: &str) -> Vec<Option<String>> {
    let mut names = Vec::new();
    let bytes = pattern.as_bytes();
    let mut at = 0;
    let mut in_class = false;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'[' if !in_class => {
                in_class = true;
                // A bracket right behind the opening one is a literal.
                if bytes.get(at + 1) == Some(&b'^') {
                    at += 1;
                }
                if bytes.get(at + 1) == Some(&b']') {
                    at += 1;
                }
            }
            b'[' if bytes.get(at + 1) == Some(&b':') => {
                if let Some(len) = pattern.get(at..).and_then(|rest| rest.find(":]")) {
                    at += len + 1;
                }
            }
            b']' => in_class = false,
            b'(' if !in_class => {
                let rest = pattern.get(at + 1..).unwrap_or_default();
                let named = rest
                    .strip_prefix("?<")
                    .filter(|rest| !rest.starts_with(['=', '!']));
                match named {
                    Some(named) => names.push(named.split('>').next().map(str::to_owned)),
                    None if rest.starts_with('?') => {}
                    None => names.push(None),
                }
            }
            _ => {}
        }
        at += 1;
    }
    names
}

// === impl Translator ===

impl Translator<'_> {
    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    fn eat(&mut self, prefix: &str) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn current(&self) -> Options {
        let default = Options {
            extended: self.extended_default,
            lines: false,
        };
        self.options.last().copied().unwrap_or(default)
    }

    fn pattern(&mut self) -> Result<(), String> {
        while let Some(next) = self.next() {
            match next {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.group()?,
                ')' => {
                    if self.options.len() == 1 {
                        return Err("unmatched close parenthesis".to_owned());
                    }
                    self.options.pop();
                    self.out.push(')');
                }
                '$' if self.current().lines => self.out.push_str("(?m:$)"),
                '$' => self.pieces.push(std::mem::take(&mut self.out)),
                '^' if self.current().lines => self.out.push_str("(?m:^)"),
                '^' => self.out.push_str(r"\A"),
                '{' => self.brace(),
                '#' if self.current().extended => {
                    while self.next().is_some_and(|next| next != '\n') {}
                }
                ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c' if self.current().extended => {}
                '.' | '|' | '*' | '+' | '?' => self.out.push(next),
                literal => push_literal(literal, &mut self.out),
            }
        }
        if self.options.len() > 1 {
            return Err("end pattern with unmatched parenthesis".to_owned());
        }
        Ok(())
    }

    /// A brace that is no repetition is a literal.
    fn brace(&mut self) {
        let Some((inside, rest)) = self.rest.split_once('}') else {
            self.out.push_str(r"\{");
            return;
        };
        let mut bounds = inside.splitn(2, ',');
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let from = bounds.next().is_some_and(is_number);
        let to = bounds
            .next()
            .is_none_or(|to| to.is_empty() || is_number(to));
        if from && to {
            self.out.push('{');
            self.out.push_str(inside);
            self.out.push('}');
            self.rest = rest;
        } else {
            self.out.push_str(r"\{");
        }
    }

    fn group(&mut self) -> Result<(), String> {
        let options = self.current();
        if self.rest.starts_with("?#") {
            let end = self.rest.find(')').ok_or("end pattern in group")?;
            self.rest = &self.rest[end + 1..];
            return Ok(());
        }
        for prefix in ["?:", "?=", "?!", "?>", "?<=", "?<!"] {
            if self.eat(prefix) {
                self.options.push(options);
                self.out.push('(');
                self.out.push_str(prefix);
                return Ok(());
            }
        }
        if self.eat("?<") {
            let (name, rest) = self.rest.split_once('>').ok_or("end pattern in group")?;
            let first = name.chars().next().ok_or("group name is empty")?;
            if first.is_ascii_digit() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
                return Err(format!("invalid group name <{name}>"));
            }
            self.rest = rest;
            self.options.push(options);
            self.out.push('(');
            return Ok(());
        }
        if self.eat("?") {
            return self.inline_options(options);
        }
        self.options.push(options);
        self.out.push('(');
        Ok(())
    }

    /// `(?i)`, `(?ms-x:…)`
    fn inline_options(&mut self, mut options: Options) -> Result<(), String> {
        let (mut on, mut off) = (String::new(), String::new());
        let mut negated = false;
        loop {
            match self.next().ok_or("end pattern in group")? {
                '-' if !negated => negated = true,
                'x' => options.extended = !negated,
                'm' => options.lines = !negated,
                flag @ ('i' | 's') => if negated { &mut off } else { &mut on }.push(flag),
                end @ (')' | ':') => {
                    let off = if off.is_empty() {
                        off
                    } else {
                        format!("-{off}")
                    };
                    let flags = format!("{on}{off}");
                    if end == ':' {
                        self.options.push(options);
                        self.out.push_str(&format!("(?{flags}:"));
                    } else {
                        // The options hold to the end of the enclosing group.
                        if let Some(current) = self.options.last_mut() {
                            *current = options;
                        }
                        if !flags.is_empty() {
                            self.out.push_str(&format!("(?{flags})"));
                        }
                    }
                    return Ok(());
                }
                _ => return Err("undefined group option".to_owned()),
            }
        }
    }

    fn escape(&mut self) -> Result<(), String> {
        let next = self.next().ok_or("end pattern at escape")?;
        match next {
            'd' | 'D' | 's' | 'S' | 'w' | 'W' | 'b' | 'B' | 'A' | 'z' | 'G' | 'K' => {
                self.out.push('\\');
                self.out.push(next);
            }
            'Z' => self.pieces.push(std::mem::take(&mut self.out)),
            'R' => self
                .out
                .push_str(r"(?>\r\n|[\n\x0B\x0C\r\x{85}\x{2028}\x{2029}])"),
            'N' => self.out.push_str(r"[^\n]"),
            'X' => self.out.push_str(r"(?>\r\n|\P{M}\p{M}*|\p{M}+)"),
            'p' | 'P' => {
                let class = self.property(next == 'P')?;
                self.out.push_str(&class);
            }
            'k' => {
                let name = self
                    .rest
                    .strip_prefix('<')
                    .and_then(|rest| rest.split_once('>'));
                let (name, rest) = name.ok_or("invalid backref number/name")?;
                let number = match name.parse::<usize>() {
                    Ok(number) => Some(number),
                    Err(_) => {
                        let found = self.names.iter().rposition(|n| n.as_deref() == Some(name));
                        found.map(|at| at + 1)
                    }
                };
                let number = number.ok_or_else(|| format!("undefined name <{name}> reference"))?;
                self.rest = rest;
                self.out.push_str(&format!(r"(?:\{number})"));
            }
            'g' if self.rest.starts_with('<') => {
                return Err("subexpression calls are not supported".to_owned());
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
                    return Err("invalid backref number/name".to_owned());
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
    fn character_escape(&mut self, next: char) -> Result<char, String> {
        Ok(match next {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'f' => '\x0c',
            'v' => '\x0b',
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

    fn hex(&mut self) -> Result<char, String> {
        let digits = match self
            .rest
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'))
        {
            Some((digits, rest)) => {
                self.rest = rest;
                digits
            }
            None => {
                let len = self
                    .rest
                    .bytes()
                    .take(2)
                    .take_while(u8::is_ascii_hexdigit)
                    .count();
                let (digits, rest) = self.rest.split_at(len);
                self.rest = rest;
                digits
            }
        };
        if digits.is_empty() {
            return Ok('\0');
        }
        let code = u32::from_str_radix(digits, 16).map_err(|_| "invalid code point value")?;
        char::from_u32(code).ok_or_else(|| "invalid code point value".to_owned())
    }

    fn octal(&mut self, first: char) -> char {
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

    /// `{Name}` or `{^Name}` after `\p`, as a class of the engine.
    fn property(&mut self, mut negated: bool) -> Result<String, String> {
        let inside = self
            .rest
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'));
        let (mut name, rest) = inside.ok_or("invalid character property name")?;
        self.rest = rest;
        if let Some(positive) = name.strip_prefix('^') {
            negated = !negated;
            name = positive;
        }
        let class = match posix_class(&name.to_ascii_lowercase()) {
            Some(class) => class.to_owned(),
            None => format!(r"\p{{{name}}}"),
        };
        Ok(if negated {
            format!("[^{class}]")
        } else {
            format!("[{class}]")
        })
    }

    fn class(&mut self) -> Result<(), String> {
        const UNCLOSED: &str = "premature end of char-class";
        self.out.push('[');
        if self.eat("^") {
            self.out.push('^');
        }
        let mut is_first = true;
        loop {
            let next = self.next().ok_or(UNCLOSED)?;
            match next {
                ']' if !is_first => break,
                ']' if !self.rest.contains(']') => return Err("empty char-class".to_owned()),
                '[' if self.posix_bracket()? => {}
                '\\' => self.class_escape()?,
                '-' => {
                    // A range only between two characters; at either end a literal.
                    let is_range = !is_first && !self.rest.starts_with(']');
                    self.out.push_str(if is_range { "-" } else { r"\-" });
                }
                literal => push_class_literal(literal, &mut self.out),
            }
            is_first = false;
        }
        self.out.push(']');
        Ok(())
    }

    /// `[:alpha:]` or `[:^alpha:]` behind an opening bracket inside a class.
    fn posix_bracket(&mut self) -> Result<bool, String> {
        let Some((name, rest)) = self
            .rest
            .strip_prefix(':')
            .and_then(|rest| rest.split_once(":]"))
        else {
            return Ok(false);
        };
        let (negated, name) = match name.strip_prefix('^') {
            Some(name) => (true, name),
            None => (false, name),
        };
        let Some(class) = posix_class(name) else {
            return Ok(false);
        };
        self.rest = rest;
        self.out.push_str(if negated { "[^" } else { "[" });
        self.out.push_str(class);
        self.out.push(']');
        Ok(true)
    }

    fn class_escape(&mut self) -> Result<(), String> {
        let next = self.next().ok_or("end pattern at escape")?;
        match next {
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => {
                self.out.push('\\');
                self.out.push(next);
            }
            'p' | 'P' => {
                let class = self.property(next == 'P')?;
                self.out.push_str(&class);
            }
            'b' => self.out.push_str(r"\x08"),
            '1'..='7' => {
                let literal = self.octal(next);
                push_class_literal(literal, &mut self.out);
            }
            _ => {
                let literal = self.character_escape(next)?;
                push_class_literal(literal, &mut self.out);
            }
        }
        Ok(())
    }
}

/// Unicode meanings of the POSIX classes, as the inside of a class.
fn posix_class(name: &str) -> Option<&'static str> {
    Some(match name {
        "alnum" => r"\p{Alphabetic}\p{Nd}",
        "alpha" => r"\p{Alphabetic}",
        "ascii" => r"\x00-\x7F",
        "blank" => r"\p{Zs}\t",
        "cntrl" => r"\p{Cc}",
        "digit" => r"\p{Nd}",
        "graph" => r"\p{L}\p{M}\p{N}\p{P}\p{S}",
        "lower" => r"\p{Lowercase}",
        "print" => r"\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}",
        "punct" => r"\p{P}$+<=>^`|~",
        "space" => r"\s",
        "upper" => r"\p{Uppercase}",
        "xdigit" => "0-9A-Fa-f",
        "word" => r"\w",
        "any" => r"\x{0}-\x{10FFFF}",
        _ => return None,
    })
}

fn push_literal(literal: char, out: &mut String) {
    if matches!(
        literal,
        '\\' | '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$'
    ) {
        out.push('\\');
        out.push(literal);
    } else if literal.is_ascii_control() || literal == ' ' || literal == '#' {
        out.push_str(&format!(r"\x{:02X}", literal as u32));
    } else {
        out.push(literal);
    }
}

fn push_class_literal(literal: char, out: &mut String) {
    match literal {
        '\\' | '[' | ']' | '^' | '-' | '&' | '~' => {
            out.push('\\');
            out.push(literal);
        }
        _ if literal.is_ascii_control() || literal == ' ' || literal == '#' => {
            out.push_str(&format!(r"\x{:02X}", literal as u32));
        }
        _ => out.push(literal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(pattern: &str) -> String {
        translate(pattern, false).unwrap().text(Anchors::Plain)
    }

    #[test]
    fn literals_and_anchors() {
        for (pattern, expected) in [
            ("^a$", r"\Aa\z"),
            ("a{,2}", r"a\{,2\}"),
            ("a{2,}", "a{2,}"),
            ("[[a]", r"[\[a]"),
            ("[]a-]", r"[\]a\-]"),
            (r"\h\<", "h<"),
            (r"(?<x>a)\k<x>", r"(a)(?:\1)"),
            ("[[:alpha:]_]", r"[[\p{Alphabetic}]_]"),
            (r"\Qa.b\E", r"a\.b"),
        ] {
            assert_eq!(plain(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn names_skip_look_around() {
        let names = translate("(a)(?<x>b)(?<=c)(?:d)[(](?<y>e)", false)
            .unwrap()
            .names;
        assert_eq!(names, [None, Some("x".to_owned()), Some("y".to_owned())]);
    }
}
