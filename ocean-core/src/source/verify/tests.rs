//! The signature matrix: every scheme against right, wrong, missing, cut, rotated and replayed
//! proofs. Known answers come from RFC 2202, RFC 4231 and the vendors' documentation.

use serde_json::{Value, json};

use super::*;
use crate::source::{Source, SourceSettings, check_sources};

const JEFE: &[u8] = b"what do ya want for nothing?";
const JEFE_SHA1: &str = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";
const JEFE_SHA256: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
const JEFE_SHA256_BASE64: &str = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
const JEFE_SHA512: &str = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";

/// Verifies one request with the secrets in `setting`; `None` is "believed".
#[track_caller]
fn verdict(
    verification: Verification,
    setting: Value,
    headers: &[(&str, &str)],
    body: &[u8],
    now: i64,
) -> Option<String> {
    let mut config = serde_json::Map::new();
    config.insert("signing_secret".into(), setting);
    let settings = SourceSettings {
        config: &config,
        allow_unverified: false,
    };
    let source = Source::new("/w").verify(verification.secret("signingSecret"));
    let source = check_sources(vec![source], &settings)
        .expect("the source starts")
        .remove(0);
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    let now = Timestamp::from_second(now).unwrap();
    let request = RawRequest::new(&headers, "", body, now);
    futures_util::FutureExt::now_or_never(source.verify(&request))
        .expect("built-in schemes are immediate")
        .err()
        .map(|reason| reason.to_string())
}

/// As [`verdict`] for schemes without time, with the signature in `x-sig`.
#[track_caller]
fn check(verification: Verification, secret: Value, signature: &str, body: &[u8], ok: bool) {
    let verdict = verdict(verification, secret, &[("x-sig", signature)], body, 0);
    assert_eq!(verdict.is_none(), ok, "{signature:?}: {verdict:?}");
}

#[test]
fn right_signatures_of_every_hash_and_encoding() {
    use Encoding::{Base64, Hex, HexOrBase64};
    for (verification, signature) in [
        (Verification::hmac_sha1("x-sig"), JEFE_SHA1),
        (Verification::hmac_sha256("x-sig"), JEFE_SHA256),
        (Verification::hmac_sha512("x-sig"), JEFE_SHA512),
        (
            Verification::hmac_sha1("x-sig").encoding(Base64),
            "7/zfauXrL6LSdBbV8YTfnCWafHk=",
        ),
        (
            Verification::hmac_sha256("x-sig").encoding(Base64),
            JEFE_SHA256_BASE64,
        ),
        (
            Verification::hmac_sha256("x-sig").encoding(HexOrBase64),
            JEFE_SHA256,
        ),
        (
            Verification::hmac_sha256("x-sig").encoding(HexOrBase64),
            JEFE_SHA256_BASE64,
        ),
        (
            Verification::hmac_sha512("x-sig").encoding(Hex),
            &JEFE_SHA512.to_ascii_uppercase(),
        ),
    ] {
        check(verification.clone(), json!("Jefe"), signature, JEFE, true);
        check(verification.clone(), json!("jefe"), signature, JEFE, false);
        let mut changed = JEFE.to_vec();
        changed[0] ^= 1;
        check(
            verification.clone(),
            json!("Jefe"),
            signature,
            &changed,
            false,
        );
        check(
            verification,
            json!("Jefe"),
            &signature[..signature.len() - 1],
            JEFE,
            false,
        );
    }
}

#[test]
fn wrong_signatures() {
    let sha256 = || Verification::hmac_sha256("x-sig");
    let ok = |verification, signature: &str, ok| {
        check(verification, json!("Jefe"), signature, JEFE, ok);
    };
    ok(sha256(), "", false);
    ok(sha256(), ",", false);
    ok(sha256(), "0".repeat(64).as_str(), false);
    ok(sha256(), JEFE_SHA1, false);
    ok(sha256(), JEFE_SHA512, false);
    ok(sha256(), JEFE_SHA256_BASE64, false);
    ok(sha256(), &JEFE_SHA256[..62], false);
    ok(sha256(), &format!("{JEFE_SHA256}00"), false);
    ok(sha256(), &format!("sha256={JEFE_SHA256}"), false);
    let prefixed = || sha256().prefix("sha256=");
    ok(prefixed(), &format!("sha256={JEFE_SHA256}"), true);
    ok(prefixed(), JEFE_SHA256, false);
    ok(prefixed(), &format!("sha1={JEFE_SHA256}"), false);
    ok(prefixed(), &format!("SHA256={JEFE_SHA256}"), false);
    ok(prefixed(), "sha256=", false);
    let optional = || sha256().optional_prefix("sha256=");
    ok(optional(), &format!("sha256={JEFE_SHA256}"), true);
    ok(optional(), JEFE_SHA256, true);
    // PagerDuty lists one signature for each of its live secrets.
    let listed = format!("v1={}, v1={JEFE_SHA256}", "0".repeat(64));
    ok(sha256().prefix("v1="), &listed, true);
    let crowded = format!("{}{JEFE_SHA256}", format!("{},", "0".repeat(64)).repeat(16));
    ok(sha256(), &crowded, false);
}

