//! Patterns that are a text, perhaps with an anchor at either end: `^APP_`, `-prod$`, `error`.

/// Characters that are anything but themselves somewhere in a pattern.
const SPECIAL: [char; 14] = [
    '\\', '^', '$', '.', '|', '?', '*', '+', '(', ')', '[', ']', '{', '}',
];

#[derive(Debug)]
pub(super) struct Literal {
    text: Box<str>,
    at_start: bool,
    at_end: bool,
}

// === impl Literal ===

impl Literal {
    pub(super) fn of(pattern: &str) -> Option<Literal> {
        let (text, at_start) = match pattern.strip_prefix('^') {
            Some(text) => (text, true),
            None => (pattern, false),
        };
        let (text, at_end) = match text.strip_suffix('$') {
            Some(text) => (text, true),
            None => (text, false),
        };
        let is_plain = !text.contains(SPECIAL);
        is_plain.then(|| Literal {
            text: text.into(),
            at_start,
            at_end,
        })
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        let wanted = &*self.text;
        // `$` also stands in front of a newline that ends the text.
        let line = || text.strip_suffix('\n').unwrap_or(text);
        match (self.at_start, self.at_end) {
            (false, false) => text.contains(wanted),
            (true, false) => text.starts_with(wanted),
            (false, true) => text.ends_with(wanted) || line().ends_with(wanted),
            (true, true) => text == wanted || line() == wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regex::{Regex, SearchFlags};

    #[test]
    fn literals_say_what_the_engine_says() {
        let patterns = [
            "", "^", "$", "^$", "a", "^a", "a$", "^a$", "ab", "^ab", "ab$", "^ab$", "\n", "a\n$",
            "^\n$",
        ];
        let texts = [
            "", "a", "ab", "cab", "abc", "\n", "a\n", "ab\n", "a\n\n", "\nab", "ab\nab",
        ];
        for pattern in patterns {
            let regex = Regex::compile(pattern, SearchFlags::default(), 1000).unwrap();
            let literal = Literal::of(pattern).unwrap();
            for text in texts {
                let found = regex.find(text, 0).unwrap().is_some();
                assert_eq!(literal.is_in(text), found, "{pattern:?} in {text:?}");
            }
        }
        assert!(Literal::of("a.b").is_none());
    }
}
