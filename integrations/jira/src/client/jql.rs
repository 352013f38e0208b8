//! Restricting a team's JQL to one issue.

use std::fmt::Display;

/// The JQL that finds the issue `key` if, and only if, `jql` finds it.
///
/// The order that `jql` asks for is left out: it means nothing for one issue, and within
/// parentheses Jira refuses it.
pub(super) fn restrict(jql: Option<&str>, key: impl Display) -> String {
    let condition = jql.map(without_order).unwrap_or_default();
    match condition {
        "" => format!("key = {key}"),
        condition => format!("({condition}) AND key = {key}"),
    }
}

/// `jql` without its `ORDER BY`.
fn without_order(jql: &str) -> &str {
    let mut quote = None;
    let mut escaped = false;
    // A word starts after anything that cannot be part of one.
    let mut starts_word = true;
    for (at, c) in jql.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if starts_word && is_order_by(&jql[at..]) => return jql[..at].trim(),
            None => {}
        }
        starts_word = !c.is_alphanumeric() && c != '_';
    }
    jql.trim()
}

fn is_order_by(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let mut next_is = |word: &str| words.next().is_some_and(|it| it.eq_ignore_ascii_case(word));
    next_is("order") && next_is("by")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jql_is_restricted_to_the_issue() {
        for (jql, restricted) in [
            (None, "key = OPS-7"),
            (Some("  "), "key = OPS-7"),
            (Some("project = OPS"), "(project = OPS) AND key = OPS-7"),
            (
                Some("a = 1 OR b = 2 ORDER BY created DESC"),
                "(a = 1 OR b = 2) AND key = OPS-7",
            ),
            (Some("a = 1 order\n by rank"), "(a = 1) AND key = OPS-7"),
            (Some("(a = 1)ORDER BY rank"), "((a = 1)) AND key = OPS-7"),
            (Some("ORDER BY created"), "key = OPS-7"),
            (
                Some(r#"summary ~ "order by \" order by" ORDER BY x"#),
                r#"(summary ~ "order by \" order by") AND key = OPS-7"#,
            ),
            (
                Some("summary ~ 'ORDER BY'"),
                "(summary ~ 'ORDER BY') AND key = OPS-7",
            ),
            (Some("reorder = by"), "(reorder = by) AND key = OPS-7"),
            (
                Some("labels = \"größe\" ORDER BY key"),
                "(labels = \"größe\") AND key = OPS-7",
            ),
        ] {
            assert_eq!(restrict(jql, "OPS-7"), restricted, "{jql:?}");
        }
    }
}
