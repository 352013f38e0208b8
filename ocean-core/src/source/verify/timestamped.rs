//! Signatures over body and time, which cannot be replayed later.

use std::{fmt, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;

use super::{
    RawRequest, Secret, Unverified,
    mac::{Hash, Keys},
};

/// The signatures in a header are compared one by one; an attacker must not choose how many.
const MAX_SIGNATURES: usize = 16;

/// Whose way of signing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Standard,
    Slack {
        signature: &'static str,
        timestamp: &'static str,
    },
    Stripe {
        header: &'static str,
    },
}

impl Style {
    /// # Errors
    /// A Standard Webhooks secret is not base64.
    pub(super) fn with_secrets(self, secrets: &[Secret]) -> Result<Signatures, String> {
        let keys = match self {
            Self::Standard => {
                let keys: Vec<_> = secrets
                    .iter()
                    .map(standard_key)
                    .collect::<Result<_, String>>()?;
                Keys::new(Hash::Sha256, keys.iter().map(Vec::as_slice))
            }
            Self::Slack { .. } | Self::Stripe { .. } => Keys::new(
                Hash::Sha256,
                secrets.iter().map(|secret| secret.expose().as_bytes()),
            ),
        };
        Ok(Signatures { style: self, keys })
    }
}

impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard => f.write_str("Standard Webhooks"),
            Self::Slack { signature, .. } => write!(f, "timestamped HMAC-SHA256 in {signature}"),
            Self::Stripe { header } => write!(f, "timestamped HMAC-SHA256 in {header}"),
        }
    }
}

fn standard_key(secret: &Secret) -> Result<Vec<u8>, String> {
    let text = secret.expose();
    BASE64_STANDARD
        .decode(text.strip_prefix("whsec_").unwrap_or(text))
        .ok()
        .filter(|key| !key.is_empty())
        .ok_or_else(|| "a Standard Webhooks secret is base64, as in `whsec_MfKQ..`".to_owned())
}

// === Signatures ===

/// A style with its keys.
pub(super) struct Signatures {
    style: Style,
    keys: Keys,
}

impl Signatures {
    pub(super) fn verify(
        &self,
        request: &RawRequest<'_>,
        tolerance: Duration,
    ) -> Result<(), Unverified> {
        let body = request.body;
        match self.style {
            Style::Standard => {
                let id = request.required("webhook-id")?;
                let timestamp = request.required("webhook-timestamp")?;
                let list = request.required("webhook-signature")?;
                let signatures = list.split(' ').filter_map(|entry| {
                    let encoded = entry.strip_prefix("v1,")?;
                    BASE64_STANDARD.decode(encoded).ok()
                });
                let parts = [id, ".", timestamp, "."];
                self.check("webhook-signature", &parts, body, signatures)?;
                within(
                    timestamp,
                    "webhook-timestamp",
                    request.received_at,
                    tolerance,
                )
            }
            Style::Slack {
                signature,
                timestamp: timestamp_header,
            } => {
                let timestamp = request.required(timestamp_header)?;
                let value = request.required(signature)?;
                let signatures = value.strip_prefix("v0=").and_then(decode_hex).into_iter();
                self.check(signature, &["v0:", timestamp, ":"], body, signatures)?;
                within(timestamp, timestamp_header, request.received_at, tolerance)
            }
            Style::Stripe { header } => {
                let value = request.required(header)?;
                let entries = || {
                    value
                        .split(',')
                        .filter_map(|entry| entry.trim().split_once('='))
                };
                let timestamp = entries().find(|(key, _)| *key == "t");
                let (_, timestamp) = timestamp.ok_or(Unverified::Malformed(header))?;
                let signatures = entries()
                    .filter(|(key, _)| *key == "v1")
                    .filter_map(|(_, digits)| decode_hex(digits));
                self.check(header, &[timestamp, "."], body, signatures)?;
                within(timestamp, header, request.received_at, tolerance)
            }
        }
    }

    fn check(
        &self,
        header: &'static str,
        before_body: &[&str],
        body: &[u8],
        signatures: impl Iterator<Item = Vec<u8>>,
    ) -> Result<(), Unverified> {
        let signatures: Vec<_> = signatures.take(MAX_SIGNATURES).collect();
        if signatures.is_empty() {
            return Err(Unverified::Malformed(header));
        }
        let mut parts: Vec<&[u8]> = before_body.iter().map(|text| text.as_bytes()).collect();
        parts.push(body);
        if self.keys.match_any(&parts, &signatures) {
            Ok(())
        } else {
            Err(Unverified::Mismatch(header))
        }
    }
}

fn decode_hex(digits: &str) -> Option<Vec<u8>> {
    hex::decode(digits).ok()
}

/// Checked after the signature: only a genuine sender learns how far its clock is off.
fn within(
    timestamp: &str,
    header: &'static str,
    now: Timestamp,
    tolerance: Duration,
) -> Result<(), Unverified> {
    let sent: i64 = timestamp
        .parse()
        .map_err(|_| Unverified::Malformed(header))?;
    let off_by_seconds = now.as_second().abs_diff(sent);
    if off_by_seconds <= tolerance.as_secs() {
        Ok(())
    } else {
        Err(Unverified::Expired {
            off_by_seconds,
            tolerance_seconds: tolerance.as_secs(),
        })
    }
}
