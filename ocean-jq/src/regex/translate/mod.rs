//! Rewrites a pattern from the reference's syntax to the engine's.
//!
//! Differences that matter: `$` also stands before a final newline; brackets, `&&` and braces that
//! mean nothing are literals; named groups keep unnamed ones numbered and may repeat a name; POSIX
//! classes know Unicode; `\h`, `\<` and unknown escapes are literals; `(?m)` is Perl's.

mod classes;
mod escapes;
mod names;
mod widths;

use classes::push_literal;
use names::{group_names, group_number, opening_name};
use widths::Widths;

/// What `$` becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchors {
    /// The end: right for texts that do not end in a newline.
    Plain,
    BeforeNewline,
}

/// Flags that change how a pattern is read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reading {
    pub(super) extended: bool,
    pub(super) ignore_case: bool,
    /// The longest match is wanted, so that lazy and greedy are the same.
    pub(super) longest: bool,
}

#[derive(Debug)]
pub(super) struct Translation {
    /// With [`END`] for every `$` that means the end of the text.
    pattern: String,
    /// Names of the groups, in order.
    pub(super) names: Vec<Option<String>>,
}

/// Stands for `$` until it is known what texts end in; no pattern has it, as literals are escaped.
const END: char = '\u{1}';

/// More repetitions than this are refused.
const MAX_REPEAT: u32 = 100_000;

// === impl Translation ===

impl Translation {
    pub(super) fn text(&self, anchors: Anchors) -> String {
        self.pattern.replace(
            END,
            match anchors {
                Anchors::Plain => r"\z",
                Anchors::BeforeNewline => r"(?=\n?\z)",
            },
        )
    }

    pub(super) fn has_end_anchor(&self) -> bool {
        self.pattern.contains(END)
    }
}

struct Translator<'p> {
    rest: &'p str,
    out: String,
    /// Where in `out` the atom starts that a quantifier would repeat.
    atom: usize,
    names: Vec<Option<String>>,
    /// Capturing groups so far.
    opened: usize,
    longest: bool,
    options: Options,
    open: Vec<Open>,
    widths: Widths,
}

