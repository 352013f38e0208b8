//! A stand-in of the calls of GitHub's API that the client makes, answered from sample data.
//!
//! It keeps no state: the same call always gets the same answer. Each answer of the REST API has
//! an ETag, so that conditional requests can be seen at work.

use std::sync::LazyLock;

use ocean_core::dev::{ApiRequest, ApiResponse};
use serde_json::{Map, Value, json};

/// The answers by their path.
static ANSWERS: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../dev/data/answers.json"))
        .expect("the sample data is a JSON object")
});

pub(super) fn answer(call: &ApiRequest) -> ApiResponse {
    match (call.method.as_str(), call.path.as_str()) {
        ("POST", "/graphql") => query(&call.body),
        ("GET", path) => match ANSWERS.get(path) {
            Some(answer) => found(call, answer),
            None => not_found(),
        },
        ("POST", "/orgs/acme/hooks") => ApiResponse {
            status: 201,
            headers: Vec::new(),
            body: call.body.clone(),
        },
        _ => not_found(),
    }
}

fn found(call: &ApiRequest, answer: &Value) -> ApiResponse {
    let body = match answer {
        // The content of a file.
        Value::String(text) => text.clone(),
        answer => answer.to_string(),
    };
    let etag = format!("W/\"{}-{}\"", call.path.len(), body.len());
    if call.headers.get("if-none-match") == Some(etag.as_str()) {
        return ApiResponse {
            status: 304,
            headers: Vec::new(),
            body: Vec::new().into(),
        };
    }
    ApiResponse {
        status: 200,
        headers: vec![("etag".to_owned(), etag)],
        body: body.into(),
    }
}

fn query(body: &[u8]) -> ApiResponse {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let variables = &body["variables"];
    let text = body["query"].as_str().unwrap_or_default();
    let found = if text.contains("samlIdentityProvider") {
        let email = format!(
            "{}@acme.example.com",
            variables["login"].as_str().unwrap_or_default()
        );
        let identity = json!({ "samlIdentity": { "nameId": email } });
        json!({ "samlIdentityProvider": { "externalIdentities": { "nodes": [identity] } } })
    } else {
        let ann = json!({
            "id": "U_501", "login": "ann-okafor", "name": "Ann Okafor",
            "isSiteAdmin": false, "email": "ann@example.com",
        });
        json!({ "team": {
            "databaseId": 610,
            "notificationSetting": "NOTIFICATIONS_ENABLED",
            "members": {
                "nodes": [ann],
                "pageInfo": { "hasNextPage": false, "endCursor": null },
            },
        } })
    };
    ApiResponse::json(&json!({ "data": { "organization": found } }))
}

fn not_found() -> ApiResponse {
    ApiResponse {
        status: 404,
        ..ApiResponse::json(&json!({ "message": "Not Found", "status": "404" }))
    }
}
