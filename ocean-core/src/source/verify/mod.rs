//! How a source tells its sender from an impostor.
//!
//! [`Verification`] is what an integration declares; with secrets it becomes a [`Verifier`], which
//! has its keys prepared. **Everything is computed over the bytes as they were received, and
//! compared in constant time; a verifier without secret cannot be made.**

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::secret::Secret;
use crate::future::BoxFuture;

mod mac;
mod timestamped;
mod token;

use mac::{Hash, Keys};
use timestamped::Style;
use token::Tokens;

/// How a source tells its sender from an impostor: on the raw bytes, in constant time, against
/// one or several secrets from the integration's settings.
///
/// ```
/// use ocean_core::source::{Encoding, Verification};
///
/// let _ = Verification::hmac_sha256("x-hub-signature-256").prefix("sha256=").secret("webhookSecret");
/// let _ = Verification::hmac_sha512("x-tfe-notification-signature").secret("webhookSecret");
/// let _ = Verification::hmac_sha1("x-sig").encoding(Encoding::Base64).secret("webhookSecret");
/// let _ = Verification::token("x-gitlab-token").secret("webhookToken");
/// let _ = Verification::bearer().secret("webhookToken");
/// let _ = Verification::standard_webhooks().secret("webhookSecret");
/// ```
#[derive(Clone)]
pub struct Verification {
    scheme: Scheme,
    secret: Option<&'static str>,
}

#[derive(Clone)]
enum Scheme {
    Hmac {
        hash: Hash,
        header: &'static str,
        encoding: Encoding,
        prefix: &'static str,
        prefix_optional: bool,
    },
    Token {
        header: &'static str,
        prefix: &'static str,
    },
    Basic {
        with_user: bool,
    },
    Timestamped {
        style: Style,
        tolerance: Duration,
    },
    Custom(Arc<dyn Verify>),
}

/// How the bytes of a signature are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// Hexadecimal, either case.
    Hex,
    /// Standard base64 with padding.
    Base64,
    /// Either; the length of a signature tells them apart.
    HexOrBase64,
}

impl Verification {
    /// How far a timestamped signature may lie in the past or the future: five minutes, as
    /// Standard Webhooks, Slack and Stripe recommend.
    pub const DEFAULT_TOLERANCE: Duration = Duration::from_secs(300);

    /// HMAC-SHA1 of the body in `header`, hexadecimal. For senders that offer nothing better.
    pub const fn hmac_sha1(header: &'static str) -> Self {
        Self::hmac(Hash::Sha1, header)
    }

    /// HMAC-SHA256 of the body in `header`, hexadecimal.
    pub const fn hmac_sha256(header: &'static str) -> Self {
        Self::hmac(Hash::Sha256, header)
    }

    /// HMAC-SHA512 of the body in `header`, hexadecimal.
    pub const fn hmac_sha512(header: &'static str) -> Self {
        Self::hmac(Hash::Sha512, header)
    }

    /// The secret itself in `header`.
    pub const fn token(header: &'static str) -> Self {
        Self::of(Scheme::Token { header, prefix: "" })
    }

    /// The secret as a bearer token: `Authorization: Bearer <secret>`.
    pub const fn bearer() -> Self {
        Self::of(Scheme::Token {
            header: "authorization",
            prefix: "Bearer ",
        })
    }

    /// The secret as the password of HTTP basic authentication, whatever the user's name.
    pub const fn basic() -> Self {
        Self::of(Scheme::Basic { with_user: false })
    }

    /// HTTP basic authentication with a secret of the form `user:password`.
    pub const fn basic_with_user() -> Self {
        Self::of(Scheme::Basic { with_user: true })
    }

    /// Standard Webhooks (standardwebhooks.com): `webhook-signature` holds `v1,` and the base64 of
    /// HMAC-SHA256 over `webhook-id.webhook-timestamp.body`, several of them apart by blanks. The
    /// secret is base64, usually after `whsec_`.
    pub const fn standard_webhooks() -> Self {
        Self::timestamped(Style::Standard)
    }

    /// As Slack signs: `v0=` and the hexadecimal HMAC-SHA256 over `v0:timestamp:body` in
    /// `signature_header`, the seconds since 1970 in `timestamp_header`.
    pub const fn slack_style(
        signature_header: &'static str,
        timestamp_header: &'static str,
    ) -> Self {
        Self::timestamped(Style::Slack {
            signature: signature_header,
            timestamp: timestamp_header,
        })
    }

    /// As Stripe signs: `t=<seconds since 1970>,v1=<hexadecimal HMAC-SHA256 over timestamp.body>`
    /// in `header`, `v1` once for each live secret of the sender.
    pub const fn stripe_style(header: &'static str) -> Self {
        Self::timestamped(Style::Stripe { header })
    }

    /// A verifier in code. It gets the secrets of [`secret`](Self::secret), if one is named.
    pub fn custom(verifier: impl Verify) -> Self {
        Self::of(Scheme::Custom(Arc::new(verifier)))
    }