#[test]
fn a_missing_header_is_named() {
    let verification = Verification::hmac_sha256("x-hub-signature-256").prefix("sha256=");
    let reason = verdict(verification, json!("Jefe"), &[("x-other", "1")], JEFE, 0);
    assert_eq!(reason.unwrap(), "no `x-hub-signature-256` header");
}

#[test]
fn githubs_documented_example() {
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let verification = Verification::hmac_sha256("x-sig").prefix("sha256=");
    let secret = json!("It's a Secret to Everybody");
    check(verification, secret, signature, b"Hello, World!", true);
}

#[test]
fn the_bytes_are_signed_not_the_characters() {
    let signature = "e8cec85a83730931bf37cf26ecc408a76d1db186de1c9ead29f9865366571cea";
    let sha256 = || Verification::hmac_sha256("x-sig");
    let body = "{\"summary\":\"Füße 🦀\"}";
    check(sha256(), json!("s3cret"), signature, body.as_bytes(), true);
    let escaped = "{\"summary\":\"F\\u00fc\\u00dfe \\ud83e\\udd80\"}";
    check(
        sha256(),
        json!("s3cret"),
        signature,
        escaped.as_bytes(),
        false,
    );
    let spaced = "{\"summary\": \"Füße 🦀\"}";
    check(
        sha256(),
        json!("s3cret"),
        signature,
        spaced.as_bytes(),
        false,
    );
}

#[test]
fn every_live_secret_is_believed_while_they_rotate() {
    let sha256 = || Verification::hmac_sha256("x-sig");
    for secrets in [
        json!("Jefe\nold"),
        json!("new\nJefe"),
        json!(["new", "Jefe"]),
    ] {
        check(sha256(), secrets, JEFE_SHA256, JEFE, true);
    }
    check(sha256(), json!(["new", "old"]), JEFE_SHA256, JEFE, false);
    let bearer = |token: &str| {
        let headers = [("authorization", token)];
        verdict(Verification::bearer(), json!("new\nold"), &headers, b"", 0)
    };
    assert_eq!(bearer("Bearer old"), None);
    assert_eq!(bearer("Bearer new"), None);
    assert!(bearer("Bearer new\nold").is_some());
}

#[test]
fn tokens_and_passwords() {
    let token = Verification::token("x-gitlab-token");
    let bearer = Verification::bearer();
    let basic = Verification::basic();
    let pair = Verification::basic_with_user();
    for (verification, secret, header, value, ok) in [
        (&token, "hunter2", "x-gitlab-token", "hunter2", true),
        (&token, "hunter2", "x-gitlab-token", "hunter", false),
        (&token, "hunter2", "x-gitlab-token", "hunter22", false),
        (&token, "hunter2", "x-gitlab-token", "Hunter2", false),
        (&token, "hunter2", "x-gitlab-token", "", false),
        (&token, "hunter2", "authorization", "hunter2", false),
        (&bearer, "hunter2", "authorization", "Bearer hunter2", true),
        (&bearer, "hunter2", "authorization", "bearer hunter2", true),
        (&bearer, "hunter2", "authorization", "hunter2", false),
        (&bearer, "hunter2", "authorization", "Bearer", false),
        (&bearer, "hunter2", "authorization", "Bearer ü", false),
        (
            &basic,
            "hunter2",
            "authorization",
            "Basic b2NlYW46aHVudGVyMg==",
            true,
        ),
        (
            &basic,
            "hunter2",
            "authorization",
            "Basic Omh1bnRlcjI=",
            true,
        ),
        (
            &basic,
            "hunter3",
            "authorization",
            "Basic Omh1bnRlcjI=",
            false,
        ),
        (
            &basic,
            "hunter2",
            "authorization",
            "Basic aHVudGVyMg==",
            false,
        ),
        (&basic, "hunter2", "authorization", "Basic !", false),
        (&basic, "hunter2", "authorization", "Bearer hunter2", false),
        (
            &pair,
            "ocean:hunter2",
            "authorization",
            "Basic b2NlYW46aHVudGVyMg==",
            true,
        ),
        (
            &pair,
            "lake:hunter2",
            "authorization",
            "Basic b2NlYW46aHVudGVyMg==",
            false,
        ),
    ] {
        let reason = verdict(
            verification.clone(),
            json!(secret),
            &[(header, value)],
            b"{}",
            0,
        );
        assert_eq!(
            reason.is_none(),
            ok,
            "{verification:?} {value:?}: {reason:?}"
        );
    }
}

