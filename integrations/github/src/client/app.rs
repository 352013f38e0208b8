//! The tokens of a GitHub App: one an installation, each valid for an hour.

use std::{collections::HashMap, sync::Arc};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::{SignedDuration, Timestamp};
use ocean_core::{Clock, source::Secret};
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::json;
use tokio::sync::Mutex;

use super::GitHubError;

// By GitHub's guide "Generating a JSON Web Token": at most ten minutes, and a minute back against
// clocks that are not quite right.
const CLOCK_DRIFT: SignedDuration = SignedDuration::from_secs(60);
const LIFETIME: SignedDuration = SignedDuration::from_secs(9 * 60);
/// A token is renewed while it still has this long.
const EARLY: SignedDuration = SignedDuration::from_secs(5 * 60);

/// A GitHub App.
pub(super) struct App {
    id: String,
    key: RsaKeyPair,
    clock: Clock,
    // One lock an account: whoever comes while a token is fetched waits for that token.
    tokens: std::sync::Mutex<HashMap<String, Slot>>,
}

pub(super) type Slot = Arc<Mutex<Option<Token>>>;

/// A token of an installation.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) secret: Secret,
    pub(super) expires_at: Timestamp,
}

impl App {
    pub(super) fn new(id: String, key: &Secret, clock: Clock) -> Result<Self, GitHubError> {
        Ok(Self {
            id,
            key: key_pair(key.expose()).map_err(|reason| GitHubError::PrivateKey { reason })?,
            clock,
            tokens: std::sync::Mutex::default(),
        })
    }

    /// The app's own token, with which it asks for those of its installations.
    pub(super) fn jwt(&self) -> Secret {
        let now = self.clock.now();
        let header = json!({ "alg": "RS256", "typ": "JWT" });
        let claims = json!({
            "iat": (now - CLOCK_DRIFT).as_second(),
            "exp": (now + LIFETIME).as_second(),
            "iss": self.id,
        });
        let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(&header), encode(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message.as_bytes(),
                &mut signature,
            )
            .expect("the buffer is as long as the key");
        let signature = URL_SAFE_NO_PAD.encode(signature);
        Secret::new(format!("{message}.{signature}"))
    }

    /// Where the account's token is kept.
    pub(super) fn slot(&self, account: &str) -> Slot {
        let mut tokens = self.tokens.lock().expect("no code panics while holding it");
        Arc::clone(tokens.entry(account.to_ascii_lowercase()).or_default())
    }

    pub(super) fn is_fresh(&self, token: &Token) -> bool {
        token.expires_at - EARLY > self.clock.now()
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// GitHub hands out PKCS #1; tools often turn it into PKCS #8, and settings into base64 or one
/// line with `\n` in it.
fn key_pair(text: &str) -> Result<RsaKeyPair, String> {
    let decode = |text: &str| {
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        STANDARD
            .decode(compact)
            .map_err(|_| "its content is not base64".to_owned())
    };
    let text = text.trim().replace("\\n", "\n");
    let pem = match text.starts_with("-----BEGIN") {
        true => text,
        false => String::from_utf8(decode(&text)?).map_err(|_| "it is not text".to_owned())?,
    };
    let (_, rest) = pem
        .split_once("-----BEGIN ")
        .ok_or("it does not begin with `-----BEGIN`")?;
    let (label, rest) = rest
        .split_once("-----")
        .ok_or("its first line has no end")?;
    let (content, _) = rest
        .split_once("-----END")
        .ok_or("its last line is missing")?;
    let der = decode(content)?;
    let pair = match label {
        "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der),
        "PRIVATE KEY" => RsaKeyPair::from_pkcs8(&der),
        other => return Err(format!("it holds a `{other}`")),
    };
    pair.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;

    // Keys of no app: made for these tests.
    const PKCS1: &str = include_str!("../../tests/data/app-key.pkcs1.pem");
    const PKCS8: &str = include_str!("../../tests/data/app-key.pkcs8.pem");

    fn app(key: &str) -> Result<App, GitHubError> {
        App::new("7".to_owned(), &Secret::new(key), Clock::system())
    }

    #[test]
    fn keys_are_read_in_all_forms_that_settings_hold_them_in() {
        for key in [
            PKCS1.to_owned(),
            PKCS8.to_owned(),
            PKCS1.replace('\n', "\\n"),
            PKCS1.replace('\n', "\r\n"),
            STANDARD.encode(PKCS1),
        ] {
            assert!(app(&key).is_ok(), "{:?}", app(&key).err());
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        let public = "-----BEGIN PUBLIC KEY-----\naHVzaA==\n-----END PUBLIC KEY-----";
        let broken = "-----BEGIN RSA PRIVATE KEY-----\naHVzaA==\n-----END RSA PRIVATE KEY-----";
        for (key, reason) in [
            ("hush!", "not base64"),
            ("aHVzaA==", "does not begin"),
            (public, "holds a `PUBLIC KEY`"),
            (broken, "InvalidEncoding"),
            ("-----BEGIN RSA PRIVATE KEY-----\naHVzaA==", "last line"),
        ] {
            let error = app(key).unwrap_err().to_string();
            assert!(error.contains(reason) && !error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn the_apps_own_token_is_signed_and_short_lived() {
        let app = app(PKCS1).unwrap();
        let token = app.jwt();
        let (message, signature) = token.expose().rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, app.key.public_key().as_ref())
            .verify(message.as_bytes(), &signature)
            .unwrap();
        let claims = URL_SAFE_NO_PAD.decode(message.split_once('.').unwrap().1);
        let claims: Value = serde_json::from_slice(&claims.unwrap()).unwrap();
        assert_eq!(claims["iss"], "7");
        let now = Clock::system().now().as_second();
        let (issued, expires) = (
            claims["iat"].as_i64().unwrap(),
            claims["exp"].as_i64().unwrap(),
        );
        assert!(issued < now && now < expires && expires - issued <= 10 * 60);
    }
}
