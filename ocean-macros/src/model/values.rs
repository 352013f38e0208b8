//! Values of keys, from tokens to types. Each reader reports what is wrong and returns `None`.

use std::time::Duration;

use syn::{ExprPath, Ident, Lit, LitStr, Path};

use crate::{
    args::{Argument, Operand, Value},
    error::Errors,
};

/// A value with its key, at which conflicts are reported.
#[derive(Clone)]
pub(crate) struct Keyed<T> {
    pub(crate) key: Ident,
    pub(crate) value: T,
}

/// A constant that conditions compare with.
#[derive(Clone, PartialEq)]
pub(crate) enum Literal {
    Str(String),
    Int(i64),
    Bool(bool),
}

/// One argument and how to write it right.
pub(crate) struct Reader<'a> {
    pub(crate) argument: &'a Argument,
    pub(crate) example: &'static str,
    pub(crate) errors: &'a mut Errors,
}

impl<'a> Reader<'a> {
    /// The key alone.
    pub(crate) fn flag(&mut self) -> Option<()> {
        let Argument { key, value } = self.argument;
        if matches!(value, Value::Flag) {
            return Some(());
        }
        let message = format!("`{key}` takes no value; write `{key}` alone, or leave it out");
        self.errors.at_span(value.span(key), message);
        None
    }

    /// A string that is not empty.
    pub(crate) fn text(&mut self) -> Option<LitStr> {
        match self.operand()? {
            Operand::Literal(Lit::Str(text)) => self.filled(text),
            other @ Operand::List(entries, _) if self.argument.key == "event" => {
                let message = match &**entries {
                    [_] => "`event` takes one name; remove the brackets",
                    _ => "`event` takes one name; write `events = [..]` for several",
                };
                self.errors.at(other, message);
                None
            }
            other => self.expected("a string literal", other),
        }
    }

    /// A list of at least one string, each once and none empty.
    pub(crate) fn texts(&mut self) -> Option<Vec<LitStr>> {
        let (entries, list) = match self.operand()? {
            Operand::List(entries, list) => (entries, list),
            Operand::Literal(Lit::Str(text)) => {
                let (key, entry) = (&self.argument.key, shown(text));
                let message = format!("`{key}` takes a list; write `{key} = [{entry}]`");
                self.errors.at(text, message);
                return None;
            }
            other => return self.expected("a list of string literals", other),
        };
        if entries.is_empty() {
            self.wrong(list, "the list is empty");
            return None;
        }
        let mut texts: Vec<LitStr> = Vec::new();
        let mut complete = true;
        for entry in entries {
            let text = match entry {
                Operand::Literal(Lit::Str(text)) => self.filled(text),
                other => self.expected("a string literal", other),
            };
            match text {
                Some(text) if texts.iter().any(|other| other.value() == text.value()) => {
                    let message =
                        format!("`{}` stands in the list twice; remove one", shown(&text));
                    self.errors.at(&text, message);
                    complete = false;
                }
                Some(text) => texts.push(text),
                None => complete = false,
            }
        }
        complete.then_some(texts)
    }

    /// One string or a list of them.
    pub(crate) fn text_or_texts(&mut self) -> Option<Vec<LitStr>> {
        match self.operand()? {
            Operand::Literal(Lit::Str(text)) => self.filled(text).map(|text| vec![text]),
            Operand::List(..) => self.texts(),
            other => self.expected("a string literal or a list of them", other),
        }
    }

    /// An RFC 6901 pointer below the root.
    pub(crate) fn pointer(&mut self) -> Option<LitStr> {
        let text = self.text()?;
        self.checked_pointer(&text).then_some(text)
    }

    /// Pointers below the root, one or a list.
    pub(crate) fn pointers(&mut self) -> Option<Vec<LitStr>> {
        let texts = self.text_or_texts()?;
        // All of them, not only up to the first that is wrong.
        let wrong = texts
            .iter()
            .filter(|text| !self.checked_pointer(text))
            .count();
        (wrong == 0).then_some(texts)
    }

    /// A pointer, or `""` for the whole payload.
    pub(crate) fn pointer_or_root(&mut self) -> Option<LitStr> {
        match self.operand()? {
            Operand::Literal(Lit::Str(text)) if text.value().is_empty() => Some(text.clone()),
            _ => self.pointer(),
        }
    }

    /// A duration above zero: a number with a unit, or plain seconds.
    pub(crate) fn duration(&mut self) -> Option<Duration> {
        let operand = self.operand()?;
        let duration = match operand {
            Operand::Literal(Lit::Str(text)) => duration(&text.value()),
            Operand::Literal(Lit::Int(seconds)) if seconds.suffix().is_empty() => {
                seconds.base10_parse().ok().map(Duration::from_secs)
            }
            Operand::Literal(Lit::Int(_)) => None,
            other => return self.expected("a duration", other),
        };
        match duration {
            None => {
                let message = "a duration is a whole number followed by `ms`, `s`, `m` or `h`";
                self.wrong(operand, message);
                None
            }
            Some(Duration::ZERO) => {
                self.wrong(operand, "the duration is zero");
                None
            }
            some => some,
        }
    }

    /// A whole number from 0.
    pub(crate) fn count(&mut self) -> Option<u32> {
        match self.operand()? {
            Operand::Literal(Lit::Int(number)) => match number.base10_parse() {
                Ok(number) => Some(number),
                Err(_) => {
                    self.wrong(number, format!("expected a number from 0 to {}", u32::MAX));
                    None
                }
            },
            other => self.expected("an integer", other),
        }
    }