/// Options that hold to the end of the enclosing group.
#[derive(Clone, Copy)]
struct Options {
    extended: bool,
    ignore_case: bool,
    /// `^` and `$` stand at lines.
    lines: bool,
    look_behind: LookBehind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LookBehind {
    No,
    Positive,
    Negative,
}

/// A group that waits for its parenthesis.
struct Open {
    /// The options outside.
    options: Options,
    /// Where it starts in the output.
    start: usize,
    kind: Group,
    /// The widths outside.
    widths: Widths,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Plain,
    /// Ahead or behind.
    Look,
    /// What it takes depends.
    Varying,
}

pub(super) fn translate(pattern: &str, reading: Reading) -> Result<Translation, String> {
    let mut translator = Translator {
        rest: pattern,
        out: String::with_capacity(pattern.len() + 8),
        atom: 0,
        names: group_names(pattern),
        opened: 0,
        longest: reading.longest,
        options: Options {
            extended: reading.extended,
            ignore_case: reading.ignore_case,
            lines: false,
            look_behind: LookBehind::No,
        },
        open: Vec::new(),
        widths: Widths::EMPTY,
    };
    translator.pattern()?;
    Ok(Translation {
        pattern: translator.out,
        names: translator.names,
    })
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

    fn pattern(&mut self) -> Result<(), String> {
        while let Some(next) = self.next() {
            if !matches!(next, '*' | '+' | '?' | '{' | ')') {
                self.atom = self.out.len();
            }
            match next {
                '\\' => {
                    self.widths.add(self.escape_width());
                    self.escape()?;
                }
                '[' => {
                    self.widths.add(Some(1));
                    self.class()?;
                }
                '(' => self.group()?,
                ')' => self.close()?,
                '$' => {
                    self.check_ahead()?;
                    match self.options.lines {
                        true => self.out.push_str("(?m:$)"),
                        false => self.out.push(END),
                    }
                }
                '^' if self.options.lines => self.out.push_str("(?m:^)"),
                '^' => self.out.push_str(r"\A"),
                '*' | '+' | '?' => {
                    self.widths.repeat(None);
                    self.out.push(next);
                    match self.rest.chars().next() {
                        Some('?') if self.longest => self.rest = &self.rest[1..],
                        Some(mode @ ('?' | '+')) => {
                            self.rest = &self.rest[1..];
                            self.out.push(mode);
                        }
                        _ => {}
                    }
                }
                '{' => self.brace()?,
                '#' if self.options.extended => {
                    while self.next().is_some_and(|next| next != '\n') {}
                }
                ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c' if self.options.extended => {}
                '|' => {
                    self.widths.alternative();
                    self.out.push('|');
                }
                '.' => {
                    self.widths.add(Some(1));
                    self.out.push('.');
                }
                literal => self.literal(literal),
            }
        }
        if !self.open.is_empty() {
            return Err("end pattern with unmatched parenthesis".to_owned());
        }
        Ok(())
    }

    /// Where case does not matter, `ss` and the sharp s are the same.
    fn literal(&mut self, literal: char) {
        self.widths.add(Some(1));
        let folds = self.options.ignore_case && self.options.look_behind == LookBehind::No;
        if folds && matches!(literal, 'ß' | 'ẞ') {
            self.out.push_str("(?:ß|ss)");
            return;
        }
        let is_s = |c: &char| matches!(c, 's' | 'S' | 'ſ');
        let mut rest = self.rest.chars();
        if folds && is_s(&literal) && rest.next().as_ref().is_some_and(is_s) {
            let rest = rest.as_str();
            if !rest.starts_with(['*', '+', '?', '{']) {
                self.rest = rest;
                self.out.push_str("(?:ss|ß)");
                return;
            }
        }
        push_literal(literal, &mut self.out);
    }

    /// A repetition; a brace that is none is a literal.
    fn brace(&mut self) -> Result<(), String> {
        let is_bound = |byte: &u8| byte.is_ascii_digit() || *byte == b',';
        let len = self.rest.bytes().take_while(is_bound).count();
        let (inside, rest) = self.rest.split_at(len);
        let (from, to) = match inside.split_once(',') {
            Some((from, "")) => (from, None),
            Some((from, to)) => (from, Some(to)),
            None => (inside, Some(inside)),
        };
        let is_number = |text: &str| !text.is_empty() && !text.contains(',');
        let bounds = rest
            .strip_prefix('}')
            .filter(|_| is_number(from) && to.is_none_or(is_number));
        let Some(rest) = bounds else {
            self.atom = self.out.len();
            self.widths.add(Some(1));
            self.out.push_str(r"\{");
            return Ok(());
        };
        let number = |text: &str| match text.parse::<u32>() {
            Ok(number) if number <= MAX_REPEAT => Ok(number),
            _ => Err("too big number for repeat range".to_owned()),
        };
        let from = number(from)?;
        let to = to.map(number).transpose()?;
        if to.is_some_and(|to| to < from) {
            return Err("upper is smaller than lower in repeat range".to_owned());
        }
        self.rest = rest;
        self.widths.repeat(to.filter(|to| *to == from));
        let is_possessive = self.eat("+");
        if is_possessive {
            self.out.insert_str(self.atom, "(?>");
        }
        self.out.push_str(&format!("{{{inside}}}"));
        if is_possessive {
            self.out.push(')');
        } else if self.eat("?") && to != Some(from) && !self.longest {
            self.out.push('?');
        }
        Ok(())
    }

    /// Opens a group: writes its head, and remembers how it ends.
    fn open(&mut self, head: &str, options: Options, kind: Group) {
        self.open.push(Open {
            options: self.options,
            start: self.atom,
            kind,
            widths: std::mem::replace(&mut self.widths, Widths::EMPTY),
        });
        self.options = options;
        self.out.push_str(head);
    }

    fn close(&mut self) -> Result<(), String> {
        let open = self.open.pop().ok_or("unmatched close parenthesis")?;
        let width = self.widths.total();
        self.check_alternatives()?;
        self.out.push(')');
        self.atom = open.start;
        self.options = open.options;
        self.widths = open.widths;
        self.widths.add(match open.kind {
            Group::Plain => width,
            Group::Varying => None,
            Group::Look => Some(0),
        });
        Ok(())
    }

    fn group(&mut self) -> Result<(), String> {
        let options = self.options;
        if self.rest.starts_with("?#") {
            let end = self.rest.find(')').ok_or("end pattern in group")?;
            self.rest = &self.rest[end + 1..];
            return Ok(());
        }
        for (head, look_behind) in [
            ("(?<=", LookBehind::Positive),
            ("(?<!", LookBehind::Negative),
        ] {
            if self.eat(&head[1..]) {
                let options = Options {
                    look_behind,
                    ..options
                };
                self.open(head, options, Group::Look);
                return Ok(());
            }
        }
        for (head, kind) in [
            ("(?:", Group::Plain),
            ("(?>", Group::Plain),
            ("(?=", Group::Look),
            ("(?!", Group::Look),
            ("(?~", Group::Varying),
        ] {
            if self.eat(&head[1..]) {
                if kind == Group::Look {
                    self.check_ahead()?;
                }
                self.open(head, options, kind);
                return Ok(());
            }
        }
        if self.eat("?(") {
            return self.conditional();
        }
        if self.rest.starts_with("?<") || self.rest.starts_with("?'") {
            let (name, rest) = opening_name(self.rest).ok_or("end pattern in group")?;
            let first = name.chars().next().ok_or("group name is empty")?;
            if first.is_ascii_digit() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
                return Err(format!("invalid group name <{name}>"));
            }
            self.rest = rest;
        } else if self.eat("?") {
            return self.inline_options();
        }
        if options.look_behind == LookBehind::Negative {
            return Err(widths::INVALID.to_owned());
        }
        self.opened += 1;
        self.open("(", options, Group::Plain);
        Ok(())
    }