#[test]
fn standard_webhooks() {
    const RIGHT: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const SENT: i64 = 1_614_265_330;
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &str = r#"{"test": 2432232314}"#;
    let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    let listed = format!("v1,AAAA v2,zzz {RIGHT}");
    for (secret, id, timestamp, signature, body, now, ok) in [
        (SECRET, id, "1614265330", RIGHT, BODY, SENT, true),
        (
            &SECRET["whsec_".len()..],
            id,
            "1614265330",
            RIGHT,
            BODY,
            SENT,
            true,
        ),
        (SECRET, id, "1614265330", &*listed, BODY, SENT, true),
        (SECRET, id, "1614265330", RIGHT, BODY, SENT + 300, true),
        (SECRET, id, "1614265330", RIGHT, BODY, SENT - 300, true),
        (SECRET, id, "1614265330", RIGHT, BODY, SENT + 301, false),
        (SECRET, id, "1614265330", RIGHT, BODY, SENT - 301, false),
        (SECRET, "msg_other", "1614265330", RIGHT, BODY, SENT, false),
        (SECRET, id, "1614265331", RIGHT, BODY, SENT, false),
        (SECRET, id, "1614265330", &RIGHT[3..], BODY, SENT, false),
        (SECRET, id, "1614265330", &RIGHT[..40], BODY, SENT, false),
        (SECRET, id, "1614265330", "", BODY, SENT, false),
        (SECRET, id, "1614265330", RIGHT, "{}", SENT, false),
        ("whsec_AAAA", id, "1614265330", RIGHT, BODY, SENT, false),
    ] {
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", signature),
        ];
        let scheme = Verification::standard_webhooks();
        let reason = verdict(scheme, json!(secret), &headers, body.as_bytes(), now);
        assert_eq!(
            reason.is_none(),
            ok,
            "{timestamp} {signature} {now}: {reason:?}"
        );
    }
}

#[test]
fn slacks_documented_example_and_its_replay() {
    const BODY: &[u8] = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SENT: i64 = 1_531_420_618;
    let right = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    let slack = |signature, timestamp, now| {
        verdict(
            Verification::slack_style("x-slack-signature", "x-slack-request-timestamp"),
            json!("8f742231b10e8888abcd99yyyzzz85a5"),
            &[
                ("x-slack-signature", signature),
                ("x-slack-request-timestamp", timestamp),
            ],
            BODY,
            now,
        )
    };
    assert_eq!(slack(right, "1531420618", SENT), None);
    assert_eq!(
        slack(right, "1531420618", SENT + 3600).unwrap(),
        "the timestamp is 3600 s away from now, more than the 300 s allowed"
    );
    // A fresh timestamp on an old signature.
    assert!(slack(right, "1531424218", SENT + 3600).is_some());
    assert!(slack(&right[3..], "1531420618", SENT).is_some());
    assert!(slack("v0=", "1531420618", SENT).is_some());
}

#[test]
fn stripe_style() {
    const SENT: i64 = 1_492_774_577;
    const RIGHT: &str = "277205798c41e737cbe0b47efd9cf983f9e81a27a13e22b7df114bb302a76281";
    let stripe = |header: &str, now, tolerance| {
        let scheme = Verification::stripe_style("stripe-signature")
            .tolerance(Duration::from_secs(tolerance));
        let headers = [("stripe-signature", header)];
        verdict(
            scheme,
            json!("stripe-secret"),
            &headers,
            br#"{"id":"evt_1"}"#,
            now,
        )
    };
    assert_eq!(stripe(&format!("t=1492774577,v1={RIGHT}"), SENT, 300), None);
    let two = format!("t=1492774577, v1={}, v0=x, v1={RIGHT}", "0".repeat(64));
    assert_eq!(stripe(&two, SENT + 60, 60), None);
    assert!(stripe(&two, SENT + 61, 60).is_some());
    assert!(stripe(&format!("t=1492774578,v1={RIGHT}"), SENT, 300).is_some());
    assert!(stripe(&format!("v1={RIGHT}"), SENT, 300).is_some());
    assert!(stripe(&format!("t=1492774577,v0={RIGHT}"), SENT, 300).is_some());
    assert!(stripe("t=1492774577", SENT, 300).is_some());
}

// === Custom verifiers ===

struct Hangs;

impl Verify for Hangs {
    fn verify<'a>(
        &'a self,
        _: &'a RawRequest<'a>,
        _: &'a [Secret],
    ) -> BoxFuture<'a, Result<(), Unverified>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_custom_verifier_that_hangs_is_unavailable() {
    let settings = SourceSettings {
        config: &serde_json::Map::new(),
        allow_unverified: false,
    };
    let source = Source::new("/w").verify(Verification::custom(Hangs));
    let source = check_sources(vec![source], &settings).unwrap().remove(0);
    let request = RawRequest::new(&[], "", b"", Timestamp::UNIX_EPOCH);
    let reason = source.verify(&request).await.unwrap_err();
    assert!(matches!(reason, Unverified::Unavailable(_)), "{reason}");
}
