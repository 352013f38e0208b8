//! Sources with their secrets: what the door works with.

use std::{collections::HashSet, fmt, sync::Arc};

use serde_json::{Map, Value};

use super::{
    Locator, Source,
    secret::{Secret, setting_variable},
    verify::{RawRequest, Unverified, Verification, Verifier},
};
use crate::{error::StartError, event::Headers, names::snake_case};

/// The settings that sources are checked against.
#[derive(Clone, Copy, Debug)]
pub struct SourceSettings<'a> {
    /// The integration's config: a key in snake case for each setting that its spec declares, null
    /// where it is not set.
    pub config: &'a Map<String, Value>,
    /// `OCEAN__ALLOW_UNVERIFIED_SOURCES`: whether sources whose code allows it may start without
    /// secret.
    pub allow_unverified: bool,
}

/// Resolves the secrets of all sources.
///
/// # Errors
/// All problems at once: a source without secret, unless its code and the settings both allow
/// that; a secret that its scheme cannot use, or whose setting the spec does not declare; a path that
/// is not one, or is used twice.
///
/// ```
/// use ocean_core::source::{Source, SourceSettings, Verification, check_sources};
///
/// let source = Source::new("/webhook").verify(Verification::bearer().secret("webhookToken"));
/// let config = serde_json::json!({ "webhook_token": null });
/// let settings = SourceSettings { config: config.as_object().unwrap(), allow_unverified: true };
/// let error = check_sources(vec![source], &settings).unwrap_err();
/// assert!(error.to_string().contains("OCEAN__INTEGRATION__CONFIG__WEBHOOK_TOKEN"));
/// ```
pub fn check_sources(
    sources: Vec<Source>,
    settings: &SourceSettings<'_>,
) -> Result<Vec<CheckedSource>, StartError> {
    let mut problems = StartError::default();
    let mut paths = HashSet::new();
    let mut checked = Vec::with_capacity(sources.len());
    for source in sources {
        if let Some(problem) = path_problem(&source.path) {
            problems.add(format_args!("source `{}`: {problem}", source.path));
        } else if !paths.insert(source.path.clone()) {
            problems.add(format_args!("source `{}` is declared twice", source.path));
        }
        match CheckedSource::new(source, settings) {
            Ok(source) => checked.push(source),
            Err(problem) => problems.add(problem),
        }
    }
    problems.into_result(checked)
}

fn path_problem(path: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
    if !path.starts_with('/') {
        Some("a path starts with `/`")
    } else if !path.chars().all(plain) {
        Some("a path has letters, digits and `/-_.~` only; parameters are not supported")
    } else if path.len() > 1 && path.ends_with('/') {
        Some("a path does not end with `/`")
    } else {
        None
    }
}

// === CheckedSource ===

/// A source whose secrets are known.
#[derive(Clone, Debug)]
pub struct CheckedSource {
    source: Source,
    // Each event has the path: shared rather than copied.
    path: Arc<str>,
    verifier: Option<Arc<Verifier>>,
}

