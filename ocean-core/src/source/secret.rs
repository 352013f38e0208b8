//! Secrets: values of the integration's settings that are never shown.

use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::names::snake_case;

/// A secret of the integration's settings, such as one that a source verifies with. `Debug` does not
/// show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// The secret with this text.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text, for computing with it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `given` is the secret, in a time that tells nothing about where they differ.
    pub fn matches(&self, given: &str) -> bool {
        // Digests have one length, so that not even the secret's length shows.
        digest(&self.0).ct_eq(&digest(given)).into()
    }

    /// The secrets in a setting's value: text, several lines of text, a JSON array, or text that
    /// is one. Blanks around a secret do not belong to it; empty secrets are none.
    pub fn parse(value: &Value) -> Vec<Self> {
        match value {
            Value::Array(items) => items.iter().filter_map(Self::one).collect(),
            Value::String(text) => match serde_json::from_str(text) {
                Ok(Value::Array(items)) => items.iter().filter_map(Self::one).collect(),
                _ => text.lines().filter_map(Self::from_text).collect(),
            },
            other => Self::one(other).into_iter().collect(),
        }
    }

    fn one(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::from_text(text),
            // A secret of digits only is read as a number by some settings files.
            Value::Number(number) => Self::from_text(&number.to_string()),
            _ => None,
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self::new(text))
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The environment variable of an integration's setting.
///
/// ```
/// use ocean_core::source::setting_variable;
///
/// assert_eq!(setting_variable("webhookSecret"), "OCEAN__INTEGRATION__CONFIG__WEBHOOK_SECRET");
/// ```
pub fn setting_variable(setting: &str) -> String {
    let key = snake_case(setting).to_ascii_uppercase();
    format!("OCEAN__INTEGRATION__CONFIG__{key}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_setting_holds_one_or_several_secrets() {
        for (value, expected) in [
            (json!("one"), vec!["one"]),
            (json!("new\nold\n"), vec!["new", "old"]),
            (json!(" new \r\n\n old"), vec!["new", "old"]),
            (json!(["new", "old"]), vec!["new", "old"]),
            (json!(r#"["new", "old"]"#), vec!["new", "old"]),
            (json!("[not json"), vec!["[not json"]),
            (json!(12345), vec!["12345"]),
            (json!(""), vec![]),
            (json!(" \n"), vec![]),
            (json!([""]), vec![]),
            (json!("[]"), vec![]),
            (json!(null), vec![]),
            (json!({"a": "b"}), vec![]),
        ] {
            let secrets = Secret::parse(&value);
            let texts: Vec<_> = secrets.iter().map(Secret::expose).collect();
            assert_eq!(texts, expected, "{value}");
        }
    }

    #[test]
    fn only_the_secret_itself_matches() {
        let secret = Secret::new("hunter2");
        assert!(secret.matches("hunter2"));
        for other in ["", "hunter", "hunter22", "Hunter2"] {
            assert!(!secret.matches(other), "{other}");
        }
    }

    #[test]
    fn debug_does_not_show_a_secret() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(..)");
    }
}
