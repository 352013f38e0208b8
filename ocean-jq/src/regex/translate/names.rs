//! Groups of a pattern, and references to them.

/// Names of all capturing groups; found first, because references may look forward.
pub(super) fn group_names(pattern: &str) -> Vec<Option<String>> {
    let mut names = Vec::new();
    let bytes = pattern.as_bytes();
    let mut at = 0;
    let mut in_class = false;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'[' if !in_class => {
                in_class = true;
                // A bracket right behind the opening one is a literal.
                if bytes.get(at + 1) == Some(&b'^') {
                    at += 1;
                }
                if bytes.get(at + 1) == Some(&b']') {
                    at += 1;
                }
            }
            b'[' if bytes.get(at + 1) == Some(&b':') => {
                if let Some(len) = pattern.get(at..).and_then(|rest| rest.find(":]")) {
                    at += len + 1;
                }
            }
            b']' => in_class = false,
            b'(' if !in_class => {
                let rest = pattern.get(at + 1..).unwrap_or_default();
                // The condition of a conditional is no group.
                if rest.starts_with("?(") {
                    at += 2;
                }
                match opening_name(rest) {
                    Some((name, _)) => names.push(Some(name.to_owned())),
                    None if rest.starts_with('?') => {}
                    None => names.push(None),
                }
            }
            _ => {}
        }
        at += 1;
    }
    names
}

/// The name in `?<name>` or `?'name'`, and what follows.
pub(super) fn opening_name(rest: &str) -> Option<(&str, &str)> {
    let rest = rest.strip_prefix('?')?;
    if rest.starts_with("<=") || rest.starts_with("<!") {
        return None;
    }
    enclosed(rest)
}

/// What stands in `<…>` or `'…'`, and what follows.
pub(super) fn enclosed(rest: &str) -> Option<(&str, &str)> {
    match rest.strip_prefix('<') {
        Some(rest) => rest.split_once('>'),
        None => rest.strip_prefix('\'')?.split_once('\''),
    }
}

/// The number of the group that a number, relative number or name means; of a name the last one.
pub(super) fn group_number(
    name: &str,
    names: &[Option<String>],
    opened: usize,
) -> Result<usize, String> {
    if let Some(back) = name.strip_prefix('-').and_then(|back| back.parse().ok()) {
        let number = (opened + 1).checked_sub(back);
        return number
            .filter(|number| *number > 0)
            .ok_or_else(|| INVALID.to_owned());
    }
    match name.parse() {
        Ok(number) if number <= names.len() => Ok(number),
        Ok(_) => Err(INVALID.to_owned()),
        Err(_) => {
            let found = names
                .iter()
                .rposition(|known| known.as_deref() == Some(name));
            let number = found.map(|at| at + 1);
            number.ok_or_else(|| format!("undefined name <{name}> reference"))
        }
    }
}

pub(super) const INVALID: &str = "invalid backref number/name";
