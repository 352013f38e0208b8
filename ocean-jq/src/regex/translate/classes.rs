//! Classes in brackets, POSIX classes and properties.

use super::Translator;

/// Characters of words, as the inside of a class.
pub(super) const WORD: &str = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}";
/// Alone, `\w` also takes these, by a table of the reference for Latin-1.
pub(super) const LATIN_1_WORD: &str = r"\u{B2}\u{B3}\u{B9}\u{BC}-\u{BE}";

// === impl Translator ===

impl Translator<'_> {
    /// `{Name}` or `{^Name}` after `\p`, as a class of the engine.
    pub(super) fn property(&mut self, mut negated: bool) -> Result<String, String> {
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
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-');
        if !name.chars().all(is_name) {
            return Err("invalid character property name".to_owned());
        }
        let class = match &*name.to_ascii_lowercase() {
            "punct" => r"\p{P}".to_owned(),
            "word" => format!("{WORD}{LATIN_1_WORD}"),
            posix if posix_class(posix).is_some() => {
                posix_class(posix).unwrap_or_default().to_owned()
            }
            _ => format!(r"\p{{{name}}}"),
        };
        Ok(if negated {
            format!("[^{class}]")
        } else {
            format!("[{class}]")
        })
    }

    pub(super) fn class(&mut self) -> Result<(), String> {
        const UNCLOSED: &str = "premature end of char-class";
        self.out.push('[');
        if self.eat("^") {
            self.out.push('^');
        }
        let mut is_first = true;
        // Behind a whole set of characters no range can go on.
        let mut after_set = false;
        loop {
            let next = self.next().ok_or(UNCLOSED)?;
            let was_set = std::mem::replace(&mut after_set, false);
            match next {
                ']' if !is_first => break,
                ']' if !self.rest.contains(']') => return Err("empty char-class".to_owned()),
                '[' if self.posix_bracket()? => after_set = true,
                '\\' => {
                    after_set = self
                        .rest
                        .starts_with(['d', 'D', 's', 'S', 'w', 'W', 'p', 'P']);
                    self.class_escape()?;
                }
                '-' => {
                    // A range only between two characters; at either end a literal.
                    let is_range = !is_first && !was_set && !self.rest.starts_with(']');
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
            if name.len() <= 20 && name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err("invalid POSIX bracket type".to_owned());
            }
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
            'w' => self.out.push_str(&format!("[{WORD}]")),
            'W' => self.out.push_str(&format!("[^{WORD}]")),
            'd' | 'D' | 's' | 'S' => {
                self.out.push('\\');
                self.out.push(next);
            }
            'p' | 'P' if self.rest.starts_with('{') => {
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
        "graph" => r"\p{L}\p{M}\p{N}\p{P}\p{S}\p{Cf}\p{Co}",
        "lower" => r"\p{Lowercase}",
        "print" => r"\p{L}\p{M}\p{N}\p{P}\p{S}\p{Cf}\p{Co}\p{Zs}",
        "punct" => r"\p{P}\p{S}",
        "space" => r"\s",
        "upper" => r"\p{Uppercase}",
        "xdigit" => "0-9A-Fa-f",
        "word" => WORD,
        "any" => r"\x{0}-\x{10FFFF}",
        _ => return None,
    })
}

pub(super) fn push_literal(literal: char, out: &mut String) {
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