    /// A number from 1.
    pub(crate) fn factor(&mut self) -> Option<f64> {
        let operand = self.operand()?;
        let factor: Option<f64> = match operand {
            Operand::Literal(Lit::Int(number)) => number.base10_parse().ok(),
            Operand::Literal(Lit::Float(number)) => number.base10_parse().ok(),
            other => return self.expected("a number", other),
        };
        match factor {
            Some(factor) if factor >= 1.0 && factor.is_finite() => Some(factor),
            _ => {
                self.wrong(operand, "the factor is below 1, so delays would shrink");
                None
            }
        }
    }

    /// The path of a function.
    pub(crate) fn function(&mut self) -> Option<ExprPath> {
        match self.operand()? {
            Operand::Path(path) => Some(path.clone()),
            other => self.expected("the path of a function", other),
        }
    }

    /// The path of a module.
    pub(crate) fn module(&mut self) -> Option<Path> {
        match self.operand()? {
            Operand::Path(path) if path.qself.is_none() => Some(path.path.clone()),
            other => self.expected("the path of the crate", other),
        }
    }

    /// A constant to compare with.
    pub(crate) fn literal(&mut self) -> Option<Literal> {
        let operand = self.operand()?;
        self.constant(operand)
    }

    /// A list of at least one constant, each once.
    pub(crate) fn literals(&mut self) -> Option<Vec<Literal>> {
        let (entries, list) = match self.operand()? {
            Operand::List(entries, list) => (entries, list),
            other => return self.expected("a list", other),
        };
        if entries.is_empty() {
            self.wrong(list, "the list is empty");
            return None;
        }
        let mut literals = Vec::new();
        let mut complete = true;
        for entry in entries {
            match self.constant(entry) {
                Some(literal) if literals.contains(&literal) => {
                    self.errors
                        .at(entry, "stands in the list twice; remove one");
                    complete = false;
                }
                Some(literal) => literals.push(literal),
                None => complete = false,
            }
        }
        complete.then_some(literals)
    }

    fn constant(&mut self, operand: &Operand) -> Option<Literal> {
        match operand {
            Operand::Literal(Lit::Str(text)) => Some(Literal::Str(text.value())),
            Operand::Literal(Lit::Bool(value)) => Some(Literal::Bool(value.value)),
            Operand::Literal(Lit::Int(number)) => self.integer(number.base10_digits(), operand),
            other => self.expected("a string, an integer or a boolean", other),
        }
    }

    fn integer(&mut self, digits: &str, operand: &Operand) -> Option<Literal> {
        let number = digits.parse().map(Literal::Int).ok();
        if number.is_none() {
            self.errors
                .at(operand, "the number does not fit into 64 bits");
        }
        number
    }

    fn operand(&mut self) -> Option<&'a Operand> {
        let Argument { key, value } = self.argument;
        let found = match value {
            Value::Is(operand) => return Some(operand),
            Value::Flag | Value::Missing(_) => "has no value",
            Value::Nested(_) | Value::Unassigned(_) => "takes its value behind `=`",
        };
        let message = format!("`{key}` {found}; write `{}`", self.example);
        self.errors.at_span(value.span(key), message);
        None
    }

    fn filled(&mut self, text: &LitStr) -> Option<LitStr> {
        if text.value().trim().is_empty() {
            self.wrong(text, "the string is empty");
            return None;
        }
        if text.value().trim() != text.value() {
            self.errors
                .at(text, "the string has spaces around it; remove them");
            return None;
        }
        Some(text.clone())
    }

    fn checked_pointer(&mut self, text: &LitStr) -> bool {
        let pointer = text.value();
        let problem = match pointer.strip_prefix('/') {
            None => {
                let meant = pointer.trim_matches(['$', '.']).replace(['.', '/'], "/");
                format!("a JSON pointer starts with `/`; did you mean `\"/{meant}\"`?")
            }
            Some(_) if has_bare_tilde(&pointer) => {
                "invalid JSON pointer; a `~` in a key is written `~0`, a `/` is written `~1`".into()
            }
            Some(rest) if rest.split('/').any(str::is_empty) => {
                "the JSON pointer has an empty part; remove the extra `/`".into()
            }
            Some(_) => return true,
        };
        self.errors.at(text, problem);
        false
    }

    fn expected<T>(&mut self, expected: &str, found: &Operand) -> Option<T> {
        let message = format!("expected {expected}, found {}", found.describe());
        self.wrong(found, message);
        None
    }

    fn wrong(&mut self, tokens: impl quote::ToTokens, message: impl std::fmt::Display) {
        let message = format!("{message}; write `{}`", self.example);
        self.errors.at(tokens, message);
    }
}

/// The text as the user writes it, in quotes.
pub(crate) fn shown(text: &LitStr) -> String {
    format!("{:?}", text.value())
}

fn has_bare_tilde(pointer: &str) -> bool {
    pointer
        .split('~')
        .skip(1)
        .any(|after| !after.starts_with(['0', '1']))
}

fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number: u64 = digits.parse().ok()?;
    match &text[digits.len()..] {
        "ms" => Some(Duration::from_millis(number)),
        "s" | "" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    }
}
