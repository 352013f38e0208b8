//! Names of Jira's objects, checked when a payload is read: they become parts of addresses and
//! queries, where other text could ask for something else.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The id of an issue, project, version, board, sprint or worklog. Jira writes ids as numbers in
/// some payloads and as text in others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(try_from = "NumberOrText", into = "u64")]
pub struct Id(u64);

impl From<Id> for u64 {
    fn from(id: Id) -> Self {
        id.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "an id: a number, or text that holds one")]
enum NumberOrText {
    Number(u64),
    Text(String),
}

impl TryFrom<NumberOrText> for Id {
    type Error = String;

    fn try_from(value: NumberOrText) -> Result<Self, String> {
        match value {
            NumberOrText::Number(number) => Ok(Self(number)),
            NumberOrText::Text(text) => text
                .parse()
                .map(Self)
                .map_err(|_| format!("`{text}` is not an id of jira")),
        }
    }
}

// === IssueKey ===

/// The key of an issue, such as `OPS-7`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct IssueKey(String);

impl TryFrom<String> for IssueKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_key = text.rsplit_once('-').is_some_and(|(project, number)| {
            is_word(project) && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
        });
        match is_key {
            true => Ok(Self(text)),
            false => Err(format!("`{text}` is not an issue key such as `OPS-7`")),
        }
    }
}

impl fmt::Display for IssueKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What names an issue.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct IssueRef {
    /// Its id, which it keeps when it moves to another project.
    pub id: Id,
    /// Its key, which changes then.
    pub key: IssueKey,
}

// === ProjectKey ===

/// The key of a project, such as `OPS`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct ProjectKey(String);

impl ProjectKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ProjectKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match is_word(&text) {
            true => Ok(Self(text)),
            false => Err(format!("`{text}` is not a project key such as `OPS`")),
        }
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_numbers_or_text_that_holds_one() {
        for (json, id) in [
            ("5", Some(Id(5))),
            (r#""10007""#, Some(Id(10_007))),
            (r#""../user""#, None),
            (r#""""#, None),
            ("-1", None),
            ("null", None),
        ] {
            assert_eq!(serde_json::from_str(json).ok(), id, "{json}");
        }
    }

    #[test]
    fn keys_are_words_and_cannot_carry_a_query() {
        let reads = |text: &str| IssueKey::try_from(text.to_owned()).is_ok();
        for key in ["OPS-7", "A1_B-100", "ops-1"] {
            assert!(reads(key), "{key}");
        }
        for text in [
            "",
            "OPS",
            "OPS-",
            "-7",
            "OPS-7 OR project = HR",
            "OPS-7)",
            "O PS-7",
        ] {
            assert!(!reads(text), "{text}");
        }
        assert!(ProjectKey::try_from("OPS/../user".to_owned()).is_err());
    }
}