    /// What stands before an HMAC signature or a token, such as `sha256=`; other schemes have no
    /// use for it.
    #[must_use]
    pub fn prefix(mut self, text: &'static str) -> Self {
        if let Scheme::Hmac { prefix, .. } | Scheme::Token { prefix, .. } = &mut self.scheme {
            *prefix = text;
        }
        self
    }

    /// As [`prefix`](Self::prefix), for HMAC senders of which some leave it out.
    #[must_use]
    pub fn optional_prefix(mut self, text: &'static str) -> Self {
        if let Scheme::Hmac {
            prefix,
            prefix_optional,
            ..
        } = &mut self.scheme
        {
            *prefix = text;
            *prefix_optional = true;
        }
        self
    }

    /// How an HMAC signature is written; other schemes have no use for it.
    #[must_use]
    pub fn encoding(mut self, written: Encoding) -> Self {
        if let Scheme::Hmac { encoding, .. } = &mut self.scheme {
            *encoding = written;
        }
        self
    }

    /// How far a timestamp may lie from now, both ways; schemes without one have no use for it.
    #[must_use]
    pub fn tolerance(mut self, limit: Duration) -> Self {
        if let Scheme::Timestamped { tolerance, .. } = &mut self.scheme {
            *tolerance = limit;
        }
        self
    }

    /// The setting of the integration's config that holds the secret, in the spec's camel case; a
    /// list or several lines hold several live secrets, for rotation.
    #[must_use]
    pub fn secret(mut self, setting: &'static str) -> Self {
        self.secret = Some(setting);
        self
    }

    /// Whether what it checks depends on every byte of the body; of a custom one that is not known.
    pub(crate) fn covers_body(&self) -> bool {
        matches!(
            self.scheme,
            Scheme::Hmac { .. } | Scheme::Timestamped { .. }
        )
    }

    /// The setting that holds the secret.
    pub fn setting(&self) -> Option<&'static str> {
        self.secret
    }

    /// The verifier with these secrets; `None` if the scheme needs one and there is none.
    ///
    /// # Errors
    /// A secret has not the form that the scheme asks for.
    pub(super) fn with_secrets(&self, secrets: Vec<Secret>) -> Result<Option<Verifier>, String> {
        let named = self.secret.is_some() || !matches!(self.scheme, Scheme::Custom(_));
        if named && secrets.is_empty() {
            return Ok(None);
        }
        let armed = match &self.scheme {
            &Scheme::Hmac {
                hash,
                header,
                encoding,
                prefix,
                prefix_optional,
            } => Armed::Hmac(mac::Signatures {
                keys: Keys::new(
                    hash,
                    secrets.iter().map(|secret| secret.expose().as_bytes()),
                ),
                header,
                encoding,
                prefix,
                prefix_optional,
            }),
            &Scheme::Token { header, prefix } => {
                Armed::Token(Tokens::new(&secrets), header, prefix)
            }
            &Scheme::Basic { with_user } => Armed::Basic(Tokens::new(&secrets), with_user),
            &Scheme::Timestamped { style, tolerance } => {
                Armed::Timestamped(style.with_secrets(&secrets)?, tolerance)
            }
            Scheme::Custom(verifier) => Armed::Custom(verifier.clone(), secrets),
        };
        Ok(Some(Verifier(armed)))
    }

    /// The header that carries the secret itself, if the scheme sends it.
    pub(super) fn secret_header(&self) -> Option<&'static str> {
        match self.scheme {
            Scheme::Token { header, .. } => Some(header),
            Scheme::Basic { .. } => Some("authorization"),
            _ => None,
        }
    }

    const fn hmac(hash: Hash, header: &'static str) -> Self {
        Self::of(Scheme::Hmac {
            hash,
            header,
            encoding: Encoding::Hex,
            prefix: "",
            prefix_optional: false,
        })
    }

    const fn timestamped(style: Style) -> Self {
        Self::of(Scheme::Timestamped {
            style,
            tolerance: Self::DEFAULT_TOLERANCE,
        })
    }

    const fn of(scheme: Scheme) -> Self {
        Self {
            scheme,
            secret: None,
        }
    }
}

impl fmt::Display for Verification {
    // For lists of processors and for start-up messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scheme {
            Scheme::Hmac { hash, header, .. } => write!(f, "{hash} in {header}"),
            Scheme::Token {
                header: "authorization",
                prefix: "Bearer ",
            } => f.write_str("bearer token"),
            Scheme::Token { header, .. } => write!(f, "token in {header}"),
            Scheme::Basic { .. } => f.write_str("basic authentication"),
            Scheme::Timestamped { style, .. } => style.fmt(f),
            Scheme::Custom(_) => f.write_str("custom verifier"),
        }
    }
}

