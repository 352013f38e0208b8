//! "Did you mean": the known name that is nearest to a mistyped one.

/// The nearest of `known` names, if one is near enough to be what was meant.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = |candidate: &str| strsim::damerau_levenshtein(name, candidate);
    let (distance, best) = known.into_iter().map(|known| (near(known), known)).min()?;
    (distance <= (name.len() / 3).max(1)).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_names_are_suggested() {
        let known = ["issue", "project", "user"];
        assert_eq!(nearest("isseu", known), Some("issue"));
        assert_eq!(nearest("projects", known), Some("project"));
        assert_eq!(nearest("sprint", known), None);
    }
}
