//! The door's answers, each with status and error body.

use serde_json::{Value, json};

use crate::support::{Bench, thing};

#[track_caller]
fn is_error(answer: &(u16, Value), status: u16, code: &str) {
    assert_eq!(
        (answer.0, &answer.1["status"]),
        (status, &json!("error")),
        "{answer:?}"
    );
    assert_eq!(answer.1["error"], code, "{answer:?}");
    assert!(answer.1["message"].is_string(), "{answer:?}");
}

#[tokio::test]
async fn what_cannot_be_an_event_is_refused_with_the_reason() {
    let bench = Bench::start_with(crate::support::probe_config(), |settings| {
        settings.with("OCEAN__MAX_BODY_BYTES", "10000")
    })
    .await;
    let ocean = &bench.ocean;
    let post = |path: &'static str,
                headers: &'static [(&'static str, &'static str)],
                body: String| { ocean.post_with(path, headers, body) };
    is_error(
        &post("/open", &[], "{\"a\":".into()).await.unwrap(),
        400,
        "bad_json",
    );
    is_error(
        &post("/open", &[], "[1]".into()).await.unwrap(),
        400,
        "not_an_object",
    );
    is_error(
        &post("/open", &[], "7".into()).await.unwrap(),
        400,
        "not_an_object",
    );
    is_error(
        &post("/open", &[], "x".repeat(20_000)).await.unwrap(),
        413,
        "too_large",
    );
    is_error(
        &post("/nowhere", &[], "{}".into()).await.unwrap(),
        404,
        "not_found",
    );
    let xml = &[("content-type", "application/xml")];
    is_error(
        &post("/open", xml, "<a/>".into()).await.unwrap(),
        415,
        "unsupported_media_type",
    );
    is_error(
        &post("/signed", &[], "{}".into()).await.unwrap(),
        401,
        "unauthenticated",
    );
    let wrong = &[("x-signature", "sha256=00")];
    is_error(
        &post("/signed", wrong, "{}".into()).await.unwrap(),
        401,
        "unauthenticated",
    );
    let (status, _) = ocean.get("/integration/open").await.unwrap();
    assert_eq!(status, 405);
    // Nothing of all that was kept.
    let events = ocean.admin_get("/api/events").await.unwrap();
    assert_eq!(
        events["events"].as_array().map(Vec::len),
        Some(0),
        "{events}"
    );
}

#[tokio::test]
async fn a_repeated_delivery_is_answered_with_the_first_id() {
    let bench = Bench::start().await;
    let body = thing("thing_updated", "A", 1).to_string();
    let headers = [("x-delivery", "d-1")];
    let (_, first) = bench
        .ocean
        .post_with("/open", &headers, body.clone())
        .await
        .unwrap();
    let (status, second) = bench
        .ocean
        .post_with("/open", &headers, body)
        .await
        .unwrap();
    assert_eq!((status, &second["status"]), (200, &json!("duplicate")));
    assert_eq!(first["id"], second["id"]);
}

#[tokio::test]
async fn each_element_of_a_batch_is_an_event() {
    let bench = Bench::start().await;
    let body = json!([thing("x", "A", 1), thing("x", "B", 2)]);
    let (status, answer) = bench.ocean.post("/batch", &body).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    bench.port.until_entity("thing", "A").await;
    bench.port.until_entity("thing", "B").await;
}

#[tokio::test]
async fn json_in_a_form_is_an_event() {
    let bench = Bench::start().await;
    let body = "payload=%7B%22event%22%3A%22x%22%2C%22item%22%3A%7B%22id%22%3A%22A%22%7D%7D";
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let (status, answer) = bench
        .ocean
        .post_with("/form", &headers, body)
        .await
        .unwrap();
    assert_eq!(status, 200, "{answer}");
    bench.port.until_entity("thing", "A").await;
}

#[tokio::test]
async fn a_server_that_is_well_says_so() {
    let bench = Bench::start().await;
    assert_eq!(bench.ocean.get("/health/live").await.unwrap().0, 200);
    bench.accept(&thing("thing_updated", "A", 1)).await;
    bench.port.until_entity("thing", "A").await;
    let (status, body) = bench.ocean.get("/health/ready").await.unwrap();
    assert_eq!(status, 200, "{body}");
    let (status, metrics) = bench.ocean.get("/metrics").await.unwrap();
    assert_eq!(status, 200);
    assert!(metrics.contains("ocean_"), "{metrics}");
}
