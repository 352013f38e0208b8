//! Verification over HTTP, and challenges.

use expect_test::expect;
use ocean_core::{
    BoxFuture,
    source::{Challenge, RawRequest, Secret, Source, Unverified, Verification, Verify},
};

use crate::{
    door_support::{Door, JSON},
    support::{URI, gzip, open_source, refused, signature},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn signatures() {
    let hmac = Verification::hmac_sha256("x-hub-signature-256")
        .prefix("sha256=")
        .secret("hmacSecret");
    let door = Door::open(vec![open_source().verify(hmac)]);
    let body = r#"{"summary":"Füße"}"#;
    let right = signature("Jefe", body.as_bytes());
    let header = |signature: &str| format!("{JSON}X-Hub-Signature-256: sha256={signature}\r\n");
    assert_eq!(door.post(URI, &header(&right), body).status, 200);
    refused(
        &door,
        JSON,
        body,
        expect![[
            r#"401 {"status":"error","error":"unauthenticated","message":"no `x-hub-signature-256` header"}"#
        ]],
    );
    refused(
        &door,
        &header(&right),
        r#"{"summary":"Füsse"}"#,
        expect![[
            r#"401 {"status":"error","error":"unauthenticated","message":"`x-hub-signature-256` does not match"}"#
        ]],
    );
    refused(
        &door,
        &header(&signature("other", body.as_bytes())),
        body,
        expect![[
            r#"401 {"status":"error","error":"unauthenticated","message":"`x-hub-signature-256` does not match"}"#
        ]],
    );
    refused(
        &door,
        &header(&right[..62]),
        body,
        expect![[
            r#"401 {"status":"error","error":"unauthenticated","message":"malformed `x-hub-signature-256` header"}"#
        ]],
    );
    // An impostor learns nothing about the body.
    refused(
        &door,
        JSON,
        "not json",
        expect![[
            r#"401 {"status":"error","error":"unauthenticated","message":"no `x-hub-signature-256` header"}"#
        ]],
    );
    // Gzip is signed as sent, not as inflated.
    let zipped = gzip(body.as_bytes());
    let gzipped = |signature: &str| format!("{}content-encoding: gzip\r\n", header(signature));
    assert_eq!(
        door.post(URI, &gzipped(&signature("Jefe", &zipped)), &zipped)
            .status,
        200
    );
    assert_eq!(door.post(URI, &gzipped(&right), &zipped).status, 401);
    assert_eq!(door.queue.events().len(), 2);
    assert_eq!(door.queue.events()[1].body(), body.as_bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_form_is_signed_as_sent() {
    let hmac = Verification::hmac_sha256("x-hub-signature-256")
        .prefix("sha256=")
        .secret("hmacSecret");
    let door = Door::open(vec![open_source().verify(hmac).form_field("payload")]);
    let form = "payload=%7B%22event%22%3A%22push%22%7D";
    let headers = |signature: &str| {
        format!(
            "content-type: application/x-www-form-urlencoded\r\nx-hub-signature-256: sha256={signature}\r\n"
        )
    };
    let decoded = signature("Jefe", br#"{"event":"push"}"#);
    assert_eq!(door.post(URI, &headers(&decoded), form).status, 401);
    let sent = signature("Jefe", form.as_bytes());
    assert_eq!(door.post(URI, &headers(&sent), form).status, 200);
    assert_eq!(door.queue.events()[0].name(), Some("push"));
}

struct Down;

impl Verify for Down {
    fn verify<'a>(
        &'a self,
        request: &'a RawRequest<'a>,
        _: &'a [Secret],
    ) -> BoxFuture<'a, Result<(), Unverified>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            match request.body {
                b"{}" => Ok(()),
                _ => Err(Unverified::Unavailable("no keys yet".into())),
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_sender_that_cannot_be_verified_now_comes_back_later() {
    let door = Door::open(vec![open_source().verify(Verification::custom(Down))]);
    assert_eq!(door.post(URI, JSON, "{}").status, 200);
    let answer = door.post(URI, JSON, "{ }");
    expect![[r#"503 {"status":"error","error":"verifier_unavailable","message":"cannot verify at the moment: no keys yet"}"#]].assert_eq(&answer.line());
    assert_eq!(answer.header("retry-after"), Some("10"));
}

// === Challenges ===

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn challenges_are_answered_and_are_no_events() {
    let okta = open_source().challenge(Challenge::GetHeader("x-okta-verification-challenge"));
    let door = Door::open(vec![okta]);
    let answer = door.send(format!(
        "GET {URI} HTTP/1.1\r\nhost: door\r\nX-Okta-Verification-Challenge: a\"b<c\r\n\r\n"
    ));
    expect![[r#"200 {"verification":"a\"b<c"}"#]].assert_eq(&answer.line());
    assert_eq!(
        door.get(URI).status,
        405,
        "without the header it is an ordinary GET"
    );

    let query = open_source().challenge(Challenge::GetQuery("hub.challenge"));
    let door = Door::open(vec![query]);
    let answer = door.get(&format!("{URI}?a=b&hub.challenge=%3Cb%3E42"));
    assert_eq!(answer.line(), "200 <b>42");
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));

    let slack = open_source().challenge(Challenge::PostPointer("/challenge"));
    let door = Door::open(vec![slack]);
    let answer = door.post(
        URI,
        JSON,
        r#"{"type":"url_verification","challenge":"3eZb"}"#,
    );
    expect![[r#"200 {"challenge":"3eZb"}"#]].assert_eq(&answer.line());
    assert_eq!(door.queue.events().len(), 0);
    assert_eq!(door.post(URI, JSON, "{}").status, 200);
    assert_eq!(door.queue.events().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_challenge_in_a_body_is_answered_to_a_verified_sender_only() {
    let token = Verification::token("x-knock").secret("secret");
    let slack = Source::new("/webhook")
        .verify(token)
        .challenge(Challenge::PostPointer("/challenge"));
    let door = Door::open(vec![slack]);
    let body = r#"{"challenge":"3eZb"}"#;
    assert_eq!(door.post(URI, JSON, body).status, 401);
    assert_eq!(
        door.post(URI, &format!("{JSON}x-knock: hunter2\r\n"), body)
            .status,
        200
    );
}
