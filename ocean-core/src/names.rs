//! The two ways in which one setting is written.

/// The config key of a setting that the spec writes in camel case: `webhookSecret` is
/// `webhook_secret`, `webhookAPIKey` is `webhook_api_key`. Snake case stays as it is.
///
/// The keys of the integration's config and the names of its environment variables are made here,
/// and nowhere else: two rules that differ for one name would lose its value.
pub(crate) fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut key = String::with_capacity(name.len() + 4);
    for (index, &letter) in letters.iter().enumerate() {
        let previous = index.checked_sub(1).map(|before| letters[before]);
        let next_is_lower = letters.get(index + 1).is_some_and(|c| c.is_lowercase());
        let starts_word = letter.is_uppercase()
            && previous.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_uppercase() && next_is_lower)
            });
        if starts_word {
            key.push('_');
        }
        key.extend(letter.to_lowercase());
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn camel_case_becomes_snake_case() {
        for (name, expected) in [
            ("jiraHost", "jira_host"),
            ("jira_host", "jira_host"),
            ("secret", "secret"),
            ("enableTLS", "enable_tls"),
            ("webhookAPIKey", "webhook_api_key"),
            ("liveEventsAPIKey", "live_events_api_key"),
            ("oauth2Secret", "oauth2_secret"),
            ("OAuth2Token", "o_auth2_token"),
            ("webhook_api_key", "webhook_api_key"),
            ("", ""),
        ] {
            assert_eq!(snake_case(name), expected);
            assert_eq!(
                snake_case(expected),
                expected,
                "the second time changes nothing"
            );
        }
    }
}
