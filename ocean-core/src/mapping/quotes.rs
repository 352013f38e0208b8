//! The quote rule: single quotes that stand where a string begins or ends become double quotes, so
//! that people can write `'bug'` where YAML makes `"bug"` a nuisance.

use std::borrow::Cow;

/// Rewrites a program as upstream does before compiling it: a `'` at the start or after white
/// space, unless white space or `"` follows, and a `'` at the end or before white space, unless
/// white space or `"` precedes, become `"`. All other single quotes stay.
///
/// The rule looks at characters, not at jq, so it also hits the apostrophe of `"users' list"`;
/// mappings rely on exactly this behaviour.
pub(super) fn normalize(program: &str) -> Cow<'_, str> {
    if !program.contains('\'') {
        return Cow::Borrowed(program);
    }
    let mut out = String::with_capacity(program.len());
    let mut previous: Option<char> = None;
    let mut characters = program.chars().peekable();
    // White space that ended one string does not also begin the next: upstream's pattern consumes
    // it with the closing quote.
    let mut consumed = false;
    while let Some(character) = characters.next() {
        let next = characters.peek().copied();
        let mut closes = false;
        if character == '\'' {
            let after_space = match previous {
                None => true,
                Some(previous) => is_space(previous) && !consumed,
            };
            let opens = after_space && !next.is_some_and(delimits);
            closes = !opens && next.is_none_or(is_space) && !previous.is_some_and(delimits);
            out.push(if opens || closes { '"' } else { '\'' });
        } else {
            out.push(character);
        }
        if closes && let Some(space) = characters.next() {
            out.push(space);
            previous = Some(space);
            consumed = true;
        } else {
            previous = Some(character);
            consumed = false;
        }
    }
    Cow::Owned(out)
}

fn delimits(character: char) -> bool {
    character == '"' || is_space(character)
}

// What Python's `\s` matches: Unicode white space and four separators that it lacks.
fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_rewritten_as_upstream_does() {
        for (program, expected) in [
            ("", ""),
            ("'bug'", r#""bug""#),
            ("''", r#""""#),
            ("'", "\""),
            (" ' ", " ' "),
            (".a == 'x' and .b == 'y z'", r#".a == "x" and .b == "y z""#),
            ("split(',')", "split(',')"),
            (".a + ' x'", r#".a + ' x""#),
            (r#""it's""#, r#""it's""#),
            (r#""users' list""#, r#""users" list""#),
            ("'\"'", "'\"'"),
            ("'a\n'b", "\"a\n\"b"),
            ("'a'\t|\t'b'", "\"a\"\t|\t\"b\""),
            // The space between the two belongs to the first.
            ("'a' 'b'", r#""a" 'b""#),
            ("'a'  'b'", r#""a"  "b""#),
            ("'a'\u{1c}", "\"a\"\u{1c}"),
            ("\u{a0}'é'", "\u{a0}\"é\""),
        ] {
            assert_eq!(normalize(program), expected, "{program:?}");
        }
    }
}
