//! The deletion path: what `itemsToParse` cuts out of the copies of an item, found in the text of
//! its program.

/// The path that upstream cuts out, if it finds one: of the program, or of what stands in its
/// first parentheses when it begins with one, the first segment between `|` that starts with a
/// path, as far as the path goes. The rule looks at characters, not at jq.
pub(super) fn deletion_path(program: &str) -> Option<&str> {
    let program = program.trim();
    let chain = match program.strip_prefix('(') {
        Some(inner) => inner.split_once(')')?.0.trim(),
        None => program,
    };
    // `.`, `$name` and `. as $name`, which upstream skips by name, have no path to begin with.
    chain
        .split('|')
        .find_map(|segment| leading_path(segment.trim()))
}

/// `.word` or `.[…]`, followed by any number of `.word`, `[…]` and `.[…]`.
fn leading_path(segment: &str) -> Option<&str> {
    let mut end = 0;
    loop {
        let rest = &segment[end..];
        let dotted = rest.strip_prefix('.');
        let step = match dotted {
            None if end == 0 => 0,
            None => bracket(rest),
            Some(rest) => match word(rest).max(bracket(rest)) {
                0 => 0,
                length => length + 1,
            },
        };
        if step == 0 {
            return (end > 0).then(|| &segment[..end]);
        }
        end += step;
    }
}

fn word(text: &str) -> usize {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    text.find(|character| !is_word(character))
        .unwrap_or(text.len())
}

fn bracket(text: &str) -> usize {
    match text.strip_prefix('[').and_then(|inner| inner.find(']')) {
        // `[]` is no place in a list.
        None | Some(0) => 0,
        Some(inner) => inner + 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_path_between_pipes_is_found() {
        for (program, expected) in [
            (".comments", Some(".comments")),
            ("  .wrap.list\n", Some(".wrap.list")),
            (".a_b2.c", Some(".a_b2.c")),
            (".items[] | .x", Some(".items")),
            (".comments | map(select(.hide))", Some(".comments")),
            ("(.a | map(.b)) // []", Some(".a")),
            ("(.a // []) | map(.b)", Some(".a")),
            (".a // .b", Some(".a")),
            (".a//.b", Some(".a")),
            (". | .a", Some(".a")),
            ("$x | .a", Some(".a")),
            (". as $all | .a.b // {}", Some(".a.b")),
            (". as $all | ($all | .a.b) // {}", Some(".a.b")),
            ("(. as $all | .a.b)", Some(".a.b")),
            (".[0].key", Some(".[0].key")),
            (".file[0].content", Some(".file[0].content")),
            (".file.[0].content", Some(".file.[0].content")),
            (".[\"key\"].value", Some(".[\"key\"].value")),
            (".größe", Some(".größe")),
            (".a?.b", Some(".a")),
            ("map(.a) | .b", Some(".b")),
            ("[.a, .b]", None),
            ("to_entries", None),
            ("keys", None),
            (".\"odd name\"", None),
            (".", None),
            (". as $x", None),
            (".[]", None),
            ("$items", None),
            ("(.a", None),
            ("()", None),
            ("", None),
        ] {
            assert_eq!(deletion_path(program), expected, "{program:?}");
        }
    }
}
