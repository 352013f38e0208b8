//! Prints a syntax tree as a program that parses to the same tree.

use std::fmt::{self, Display, Formatter, Write};

use super::ast::{Entry, EntryKey, Expr, ExprKind, FuncDef, Param, Pattern, PatternKey, StrPart};
use crate::write::write_string;

/// An expression where only a term may stand.
struct Term<'e>(&'e Expr);

/// An expression where operators may stand, but no commas and pipes.
struct Operand<'e>(&'e Expr);

/// An expression that something follows: forms that take the rest need parentheses.
struct Part<'e>(&'e Expr);

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Identity => f.write_char('.'),
            ExprKind::RecurseAll => f.write_str(".."),
            ExprKind::Number(text) => f.write_str(text),
            ExprKind::Str { format, parts } => string(f, format.as_deref(), parts),
            ExprKind::Format(name) => write!(f, "@{name}"),
            ExprKind::Index {
                target,
                key,
                optional,
            } => {
                index(f, target, key)?;
                question(f, *optional)
            }
            ExprKind::Slice {
                target,
                from,
                to,
                optional,
            } => {
                write!(f, "{}[", Term(target))?;
                if let Some(from) = from {
                    write!(f, "{from}")?;
                }
                f.write_char(':')?;
                if let Some(to) = to {
                    write!(f, "{to}")?;
                }
                f.write_char(']')?;
                question(f, *optional)
            }
            ExprKind::Iterate { target, optional } => {
                write!(f, "{}[]", Term(target))?;
                question(f, *optional)
            }
            ExprKind::Optional(body) => match body.kind {
                // A second `?` after a step would otherwise belong to the step.
                ExprKind::Index {
                    optional: false, ..
                }
                | ExprKind::Slice {
                    optional: false, ..
                }
                | ExprKind::Iterate {
                    optional: false, ..
                } => write!(f, "({body})?"),
                _ => write!(f, "{}?", Term(body)),
            },
            ExprKind::Array(None) => f.write_str("[]"),
            ExprKind::Array(Some(body)) => write!(f, "[{body}]"),
            ExprKind::Object(entries) => {
                f.write_char('{')?;
                joined(f, entries, ", ")?;
                f.write_char('}')
            }
            ExprKind::Negate(body) => match body.kind {
                ExprKind::Negate(_) => write!(f, "-({body})"),
                _ => write!(f, "-{}", Term(body)),
            },
            ExprKind::Pipe(parts) => sequence(f, parts, " | ", true),
            ExprKind::Comma(parts) => sequence(f, parts, ", ", false),
            ExprKind::Binary { op, left, right } => {
                write!(f, "{} {} {}", Term(left), op.symbol(), Term(right))
            }
            ExprKind::Update { op, left, right } => {
                write!(f, "{} {} {}", Term(left), op.symbol(), Term(right))
            }
            ExprKind::If {
                branches,
                otherwise,
            } => {
                for (at, (test, body)) in branches.iter().enumerate() {
                    let word = if at == 0 { "if" } else { " elif" };
                    write!(f, "{word} {test} then {body}")?;
                }
                if let Some(otherwise) = otherwise {
                    write!(f, " else {otherwise}")?;
                }
                f.write_str(" end")
            }
            ExprKind::Try { body, handler } => {
                write!(f, "try {}", Term(body))?;
                match handler {
                    Some(handler) => write!(f, " catch {}", Term(handler)),
                    None => Ok(()),
                }
            }
            ExprKind::Reduce {
                source,
                patterns,
                init,
                update,
            } => {
                write!(f, "reduce {} as ", Operand(source))?;
                joined(f, patterns, " ?// ")?;
                write!(f, " ({init}; {update})")
            }
            ExprKind::Foreach {
                source,
                patterns,
                init,
                update,
                extract,
            } => {
                write!(f, "foreach {} as ", Operand(source))?;
                joined(f, patterns, " ?// ")?;
                write!(f, " ({init}; {update}")?;
                match extract {
                    Some(extract) => write!(f, "; {extract})"),
                    None => f.write_char(')'),
                }
            }
            ExprKind::Label { name, body } => write!(f, "label ${name} | {body}"),
            ExprKind::Break(name) => write!(f, "break ${name}"),
            ExprKind::Def { def, rest } => write!(f, "{def} {rest}"),
            ExprKind::As {
                source,
                patterns,
                body,
            } => {
                write!(f, "{} as ", Operand(source))?;
                joined(f, patterns, " ?// ")?;
                write!(f, " | {body}")
            }
            ExprKind::Var(name) => write!(f, "${name}"),
            ExprKind::Loc(_) => f.write_str("$__loc__"),
            ExprKind::Call { name, args } => {
                f.write_str(name)?;
                if !args.is_empty() {
                    f.write_char('(')?;
                    joined(f, args, "; ")?;
                    f.write_char(')')?;
                }
                Ok(())
            }
        }
    }
}

