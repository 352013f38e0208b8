//! HMAC signatures over the body.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use smallvec::{SmallVec, smallvec};
use subtle::{Choice, ConstantTimeEq as _};

use super::{Encoding, RawRequest, Unverified};

/// The signatures in a header are compared one by one; an attacker must not choose how many.
const MAX_SIGNATURES: usize = 16;

/// A signature's bytes; none is longer than that of SHA-512.
type Signature = SmallVec<[u8; 64]>;

/// The hash function of an HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha1 => "HMAC-SHA1",
            Self::Sha256 => "HMAC-SHA256",
            Self::Sha512 => "HMAC-SHA512",
        })
    }
}

// === Keys ===

/// The live secrets as keys whose first blocks are already hashed.
#[derive(Clone)]
pub(super) enum Keys {
    Sha1(Vec<Hmac<Sha1>>),
    Sha256(Vec<Hmac<Sha256>>),
    Sha512(Vec<Hmac<Sha512>>),
}

impl Keys {
    pub(super) fn new<'a>(hash: Hash, secrets: impl Iterator<Item = &'a [u8]>) -> Self {
        match hash {
            Hash::Sha1 => Self::Sha1(secrets.map(key).collect()),
            Hash::Sha256 => Self::Sha256(secrets.map(key).collect()),
            Hash::Sha512 => Self::Sha512(secrets.map(key).collect()),
        }
    }

    /// Whether one of `signatures` is that of `parts`, one after another, under one of the keys.
    /// Compares all with all, so that the time does not tell which came close.
    pub(super) fn match_any(&self, parts: &[&[u8]], signatures: &[impl AsRef<[u8]>]) -> bool {
        match self {
            Self::Sha1(keys) => match_any(keys, parts, signatures),
            Self::Sha256(keys) => match_any(keys, parts, signatures),
            Self::Sha512(keys) => match_any(keys, parts, signatures),
        }
    }

    fn signature_len(&self) -> usize {
        match self {
            Self::Sha1(_) => 20,
            Self::Sha256(_) => 32,
            Self::Sha512(_) => 64,
        }
    }
}

fn key<M: Mac + KeyInit>(secret: &[u8]) -> M {
    M::new_from_slice(secret).expect("an HMAC key may have any length")
}

fn match_any<M: Mac + Clone>(keys: &[M], parts: &[&[u8]], signatures: &[impl AsRef<[u8]>]) -> bool {
    let mut found = Choice::from(0);
    for key in keys {
        let mut mac = key.clone();
        parts.iter().for_each(|part| mac.update(part));
        let expected = mac.finalize().into_bytes();
        for signature in signatures {
            found |= expected.as_slice().ct_eq(signature.as_ref());
        }
    }
    found.into()
}

// === Signatures ===

/// HMAC of the body in a header.
#[derive(Clone)]
pub(super) struct Signatures {
    pub(super) keys: Keys,
    pub(super) header: &'static str,
    pub(super) encoding: Encoding,
    pub(super) prefix: &'static str,
    pub(super) prefix_optional: bool,
}

impl Signatures {
    /// The header may hold several signatures apart by commas, as senders with two live secrets
    /// write them; one that matches is enough.
    pub(super) fn verify(&self, request: &RawRequest<'_>) -> Result<(), Unverified> {
        let text = request.required(self.header)?;
        let signatures: SmallVec<[_; 1]> = text
            .split(',')
            .filter_map(|written| self.decode(written.trim()))
            .take(MAX_SIGNATURES)
            .collect();
        if signatures.is_empty() {
            return Err(Unverified::Malformed(self.header));
        }
        if self.keys.match_any(&[request.body], &signatures) {
            Ok(())
        } else {
            Err(Unverified::Mismatch(self.header))
        }
    }

    /// The signature's bytes; `None` if they are too few, too many or not encoded as declared.
    fn decode(&self, written: &str) -> Option<Signature> {
        let digits = match written.strip_prefix(self.prefix) {
            Some(digits) => digits,
            None if self.prefix_optional => written,
            None => return None,
        };
        let length = self.keys.signature_len();
        let hexadecimal = match self.encoding {
            Encoding::Hex => true,
            Encoding::Base64 => false,
            Encoding::HexOrBase64 => digits.len() == 2 * length,
        };
        if hexadecimal {
            let mut bytes: Signature = smallvec![0; length];
            hex::decode_to_slice(digits, &mut bytes).ok()?;
            return Some(bytes);
        }
        let bytes = BASE64_STANDARD.decode(digits).ok()?;
        (bytes.len() == length).then(|| bytes.into())
    }
}
