//! Regular expressions with the reference's flavour (Oniguruma, Perl syntax), on `fancy-regex`.
//!
//! Patterns are rewritten first: the two engines differ in what `$`, `^`, classes, braces and
//! escapes mean. Searching has a limit on backtracking; exceeding it is an error, never a hang.

mod literal;
mod translate;

use std::sync::{Arc, OnceLock};

use literal::Literal;
use translate::{Anchors, Reading, Translation};

/// Size of a compiled automaton; larger patterns are refused.
const SIZE_LIMIT: usize = 2 << 20;
const PROGRAM_LIMIT: usize = 100_000;

/// The flags of `test(re; flags)` and its like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SearchFlags {
    pub(crate) global: bool,
    ignore_case: bool,
    extended: bool,
    dot_all: bool,
    longest: bool,
    not_empty: bool,
}

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Regex {
    /// The whole pattern, when it is a mere text: testing for that needs no engine.
    literal: Option<Literal>,
    translation: Translation,
    flags: SearchFlags,
    /// For texts that do not end in a newline: `$` is simply the end.
    plain: OnceLock<Option<fancy_regex::Regex>>,
    /// For texts that do, when the pattern cares.
    newline: OnceLock<Option<fancy_regex::Regex>>,
    backtracks: usize,
}

/// Byte positions of a match and its groups.
#[derive(Debug)]
pub(crate) struct Found {
    spans: Vec<Option<(usize, usize)>>,
}

#[derive(Debug)]
pub(crate) enum RegexError {
    Backtracks,
    Other(String),
}

/// The place in a program where the regex of a node is kept once it is compiled.
#[derive(Debug, Default)]
pub(crate) struct RegexCell(OnceLock<Kept>);

#[derive(Debug)]
struct Kept {
    pattern: Box<str>,
    flags: SearchFlags,
    regex: Arc<Regex>,
}

// === impl SearchFlags ===

impl SearchFlags {
    pub(crate) fn parse(text: &str) -> Option<SearchFlags> {
        let mut flags = SearchFlags::default();
        for flag in text.chars() {
            match flag {
                'g' => flags.global = true,
                'i' => flags.ignore_case = true,
                'x' => flags.extended = true,
                'm' | 'p' => flags.dot_all = true,
                // Oniguruma's single-line mode, in which the reference is anyway.
                's' => {}
                'l' => flags.longest = true,
                'n' => flags.not_empty = true,
                _ => return None,
            }
        }
        Some(flags)
    }

    /// Whether no flag changes what a text of plain characters means.
    fn is_plain(self) -> bool {
        let plain = SearchFlags {
            dot_all: self.dot_all,
            ..SearchFlags::default()
        };
        self.same_syntax(plain)
    }

    fn same_syntax(self, other: SearchFlags) -> bool {
        SearchFlags {
            global: false,
            ..self
        } == SearchFlags {
            global: false,
            ..other
        }
    }

    /// What tells compiled patterns of one text apart.
    pub(crate) fn syntax_key(self) -> String {
        let bits = [
            self.ignore_case,
            self.extended,
            self.dot_all,
            self.longest,
            self.not_empty,
        ];
        bits.map(|bit| if bit { '1' } else { '0' }).iter().collect()
    }
}

// === impl Regex ===

impl Regex {
    /// Checks and rewrites a pattern, and compiles what most searches need.
    pub(crate) fn compile(
        pattern: &str,
        flags: SearchFlags,
        backtracks: usize,
    ) -> Result<Regex, String> {
        let reading = Reading {
            extended: flags.extended,
            ignore_case: flags.ignore_case,
            longest: flags.longest,
        };
        let translation = translate::translate(pattern, reading)?;
        let regex = Regex {
            literal: flags.is_plain().then(|| Literal::of(pattern)).flatten(),
            translation,
            flags,
            plain: OnceLock::new(),
            newline: OnceLock::new(),
            backtracks,
        };
        if flags.not_empty && !regex.can_match_something()? {
            // Only ever matches nothing, which the flag forbids.
            let never = fancy_regex::Regex::new("[^\\s\\S]").map_err(|error| error.to_string())?;
            let _ = regex.plain.set(Some(never.clone()));
            let _ = regex.newline.set(Some(never));
            return Ok(regex);
        }
        let compiled = regex.build(Anchors::Plain)?;
        let _ = regex.plain.set(Some(compiled));
        Ok(regex)
    }

    /// The engine refuses patterns of nothing but empty matches under `n`; other errors remain.
    fn can_match_something(&self) -> Result<bool, String> {
        let mut plain = fancy_regex::RegexBuilder::new(&self.translation.text(Anchors::Plain));
        plain
            .oniguruma_mode(true)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(self.build(Anchors::Plain).is_ok())
    }

    fn build(&self, anchors: Anchors) -> Result<fancy_regex::Regex, String> {
        let mut builder = fancy_regex::RegexBuilder::new(&self.translation.text(anchors));
        builder
            .case_insensitive(self.flags.ignore_case)
            .dot_matches_new_line(self.flags.dot_all)
            .find_not_empty(self.flags.not_empty)
            .oniguruma_mode(true)
            .backtrack_limit(self.backtracks)
            .delegate_size_limit(SIZE_LIMIT)
            .delegate_dfa_size_limit(SIZE_LIMIT)
            .max_prog_size(PROGRAM_LIMIT)
            .leftmost_longest(self.flags.longest);
        builder.build().map_err(|error| error.to_string())
    }