    /// `(?(1)…|…)`, `(?(<name>)…)`
    fn conditional(&mut self) -> Result<(), String> {
        const INVALID: &str = "invalid if-else syntax";
        let (condition, rest) = self.rest.split_once(')').ok_or(INVALID)?;
        let name = names::enclosed(condition).map_or(condition, |(name, _)| name);
        let number = group_number(name, &self.names, self.opened).map_err(|_| INVALID)?;
        self.rest = rest;
        self.open(&format!("(?({number})"), self.options, Group::Varying);
        Ok(())
    }

    /// `(?i)`, `(?ms-x:…)`
    fn inline_options(&mut self) -> Result<(), String> {
        let mut options = self.options;
        let (mut on, mut off) = (String::new(), String::new());
        let mut negated = false;
        loop {
            match self.next().ok_or("end pattern in group")? {
                '-' if !negated => negated = true,
                'x' => options.extended = !negated,
                'm' => options.lines = !negated,
                flag @ ('i' | 's') => {
                    if flag == 'i' {
                        options.ignore_case = !negated;
                    }
                    if negated { &mut off } else { &mut on }.push(flag);
                }
                end @ (')' | ':') => {
                    let off = if off.is_empty() {
                        off
                    } else {
                        format!("-{off}")
                    };
                    let flags = format!("{on}{off}");
                    if end == ':' {
                        self.open(&format!("(?{flags}:"), options, Group::Plain);
                        return Ok(());
                    }
                    self.options = options;
                    if !flags.is_empty() {
                        self.out.push_str(&format!("(?{flags})"));
                    }
                    return Ok(());
                }
                _ => return Err("undefined group option".to_owned()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(pattern: &str) -> String {
        translate(pattern, Reading::default())
            .unwrap()
            .text(Anchors::Plain)
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
        let names = translate("(a)(?<x>b)(?<=c)(?:d)[(](?<y>e)", Reading::default())
            .unwrap()
            .names;
        assert_eq!(names, [None, Some("x".to_owned()), Some("y".to_owned())]);
    }
}