fn question(f: &mut Formatter<'_>, optional: bool) -> fmt::Result {
    if optional { f.write_char('?') } else { Ok(()) }
}

fn joined<T: Display>(f: &mut Formatter<'_>, items: &[T], separator: &str) -> fmt::Result {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            f.write_str(separator)?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

/// Parts of a pipe or comma; the last one may be a form that takes the rest.
fn sequence(f: &mut Formatter<'_>, parts: &[Expr], separator: &str, pipe: bool) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(separator)?;
        }
        match part.kind {
            ExprKind::Pipe(_) => write!(f, "({part})")?,
            ExprKind::Comma(_) if !pipe => write!(f, "({part})")?,
            _ if at + 1 == parts.len() && pipe => write!(f, "{part}")?,
            _ => write!(f, "{}", Part(part))?,
        }
    }
    Ok(())
}

fn is_word(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn index(f: &mut Formatter<'_>, target: &Expr, key: &Expr) -> fmt::Result {
    let target_is_dot = matches!(target.kind, ExprKind::Identity);
    if let ExprKind::Str {
        format: None,
        parts,
    } = &key.kind
        && let [StrPart::Text(name)] = parts.as_slice()
        && is_word(name)
    {
        // Digits right before a dot would swallow it.
        return match target.kind {
            ExprKind::Identity => write!(f, ".{name}"),
            ExprKind::Number(_) => write!(f, "({target}).{name}"),
            _ => write!(f, "{}.{name}", Term(target)),
        };
    }
    if target_is_dot {
        return write!(f, ".[{key}]");
    }
    write!(f, "{}[{key}]", Term(target))
}

fn string(f: &mut Formatter<'_>, format: Option<&str>, parts: &[StrPart]) -> fmt::Result {
    if let Some(format) = format {
        write!(f, "@{format} ")?;
    }
    f.write_char('"')?;
    for part in parts {
        match part {
            StrPart::Text(text) => {
                let mut quoted = String::new();
                write_string(text, &mut quoted);
                f.write_str(&quoted[1..quoted.len() - 1])?;
            }
            StrPart::Interpolation(expr) => write!(f, "\\({expr})")?,
        }
    }
    f.write_char('"')
}

impl Display for Term<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let expr = self.0;
        match expr.kind {
            ExprKind::Pipe(_)
            | ExprKind::Comma(_)
            | ExprKind::Binary { .. }
            | ExprKind::Update { .. }
            | ExprKind::Label { .. }
            | ExprKind::Def { .. }
            | ExprKind::As { .. }
            | ExprKind::Negate(_)
            // Unary minus and `try` are terms, but would swallow the steps that follow.
            | ExprKind::Try { .. } => write!(f, "({expr})"),
            _ => write!(f, "{expr}"),
        }
    }
}

impl Display for Operand<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let expr = self.0;
        match expr.kind {
            ExprKind::Pipe(_)
            | ExprKind::Comma(_)
            | ExprKind::Label { .. }
            | ExprKind::Def { .. }
            | ExprKind::As { .. } => write!(f, "({expr})"),
            _ => write!(f, "{expr}"),
        }
    }
}

impl Display for Part<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let expr = self.0;
        match expr.kind {
            ExprKind::Label { .. } | ExprKind::Def { .. } | ExprKind::As { .. } => {
                write!(f, "({expr})")
            }
            _ => write!(f, "{expr}"),
        }
    }
}

impl Display for Entry {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.key {
            EntryKey::Name(name) => f.write_str(name)?,
            EntryKey::Str(expr) | EntryKey::Var(expr) => write!(f, "{expr}")?,
            EntryKey::Expr(expr) => write!(f, "({expr})")?,
        }
        match &self.value {
            Some(value) => write!(f, ": {}", Term(value)),
            None => Ok(()),
        }
    }
}

impl Display for FuncDef {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "def {}", self.name)?;
        if !self.params.is_empty() {
            f.write_char('(')?;
            joined(f, &self.params, "; ")?;
            f.write_char(')')?;
        }
        write!(f, ": {};", self.body)
    }
}

impl Display for Param {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.is_value { "$" } else { "" }, self.name)
    }
}

impl Display for Pattern {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Var(name) => write!(f, "${name}"),
            Pattern::Array(items) => {
                f.write_char('[')?;
                joined(f, items, ", ")?;
                f.write_char(']')
            }
            Pattern::Object(entries) => {
                f.write_char('{')?;
                for (at, (key, value)) in entries.iter().enumerate() {
                    if at > 0 {
                        f.write_str(", ")?;
                    }
                    match key {
                        PatternKey::Var(name) => write!(f, "${name}")?,
                        PatternKey::Name(name) => f.write_str(name)?,
                        PatternKey::Str(expr) => write!(f, "{expr}")?,
                        PatternKey::Expr(expr) => write!(f, "({expr})")?,
                    }
                    if let Some(value) = value {
                        write!(f, ": {value}")?;
                    }
                }
                f.write_char('}')
            }
        }
    }
}
