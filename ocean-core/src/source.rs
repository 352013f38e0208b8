//! Sources: the paths on which events arrive, and how their senders are told from impostors.

use std::{borrow::Cow, fmt, sync::Arc};

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

// === Locator ===

/// Where a value stands in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locator {
    /// In a header, named in lower case.
    Header(&'static str),
    /// In the body, at an RFC 6901 pointer.
    Pointer(&'static str),
}

impl Locator {
    /// In a header, named in lower case.
    pub const fn header(name: &'static str) -> Self {
        Self::Header(name)
    }

    /// In the body, at an RFC 6901 pointer.
    pub const fn pointer(pointer: &'static str) -> Self {
        Self::Pointer(pointer)
    }
}

// === Verification ===

/// How a source tells its sender from an impostor: on the raw bytes, in constant time, against
/// one or several secrets from the integration's settings.
#[derive(Clone)]
pub struct Verification {
    pub(crate) scheme: Scheme,
    pub(crate) secret: Option<&'static str>,
}

#[derive(Clone)]
pub(crate) enum Scheme {
    Hmac {
        hash: Hash,
        header: &'static str,
        encoding: Encoding,
        prefix: &'static str,
    },
    Token {
        header: &'static str,
        prefix: &'static str,
    },
    Custom(Arc<dyn Verify>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

/// How the bytes of a signature are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal, either case.
    Hex,
    /// Standard base64.
    Base64,
}

impl Verification {
    /// HMAC-SHA256 of the body in `header`, hexadecimal.
    pub const fn hmac_sha256(header: &'static str) -> Self {
        Self {
            scheme: Scheme::Hmac {
                hash: Hash::Sha256,
                header,
                encoding: Encoding::Hex,
                prefix: "",
            },
            secret: None,
        }
    }

    /// What stands before the signature, such as `sha256=`.
    #[must_use]
    pub fn prefix(mut self, text: &'static str) -> Self {
        match &mut self.scheme {
            Scheme::Hmac { prefix, .. } | Scheme::Token { prefix, .. } => *prefix = text,
            Scheme::Custom(_) => {}
        }
        self
    }

    /// The setting of the integration's config that holds the secret, in the spec's camel case; a
    /// list or several lines hold several live secrets, for rotation.
    #[must_use]
    pub const fn secret(mut self, setting: &'static str) -> Self {
        self.secret = Some(setting);
        self
    }
}

impl fmt::Debug for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verification")
            .field("secret", &self.secret)
            .finish_non_exhaustive()
    }
}

/// A verifier in code, for senders with a scheme of their own.
pub trait Verify: Send + Sync + 'static {
    /// Checks the sender.
    fn verify(&self);
}

// === Challenge ===

/// How a request that only proves the address is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Challenge {
    /// GET with this header (Okta's `x-okta-verification-challenge`): 200 with its value as
    /// `{"verification": ".."}`.
    GetHeader(&'static str),
}
