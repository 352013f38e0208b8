//! Text for people, as tables or lines.

/// The text without control characters: what strangers have sent must not move the cursor or draw
/// lines of its own.
pub(super) fn plain(text: &str) -> String {
    let shown = |sign: char| match sign {
        '\n' | '\t' => ' ',
        sign if sign.is_control() => char::REPLACEMENT_CHARACTER,
        sign => sign,
    };
    text.chars().map(shown).collect()
}

/// Lines with columns aligned; the last column is never padded.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (index, cell) in row.iter().enumerate() {
            if index > 0 {
                line.push_str("  ");
            }
            line.push_str(&plain(cell));
            let padding = widths[index].saturating_sub(cell.chars().count());
            line.extend(std::iter::repeat_n(' ', padding));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_strangers_sent_draws_nothing_of_its_own() {
        let rows = [vec!["1\n2".to_owned(), "\x1b[2Jx".to_owned()]];
        let table = super::table(&["a", "b"], &rows);
        assert_eq!(table.lines().count(), 2);
        assert!(!table.contains('\x1b'), "{table:?}");
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [
            vec!["1".to_owned(), "ä".to_owned()],
            vec!["1000".to_owned(), String::new()],
        ];
        expect_test::expect![[r"
            id    name
            1     ä
            1000
        "]]
        .assert_eq(&super::table(&["id", "name"], &rows));
    }
}
