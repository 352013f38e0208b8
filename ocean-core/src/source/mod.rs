//! Sources: the paths on which events arrive, and how their senders are told from impostors.
//!
//! An integration declares [`Source`]s; [`check_sources`] resolves their secrets from the settings
//! into [`CheckedSource`]s, which is what the door works with. **A source that cannot verify its
//! sender does not start, unless code and operator both say that it may.** This module knows
//! neither the HTTP server nor the environment.

use std::borrow::Cow;

mod checked;
mod locator;
mod secret;
mod verify;

pub use checked::{CheckedSource, SourceSettings, check_sources};
pub use locator::Locator;
pub use secret::{Secret, setting_variable};
pub use verify::{Encoding, RawRequest, Unverified, Verification, Verify};

/// A path of the integration and everything the door must know about its sender.
///
/// ```
/// use ocean_core::source::{Locator, Source, Verification};
///
/// let source = Source::new("/webhook")
///     .event_name(Locator::header("x-github-event"))
///     .delivery(Locator::header("x-github-delivery"))
///     .verify(
///         Verification::hmac_sha256("x-hub-signature-256").prefix("sha256=").secret("webhookSecret"),
///     );
/// assert_eq!(source.path, "/webhook");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Source {
    /// The path below `/integration`, such as `/webhook`.
    pub path: Cow<'static, str>,
    /// Where the event's name stands.
    pub event_name: Option<Locator>,
    /// Where the sender's id of the delivery stands; without it nothing is deduplicated.
    pub delivery: Option<Locator>,
    /// How the sender is verified.
    pub verification: Option<Verification>,
    /// Why events need not be verified, if the code says so. Also needs
    /// `OCEAN__ALLOW_UNVERIFIED_SOURCES`.
    pub unverified: Option<&'static str>,
    /// Whether a JSON array is a batch, each element an event.
    pub arrays: bool,
    /// The form field that carries the JSON in `application/x-www-form-urlencoded` bodies.
    pub form_field: Option<&'static str>,
    /// How a GET or POST that only proves the address is answered.
    pub challenge: Option<Challenge>,
}

impl Source {
    /// A source on `path` that takes JSON objects and has no verification yet.
    pub fn new(path: impl Into<Cow<'static, str>>) -> Self {
        Self {
            path: path.into(),
            event_name: None,
            delivery: None,
            verification: None,
            unverified: None,
            arrays: false,
            form_field: None,
            challenge: None,
        }
    }

    /// Where the event's name stands.
    #[must_use]
    pub fn event_name(self, locator: Locator) -> Self {
        Self {
            event_name: Some(locator),
            ..self
        }
    }

    /// Where the sender's id of the delivery stands; the same id within a day is a duplicate.
    ///
    /// In a batch whose id stands in a header, each element's id is the header's value and the
    /// element's place, as in `4f2a:0`: one id cannot stand for several events.
    #[must_use]
    pub fn delivery(self, locator: Locator) -> Self {
        Self {
            delivery: Some(locator),
            ..self
        }
    }

    /// How the sender is verified.
    #[must_use]
    pub fn verify(self, verification: Verification) -> Self {
        Self {
            verification: Some(verification),
            ..self
        }
    }

    /// Events may come unverified where no secret is configured, for this reason, if the operator
    /// agrees with `OCEAN__ALLOW_UNVERIFIED_SOURCES=true`.
    #[must_use]
    pub fn unverified(self, reason: &'static str) -> Self {
        Self {
            unverified: Some(reason),
            ..self
        }
    }

    /// A JSON array is a batch: verified as one body, then each element is an event.
    #[must_use]
    pub fn arrays(self) -> Self {
        Self {
            arrays: true,
            ..self
        }
    }

    /// Form-encoded bodies carry the JSON in this field.
    #[must_use]
    pub fn form_field(self, name: &'static str) -> Self {
        Self {
            form_field: Some(name),
            ..self
        }
    }

    /// How a request that only proves the address is answered.
    #[must_use]
    pub fn challenge(self, challenge: Challenge) -> Self {
        Self {
            challenge: Some(challenge),
            ..self
        }
    }
}

// === Challenge ===

/// How a request that only proves the address is answered. No event comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Challenge {
    /// GET with this header (Okta's `x-okta-verification-challenge`): 200 with its value as
    /// `{"verification": ".."}`.
    GetHeader(&'static str),
    /// GET with this query parameter (`challenge`, `hub.challenge`, `validationToken`): 200 with
    /// its value as plain text.
    GetQuery(&'static str),
    /// POST whose verified body has text at this pointer (Slack's `/challenge`): 200 with it as
    /// `{"challenge": ".."}`.
    PostPointer(&'static str),
}
