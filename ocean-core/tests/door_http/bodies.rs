//! Shapes of bodies: arrays, forms, compression.

use expect_test::expect;
use serde_json::json;

use crate::{
    door_support::{Door, JSON},
    support::{URI, gzip, open_source, refused},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn arrays_are_batches_where_the_source_says_so() {
    let door = Door::open(vec![open_source().arrays()]);
    let answer = door.post(
        URI,
        JSON,
        r#" [{"event":"a"}, {"event":"ping"},{"event":"b"}]"#,
    );
    expect![[r#"200 {"status":"ok","id":"1000","ids":["1000","1001","1002"]}"#]]
        .assert_eq(&answer.line());
    let requests = door.queue.requests.lock().unwrap().len();
    assert_eq!(requests, 1, "one durable batch");
    assert_eq!(door.queue.events()[2].body(), r#"{"event":"b"}"#);
    expect![[r#"200 {"status":"ok","id":"1003"}"#]].assert_eq(&door.post(URI, JSON, "{}").line());
    expect![[r#"200 {"status":"ignored","ids":[]}"#]].assert_eq(&door.post(URI, JSON, "[]").line());
    refused(
        &door,
        JSON,
        "[{}, 1]",
        expect![[
            r#"400 {"status":"error","error":"not_an_object","message":"element 1 of the array is not an object"}"#
        ]],
    );
    refused(
        &door,
        JSON,
        "7",
        expect![[
            r#"400 {"status":"error","error":"not_an_object","message":"the body is neither a JSON object nor an array of objects"}"#
        ]],
    );
    let answer = door.post(URI, JSON, "[{}, ");
    assert_eq!(answer.json()["error"], "bad_json");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_million_brackets_are_just_bad_json() {
    let door = Door::open(vec![open_source().arrays()]);
    let deep = "[".repeat(1_000_000);
    for body in [
        deep.clone(),
        format!("{{\"a\":{deep}"),
        format!("[{{\"a\":{deep}"),
    ] {
        let answer = door.post(URI, JSON, &body);
        assert_eq!(
            (answer.status, answer.json()["error"].clone()),
            (400, json!("bad_json"))
        );
    }
    let closed = format!("{{\"a\":{deep}{}}}", "]".repeat(1_000_000));
    let answer = door.post(URI, JSON, &closed);
    assert_eq!(
        (answer.status, answer.json()["error"].clone()),
        (400, json!("bad_json"))
    );
    let answer = door.post(URI, JSON, format!("[{closed}]"));
    assert_eq!(
        (answer.status, answer.json()["error"].clone()),
        (400, json!("bad_json"))
    );
    assert_eq!(
        door.post(URI, JSON, "{}").status,
        200,
        "the door still stands"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_elements_of_a_batch_do_not_pass_for_duplicates_of_each_other() {
    let door = Door::open(vec![open_source().arrays()]);
    let headers = format!("{JSON}x-delivery: d1\r\n");
    let answer = door.post(URI, &headers, "[{}, {}]");
    expect![[r#"200 {"status":"ok","id":"1000","ids":["1000","1001"]}"#]].assert_eq(&answer.line());
    let again = door.post(URI, &headers, "[{}, {}]");
    expect![[r#"200 {"status":"duplicate","id":"1000","ids":["1000","1001"]}"#]]
        .assert_eq(&again.line());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn too_many_elements() {
    let door = Door::with(vec![open_source().arrays()], vec![], |options| {
        options.limits.max_batch_events = 2;
    });
    assert_eq!(door.post(URI, JSON, "[{}, {}]").status, 200);
    refused(
        &door,
        JSON,
        "[{}, {}, {}]",
        expect![[
            r#"413 {"status":"error","error":"too_many_events","message":"the array has more than 2 elements"}"#
        ]],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn too_many_values() {
    let door = Door::with(vec![open_source()], vec![], |options| {
        options.limits.max_json_values = 5;
    });
    assert_eq!(door.post(URI, JSON, r#"{"a":[1,2]}"#).status, 200);
    let body = r#"{"a":[1,2,3]}"#;
    let zipped = format!("{JSON}content-encoding: gzip\r\n");
    for (headers, body) in [(JSON, body.into()), (&*zipped, gzip(body.as_bytes()))] {
        refused(
            &door,
            headers,
            body,
            expect![[
                r#"413 {"status":"error","error":"too_many_values","message":"the body has more than 5 JSON values"}"#
            ]],
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn forms() {
    let door = Door::open(vec![open_source().form_field("payload")]);
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    let answer = door.post(URI, form, "a=1&payload=%7B%22event%22%3A+%22push%22%7D");
    assert_eq!(answer.status, 200);
    assert_eq!(door.queue.events()[0].body(), r#"{"event": "push"}"#);
    assert_eq!(door.queue.events()[0].name(), Some("push"));
    assert_eq!(door.post(URI, JSON, "{}").status, 200, "JSON as well");
    refused(
        &door,
        form,
        "other=%7B%7D",
        expect![[
            r#"400 {"status":"error","error":"bad_encoding","message":"the form lacks the field with the JSON"}"#
        ]],
    );
    refused(
        &door,
        "content-type: text/plain\r\n",
        "{}",
        expect![[
            r#"415 {"status":"error","error":"unsupported_media_type","message":"the content type is not application/json or application/x-www-form-urlencoded"}"#
        ]],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn gzip_is_inflated_within_the_limit() {
    let door = Door::with(vec![open_source()], vec![], |options| {
        options.limits.max_body_bytes = 100_000;
    });
    let gzipped = format!("{JSON}content-encoding: gzip\r\n");
    let fits = format!("{{\"event\":\"{}\"}}", "x".repeat(99_987));
    assert_eq!(fits.len(), 99_999);
    assert_eq!(door.post(URI, &gzipped, gzip(fits.as_bytes())).status, 200);
    let bomb = gzip(&vec![b' '; 50_000_000]);
    assert!(bomb.len() < 100_000);
    refused(
        &door,
        &gzipped,
        &bomb,
        expect![[
            r#"413 {"status":"error","error":"too_large","message":"the body exceeds 100000 bytes"}"#
        ]],
    );
    refused(
        &door,
        &gzipped,
        "{}",
        expect![[
            r#"400 {"status":"error","error":"bad_encoding","message":"the body is not gzip"}"#
        ]],
    );
    let whole = gzip(b"{}");
    refused(
        &door,
        &gzipped,
        &whole[..whole.len() - 4],
        expect![[
            r#"400 {"status":"error","error":"bad_encoding","message":"the body is not gzip"}"#
        ]],
    );
}