impl CheckedSource {
    fn new(source: Source, settings: &SourceSettings<'_>) -> Result<Self, String> {
        let path = &source.path;
        let Some(verification) = &source.verification else {
            return match source.unverified {
                None => Err(format!(
                    "source `{path}` has neither a verification nor a reason to go without; add `.verify(..)` or `.unverified(\"reason\")` in `Integration::sources`"
                )),
                Some(_) if settings.allow_unverified => Ok(Self::with(source, None)),
                Some(reason) => Err(format!(
                    "source `{path}` cannot verify its sender ({reason}); set OCEAN__ALLOW_UNVERIFIED_SOURCES=true to accept events from anyone"
                )),
            };
        };
        let setting = verification.setting();
        let secrets = match setting {
            // A name nobody can set must not look like a secret that was forgotten.
            Some(setting) => match settings.config.get(&snake_case(setting)) {
                Some(value) => Secret::parse(value),
                None => {
                    return Err(format!(
                        "source `{path}` takes its secret from the setting `{setting}`, which the spec does not declare; add it to `configurations` in .port/spec.yaml"
                    ));
                }
            },
            None => Vec::new(),
        };
        let variable = setting.map(setting_variable);
        let verifier = verification.with_secrets(secrets).map_err(|problem| {
            let variable = variable.as_deref().unwrap_or("its secret");
            format!("source `{path}`: {variable} cannot be used: {problem}")
        })?;
        match (&verifier, variable, source.unverified) {
            (Some(_), _, _) => {}
            (None, None, _) => {
                return Err(format!(
                    "source `{path}` verifies by {verification} but names no secret; add `.secret(\"setting\")` to its verification"
                ));
            }
            (None, Some(_), Some(_)) if settings.allow_unverified => {}
            (None, Some(variable), Some(reason)) => {
                return Err(format!(
                    "source `{path}` has no secret to verify its sender ({verification}); set {variable}, or OCEAN__ALLOW_UNVERIFIED_SOURCES=true to accept events from anyone ({reason})"
                ));
            }
            (None, Some(variable), None) => {
                return Err(format!(
                    "source `{path}` has no secret to verify its sender ({verification}); set {variable} (OCEAN__ALLOW_UNVERIFIED_SOURCES does not help: the source does not declare `unverified(..)`)"
                ));
            }
        }
        Ok(Self::with(source, verifier))
    }

    fn with(source: Source, verifier: Option<Verifier>) -> Self {
        Self {
            path: source.path.as_ref().into(),
            source,
            verifier: verifier.map(Arc::new),
        }
    }

    /// Its path below `/integration`, such as `/webhook`.
    pub fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// What the integration declared.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Whether senders are verified at all.
    pub fn is_verified(&self) -> bool {
        self.verifier.is_some()
    }

    /// Whether a sender is believed only with the body as it was sent.
    pub(crate) fn covers_body(&self) -> bool {
        let verification = self.source.verification.as_ref();
        self.is_verified() && verification.is_some_and(Verification::covers_body)
    }

    /// Checks the sender. Immediate for all schemes but custom ones.
    ///
    /// # Errors
    /// Why the sender is not believed.
    pub async fn verify(&self, request: &RawRequest<'_>) -> Result<(), Unverified> {
        match &self.verifier {
            Some(verifier) => verifier.verify(request).await,
            None => Ok(()),
        }
    }

    /// Whether the header with this lower-case name carries a secret, so that it must be neither
    /// stored nor shown. A signature of a body is no secret.
    pub fn is_secret_header(&self, name: &str) -> bool {
        let carries_secret = self
            .source
            .verification
            .as_ref()
            .and_then(Verification::secret_header)
            == Some(name);
        // What the source reads names and ids from is needed, whatever it is called.
        let declared = [self.source.event_name, self.source.delivery]
            .into_iter()
            .flatten()
            .any(|locator| matches!(locator, Locator::Header(header) if header == name));
        carries_secret || (!declared && Headers::carries_secret(name))
    }
}

impl fmt::Display for CheckedSource {
    // For lists of processors: how the sender is verified.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.verifier, &self.source.verification) {
            (Some(_), Some(verification)) => verification.fmt(f),
            _ => f.write_str("unverified"),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn check(sources: Vec<Source>, config: Value, allow_unverified: bool, expected: Expect) {
        let Value::Object(config) = config else {
            panic!("a config is an object")
        };
        let settings = SourceSettings {
            config: &config,
            allow_unverified,
        };
        let text = match check_sources(sources, &settings) {
            Ok(sources) => {
                let lines = sources
                    .iter()
                    .map(|source| format!("{}: {source}", source.source().path));
                lines.collect::<Vec<_>>().join("\n")
            }
            Err(problems) => problems.to_string(),
        };
        expected.assert_eq(&text);
    }

    fn signed() -> Source {
        Source::new("/webhook")
            .verify(Verification::hmac_sha256("x-hub-signature").secret("webhookSecret"))
    }

    #[test]
    fn a_secret_makes_a_source_start() {
        check(
            vec![signed()],
            json!({"webhook_secret": "s"}),
            false,
            expect!["/webhook: HMAC-SHA256 in x-hub-signature"],
        );
    }