    /// The name of a group, counted from 1.
    pub(crate) fn name(&self, group: usize) -> Option<&str> {
        self.translation
            .names
            .get(group - 1)
            .and_then(|name| name.as_deref())
    }

    fn engine(&self, text: &str) -> Result<&fancy_regex::Regex, RegexError> {
        let matters = text.ends_with('\n') && self.translation.has_end_anchor();
        let (cell, anchors) = if matters {
            (&self.newline, Anchors::BeforeNewline)
        } else {
            (&self.plain, Anchors::Plain)
        };
        cell.get_or_init(|| self.build(anchors).ok())
            .as_ref()
            .ok_or_else(|| RegexError::Other("pattern is too large".to_owned()))
    }

    /// The match at or after a byte position: the first, or with the flag `l` the longest.
    pub(crate) fn find(&self, text: &str, from: usize) -> Result<Option<Found>, RegexError> {
        let mut best = self.find_first(text, from)?;
        if !self.flags.longest {
            return Ok(best);
        }
        let mut tries = 0;
        let mut at = best.as_ref().map(|found| found.whole().0);
        while let Some(next) = at.and_then(|at| next_boundary(text, at)) {
            tries += 1;
            if tries > self.backtracks {
                return Err(RegexError::Backtracks);
            }
            let found = self.find_first(text, next)?;
            at = found.as_ref().map(|found| found.whole().0);
            let length = |found: &Option<Found>| found.as_ref().map(Found::length);
            if length(&found) > length(&best) {
                best = found;
            }
        }
        Ok(best)
    }

    fn find_first(&self, text: &str, from: usize) -> Result<Option<Found>, RegexError> {
        let engine = self.engine(text)?;
        match engine.captures_from_pos(text, from) {
            Ok(Some(captures)) => {
                let spans = (0..=self.translation.names.len()).map(|group| {
                    captures
                        .get(group)
                        .map(|group| (group.start(), group.end()))
                });
                Ok(Some(Found {
                    spans: spans.collect(),
                }))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(search_error(&error)),
        }
    }

    /// Whether there is a match at all.
    pub(crate) fn is_match(&self, text: &str) -> Result<bool, RegexError> {
        if let Some(literal) = &self.literal {
            return Ok(literal.is_in(text));
        }
        self.engine(text)?
            .is_match(text)
            .map_err(|error| search_error(&error))
    }

    /// The reference goes on one byte behind an empty match, even inside a character, and takes
    /// what is left of that for characters of their own: the empty match that it finds there, for
    /// the last `left` bytes of the character that ends at `end`.
    pub(crate) fn find_inside(
        &self,
        text: &str,
        end: usize,
        left: usize,
    ) -> Result<Option<Found>, RegexError> {
        let pieces = text.as_bytes()[end - left..end]
            .iter()
            .map(|&byte| match byte {
                // What the reference takes for letters, and the engine does not.
                0xB2 | 0xB3 | 0xB9 | 0xBC..=0xBE => 'ª',
                _ => char::from(byte),
            });
        let (before, after) = text.split_at(end);
        let torn: String = before.chars().chain(pieces).chain(after.chars()).collect();
        let found = self.find(&torn, end)?;
        Ok(found.filter(|found| found.whole() == (end, end)))
    }
}

/// The start of the character behind the one at a position.
fn next_boundary(text: &str, at: usize) -> Option<usize> {
    text[at..]
        .chars()
        .next()
        .map(|character| at + character.len_utf8())
}

fn search_error(error: &fancy_regex::Error) -> RegexError {
    match error {
        fancy_regex::Error::RuntimeError(_) => RegexError::Backtracks,
        other => RegexError::Other(other.to_string()),
    }
}

// === impl Found ===

impl Found {
    /// Start and end of the whole match.
    pub(crate) fn whole(&self) -> (usize, usize) {
        self.spans.first().copied().flatten().unwrap_or_default()
    }

    fn length(&self) -> usize {
        let (start, end) = self.whole();
        end - start
    }

    /// Start and end of each group that took part.
    pub(crate) fn groups(&self) -> &[Option<(usize, usize)>] {
        self.spans.get(1..).unwrap_or_default()
    }
}

// === impl RegexCell ===

impl RegexCell {
    /// What is kept, for a node whose regex and flags never change.
    pub(crate) fn constant(&self, backtracks: usize) -> Option<(&Regex, SearchFlags)> {
        let kept = self.0.get()?;
        (kept.regex.backtracks == backtracks).then_some((&*kept.regex, kept.flags))
    }

    /// The kept regex, when it is the one asked for.
    pub(crate) fn get(
        &self,
        pattern: &str,
        flags: SearchFlags,
        backtracks: usize,
    ) -> Option<Arc<Regex>> {
        let kept = self.0.get()?;
        let same = *kept.pattern == *pattern
            && kept.flags.same_syntax(flags)
            && kept.regex.backtracks == backtracks;
        same.then(|| Arc::clone(&kept.regex))
    }

    /// Keeps the regex, unless another one is kept already.
    pub(crate) fn keep(&self, pattern: &str, flags: SearchFlags, regex: &Arc<Regex>) {
        let _ = self.0.set(Kept {
            pattern: pattern.into(),
            flags,
            regex: Arc::clone(regex),
        });
    }
}
