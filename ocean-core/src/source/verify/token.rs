//! Secrets that the sender sends along: tokens and passwords.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::{RawRequest, Secret, Unverified};

/// The live secrets as digests: digests all have one length, so that comparing them tells nothing
/// about the length of a secret either.
pub(super) struct Tokens(Vec<[u8; 32]>);

impl Tokens {
    pub(super) fn new(secrets: &[Secret]) -> Self {
        Self(
            secrets
                .iter()
                .map(|secret| digest(secret.expose()))
                .collect(),
        )
    }

    pub(super) fn verify_header(
        &self,
        request: &RawRequest<'_>,
        header: &'static str,
        prefix: &str,
    ) -> Result<(), Unverified> {
        let value = request.required(header)?;
        let token =
            strip_prefix_ignoring_case(value, prefix).ok_or(Unverified::Malformed(header))?;
        self.check(header, token)
    }

    pub(super) fn verify_basic(
        &self,
        request: &RawRequest<'_>,
        with_user: bool,
    ) -> Result<(), Unverified> {
        let header = "authorization";
        let malformed = Unverified::Malformed(header);
        let value = request.required(header)?;
        let encoded = strip_prefix_ignoring_case(value, "Basic ").ok_or(malformed.clone())?;
        let decoded = BASE64_STANDARD.decode(encoded.trim()).ok();
        let pair = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let pair = pair.ok_or(malformed.clone())?;
        let (_, password) = pair.split_once(':').ok_or(malformed)?;
        self.check(header, if with_user { &pair } else { password })
    }

    fn check(&self, header: &'static str, token: &str) -> Result<(), Unverified> {
        let given = digest(token);
        let matches = self.0.iter().fold(Choice::from(0), |found, secret| {
            found | secret.ct_eq(&given)
        });
        if matches.into() {
            Ok(())
        } else {
            Err(Unverified::Mismatch(header))
        }
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

// The names of authentication schemes are case-insensitive (RFC 9110, section 11.1).
fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix)
        .then(|| &text[prefix.len()..])
}