    #[test]
    fn without_secret_a_source_does_not_start_even_where_the_setting_allows_it() {
        for config in [
            json!({"webhook_secret": ""}),
            json!({"webhook_secret": null}),
        ] {
            check(
                vec![signed()],
                config,
                true,
                expect![
                    "source `/webhook` has no secret to verify its sender (HMAC-SHA256 in x-hub-signature); set OCEAN__INTEGRATION__CONFIG__WEBHOOK_SECRET (OCEAN__ALLOW_UNVERIFIED_SOURCES does not help: the source does not declare `unverified(..)`)"
                ],
            );
        }
    }

    #[test]
    fn code_and_setting_must_agree_that_a_source_stays_unverified() {
        let source = || signed().unverified("Jira Server cannot sign");
        check(
            vec![source()],
            json!({"webhook_secret": null}),
            false,
            expect![
                "source `/webhook` has no secret to verify its sender (HMAC-SHA256 in x-hub-signature); set OCEAN__INTEGRATION__CONFIG__WEBHOOK_SECRET, or OCEAN__ALLOW_UNVERIFIED_SOURCES=true to accept events from anyone (Jira Server cannot sign)"
            ],
        );
        check(
            vec![source()],
            json!({"webhook_secret": null}),
            true,
            expect!["/webhook: unverified"],
        );
        check(
            vec![source()],
            json!({"webhook_secret": "s"}),
            true,
            expect!["/webhook: HMAC-SHA256 in x-hub-signature"],
        );
    }

    #[test]
    fn a_source_without_any_declaration_never_starts() {
        check(
            vec![Source::new("/webhook")],
            json!({}),
            true,
            expect![[
                r#"source `/webhook` has neither a verification nor a reason to go without; add `.verify(..)` or `.unverified("reason")` in `Integration::sources`"#
            ]],
        );
        check(
            vec![Source::new("/webhook").verify(Verification::bearer())],
            json!({}),
            true,
            expect![[
                r#"source `/webhook` verifies by bearer token but names no secret; add `.secret("setting")` to its verification"#
            ]],
        );
    }

    #[test]
    fn the_setting_of_a_secret_is_one_that_the_spec_declares() {
        check(
            vec![
                Source::new("/webhook")
                    .verify(Verification::bearer().secret("webhokSecret"))
                    .unverified("it is a test"),
            ],
            json!({"webhook_secret": "s"}),
            true,
            expect![
                "source `/webhook` takes its secret from the setting `webhokSecret`, which the spec does not declare; add it to `configurations` in .port/spec.yaml"
            ],
        );
    }

    #[test]
    fn all_problems_are_told_at_once() {
        check(
            vec![
                Source::new("webhook").unverified("it is a test"),
                Source::new("/a b").unverified("it is a test"),
                Source::new("/a").unverified("it is a test"),
                Source::new("/a").unverified("it is a test"),
                Source::new("/s").verify(Verification::standard_webhooks().secret("hook")),
            ],
            json!({"hook": "not base64"}),
            true,
            expect![[r#"
                4 problems
                  - source `webhook`: a path starts with `/`
                  - source `/a b`: a path has letters, digits and `/-_.~` only; parameters are not supported
                  - source `/a` is declared twice
                  - source `/s`: OCEAN__INTEGRATION__CONFIG__HOOK cannot be used: a Standard Webhooks secret is base64, as in `whsec_MfKQ..`"#]],
        );
    }

    #[test]
    fn headers_with_secrets_are_known() {
        let settings = SourceSettings {
            config: &json!({"s": "x"}).as_object().unwrap().clone(),
            allow_unverified: false,
        };
        let source = Source::new("/w")
            .verify(Verification::token("x-knock").secret("s"))
            .event_name(Locator::header("x-token-event"));
        let source = check_sources(vec![source], &settings).unwrap().remove(0);
        for (name, secret) in [
            ("x-knock", true),
            ("authorization", true),
            ("proxy-authorization", true),
            ("cookie", true),
            ("x-gitlab-token", true),
            ("x-api-key", true),
            ("x-hub-signature-256", false),
            ("x-github-event", false),
            ("x-token-event", false),
        ] {
            assert_eq!(source.is_secret_header(name), secret, "{name}");
        }
    }
}