impl fmt::Debug for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verification({self}, secret {:?})", self.secret)
    }
}

// === Verify ===

/// A verifier in code, for senders with a scheme of their own.
///
/// ```
/// use ocean_core::{BoxFuture, source::{RawRequest, Secret, Unverified, Verification, Verify}};
///
/// struct Knock;
///
/// impl Verify for Knock {
///     fn verify<'a>(
///         &'a self,
///         request: &'a RawRequest<'a>,
///         _: &'a [Secret],
///     ) -> BoxFuture<'a, Result<(), Unverified>> {
///         Box::pin(async move {
///             match request.header("x-knock") {
///                 Some("twice") => Ok(()),
///                 _ => Err(Unverified::refused("knock twice")),
///             }
///         })
///     }
/// }
///
/// let _ = Verification::custom(Knock);
/// ```
pub trait Verify: Send + Sync + 'static {
    /// Checks the sender of `request` against the live secrets of the source, if it names any.
    ///
    /// Runs on a thread of the door, so it must not block; the door gives it ten seconds.
    ///
    /// # Errors
    /// Why the sender cannot be trusted, or that this cannot be found out at the moment.
    fn verify<'a>(
        &'a self,
        request: &'a RawRequest<'a>,
        secrets: &'a [Secret],
    ) -> BoxFuture<'a, Result<(), Unverified>>;
}

// === RawRequest ===

/// A request as it was received, before anything was decoded.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RawRequest<'a> {
    /// Names in lower case and values, in the order received, secrets included.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The query string, without `?`.
    pub query: &'a str,
    /// The body, not yet inflated.
    pub body: &'a [u8],
    /// When it arrived.
    pub received_at: Timestamp,
}

impl<'a> RawRequest<'a> {
    /// The request of these parts.
    pub const fn new(
        headers: &'a [(&'a str, &'a [u8])],
        query: &'a str,
        body: &'a [u8],
        received_at: Timestamp,
    ) -> Self {
        Self {
            headers,
            query,
            body,
            received_at,
        }
    }

    /// The first value of the header with this lower-case name, if it is text.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.headers.iter().find(|(key, _)| *key == name)?;
        std::str::from_utf8(value).ok()
    }

    fn required(&self, name: &'static str) -> Result<&'a str, Unverified> {
        self.header(name).ok_or(Unverified::Missing(name))
    }
}

// === Unverified ===

/// Why a sender is not believed. Says what is wrong, never what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unverified {
    /// The header that should prove the sender is not there.
    #[error("no `{0}` header")]
    Missing(&'static str),
    /// The header has not the form of the scheme.
    #[error("malformed `{0}` header")]
    Malformed(&'static str),
    /// Signature, token or password are not those of any live secret.
    #[error("`{0}` does not match")]
    Mismatch(&'static str),
    /// The timestamp lies outside the tolerance: a replay, or a clock that is wrong.
    #[error(
        "the timestamp is {off_by_seconds} s away from now, more than the {tolerance_seconds} s allowed"
    )]
    Expired {
        /// The distance from now.
        off_by_seconds: u64,
        /// The distance allowed.
        tolerance_seconds: u64,
    },
    /// What a custom verifier said.
    #[error("{0}")]
    Refused(Cow<'static, str>),
    /// The sender cannot be verified at the moment; it is asked to send again.
    #[error("cannot verify at the moment: {0}")]
    Unavailable(Cow<'static, str>),
}

impl Unverified {
    /// The sender is not believed, for this reason.
    pub fn refused(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused(reason.into())
    }
}

// === Verifier ===

/// A scheme with its secrets.
pub(super) struct Verifier(Armed);

enum Armed {
    Hmac(mac::Signatures),
    Token(Tokens, &'static str, &'static str),
    Basic(Tokens, bool),
    Timestamped(timestamped::Signatures, Duration),
    Custom(Arc<dyn Verify>, Vec<Secret>),
}

impl Verifier {
    pub(super) async fn verify(&self, request: &RawRequest<'_>) -> Result<(), Unverified> {
        match &self.0 {
            Armed::Hmac(signatures) => signatures.verify(request),
            Armed::Token(tokens, header, prefix) => tokens.verify_header(request, header, prefix),
            Armed::Basic(tokens, with_user) => tokens.verify_basic(request, *with_user),
            Armed::Timestamped(signatures, tolerance) => signatures.verify(request, *tolerance),
            Armed::Custom(verifier, secrets) => {
                let verdict = verifier.verify(request, secrets);
                tokio::time::timeout(CUSTOM_DEADLINE, verdict)
                    .await
                    .unwrap_or(Err(Unverified::Unavailable(
                        "the verifier took too long".into(),
                    )))
            }
        }
    }
}

/// The time a verifier in code may take: senders give up after ten seconds or so.
const CUSTOM_DEADLINE: Duration = Duration::from_secs(10);

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(..)")
    }
}

#[cfg(test)]
mod tests;
