//! The client against a site in the test process.

use std::sync::atomic::{AtomicUsize, Ordering};

use ocean_core::Raw;
use ocean_core::{ErrorClass, ProcessorError, dev::ApiResponse};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::{
    id::{Id, IssueRef, ProjectKey},
    test_support::Site,
};

fn issue(key: &str) -> IssueRef {
    selector(json!({ "id": 10_007, "key": key }))
}

fn id(number: u64) -> Id {
    serde_json::from_value(json!(number)).unwrap()
}

fn selector<T: DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).unwrap()
}

fn value(raw: Option<Raw>) -> Value {
    raw.map_or(Value::Null, |raw| raw.read().unwrap())
}

fn body(site: &Site, call: usize) -> Value {
    serde_json::from_slice(&site.requests()[call].body).unwrap()
}

// === Issues ===

#[tokio::test]
async fn an_issue_is_searched_within_the_selectors_jql() {
    let site = Site::sample();
    let selector = selector(json!({
        "jql": "project = OPS ORDER BY created",
        "fields": "summary, status",
        "expand": "changelog",
    }));
    let found = site
        .client()
        .issue(&issue("OPS-7"), &selector)
        .await
        .unwrap();
    assert_eq!(value(found)["fields"]["summary"], "Rotate the signing keys");
    assert_eq!(
        body(&site, 0),
        json!({
            "jql": "(project = OPS) AND key = OPS-7",
            "maxResults": 1,
            "fields": ["summary", "status"],
            "reconcileIssues": [10_007],
            "expand": "changelog",
        })
    );
    assert_eq!(site.calls(), ["POST /rest/api/3/search/jql"]);
}

#[tokio::test]
async fn an_issue_outside_the_jql_is_not_found() {
    let site = Site::sample();
    let selector = selector(json!({"jql": "project = WEB"}));
    let found = site
        .client()
        .issue(&issue("OPS-7"), &selector)
        .await
        .unwrap();
    assert_eq!(found, None);
    assert_eq!(body(&site, 0).get("expand"), None);
}

#[tokio::test]
async fn an_issue_that_jira_does_not_know_is_not_found() {
    // Jira answers 400 to a JQL that names an unknown issue, as it does to a wrong JQL.
    let site = Site::sample();
    let unknown = selector(json!({ "id": "99", "key": "OPS-99" }));
    let found = site.client().issue(&unknown, &selector(json!({}))).await;
    assert_eq!(found.unwrap(), None);
    assert_eq!(site.calls()[1], "GET /rest/api/3/issue/99?fields=key");
}

#[tokio::test]
async fn a_wrong_jql_is_a_permanent_error_that_tells_what_jira_said() {
    let site = Site::answering(|call| match call.method.as_str() {
        "POST" => ApiResponse {
            status: 400,
            ..ApiResponse::json(&json!({"errorMessages": ["Field 'colour' does not exist."]}))
        },
        _ => ApiResponse::json(&json!({"key": "OPS-7"})),
    });
    let error = site
        .client()
        .issue(&issue("OPS-7"), &selector(json!({})))
        .await
        .unwrap_err();
    let error = ProcessorError::from(error);
    assert_eq!(error.class(), ErrorClass::Permanent);
    assert!(error.to_string().contains("'colour'"), "{error}");
}

#[tokio::test]
async fn an_empty_page_with_a_token_is_followed() {
    let site = Site::answering(|call| {
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        ApiResponse::json(&match body.get("nextPageToken") {
            None => json!({"issues": [], "nextPageToken": "second"}),
            Some(_) => json!({"issues": [{"key": "OPS-7"}]}),
        })
    });
    let found = site
        .client()
        .issue(&issue("OPS-7"), &selector(json!({})))
        .await
        .unwrap();
    assert_eq!(value(found), json!({"key": "OPS-7"}));
    assert_eq!(body(&site, 1)["nextPageToken"], "second");
}

// === Projects, users, versions ===

#[tokio::test]
async fn a_project_comes_with_its_insight_from_wherever_jira_has_it() {
    let site = Site::sample();
    let ops = ProjectKey::try_from("OPS".to_owned()).unwrap();
    let found = site
        .client()
        .project(&ops, &selector(json!({})))
        .await
        .unwrap();
    assert_eq!(value(found)["insight"]["totalIssueCount"], 3);
    assert_eq!(
        site.calls(),
        [
            "GET /rest/api/3/project/OPS?expand=insight",
            "GET /rest/api/3/project/search?keys=OPS&expand=insight",
        ]
    );

    let site = Site::always(200, r#"{"key":"OPS","insight":{"totalIssueCount":7}}"#);
    let found = site
        .client()
        .project(&ops, &selector(json!({})))
        .await
        .unwrap();
    assert_eq!(value(found)["insight"]["totalIssueCount"], 7);
    assert_eq!(site.calls().len(), 1);
}

#[tokio::test]
async fn a_selector_that_expands_something_else_costs_one_call() {
    let site = Site::sample();
    let ops = ProjectKey::try_from("OPS".to_owned()).unwrap();
    for expand in [json!("lead,projectKeys"), json!(null)] {
        let selector = selector(json!({ "expand": expand }));
        assert!(
            site.client()
                .project(&ops, &selector)
                .await
                .unwrap()
                .is_some()
        );
    }
    assert_eq!(
        site.calls(),
        [
            "GET /rest/api/3/project/OPS?expand=lead,projectKeys",
            "GET /rest/api/3/project/OPS",
        ]
    );
}

#[tokio::test]
async fn a_user_is_asked_for_by_account() {
    let site = Site::sample();
    let found = site
        .client()
        .user("712020:3c1f4a52-9f0e-4a7b-8d55-0f6f2a1f7c11")
        .await
        .unwrap();
    assert_eq!(value(found)["displayName"], "Ben Ito");
    assert_eq!(site.client().user("a&accountId=b").await.unwrap(), None);
}

#[tokio::test]
async fn a_version_comes_with_its_projects_key() {
    let site = Site::sample();
    let found = site.client().version(id(1002)).await.unwrap();
    assert_eq!(value(found)["__projectKey"], "OPS");
    assert_eq!(
        site.calls(),
        [
            "GET /rest/api/3/version/1002",
            "GET /rest/api/3/project/10000"
        ]
    );
}

#[tokio::test]
async fn a_version_of_an_unknown_project_comes_without_key() {
    let raw = Raw::new(&json!({"id": "1"}));
    let site = Site::sample();
    for project in [Some(id(404)), None] {
        let version = site
            .client()
            .with_project_key(raw.clone(), project)
            .await
            .unwrap();
        assert_eq!(version, raw);
    }
}

// === Boards and sprints ===

#[tokio::test]
async fn a_board_comes_with_the_keys_of_all_its_projects() {
    let site = Site::answering(|call| match call.path.ends_with("/project") {
        false => ApiResponse::json(&json!({"id": 5})),
        true => {
            let start: usize = call.query[1].1.parse().unwrap();
            let rest = (start..60).take(50);
            let values: Vec<_> = rest.map(|n| json!({"key": format!("P{n}")})).collect();
            ApiResponse::json(&json!({"values": values, "isLast": start > 0}))
        }
    });
    let board = value(site.client().board(id(5)).await.unwrap());
    let keys = board["__projectKeys"].as_array().unwrap();
    assert_eq!((keys.len(), &keys[59]), (60, &json!("P59")));
    assert_eq!(
        site.calls(),
        [
            "GET /rest/agile/1.0/board/5",
            "GET /rest/agile/1.0/board/5/project?maxResults=50&startAt=0",
            "GET /rest/agile/1.0/board/5/project?maxResults=50&startAt=50",
        ]
    );
}

#[tokio::test]
async fn a_board_whose_projects_cannot_be_listed_is_not_gone() {
    let site = Site::answering(|call| match call.path.ends_with("/project") {
        false => ApiResponse::json(&json!({"id": 5})),
        true => ApiResponse::status(404),
    });
    let board = value(site.client().board(id(5)).await.unwrap());
    assert_eq!(board, json!({"id": 5, "__projectKeys": []}));
}

// === Not found and errors ===

#[tokio::test]
async fn what_jira_does_not_have_is_none() {
    let site = Site::sample();
    let jira = site.client();
    assert_eq!(jira.user("nobody").await.unwrap(), None);
    assert_eq!(jira.version(id(404)).await.unwrap(), None);
    assert_eq!(jira.board(id(404)).await.unwrap(), None);
    assert_eq!(jira.sprint(id(404)).await.unwrap(), None);
    assert_eq!(jira.issue_ref(id(404)).await.unwrap(), None);
    let nope = ProjectKey::try_from("NOPE".to_owned()).unwrap();
    assert_eq!(
        jira.project(&nope, &selector(json!({}))).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn errors_say_what_dispatch_should_do() {
    for (status, body, class, is_outage) in [
        (400, "{}", ErrorClass::Permanent, false),
        (403, "{}", ErrorClass::Permanent, false),
        (401, "{}", ErrorClass::Retry, true),
        (429, "{}", ErrorClass::Retry, true),
        (503, "{}", ErrorClass::Retry, true),
        (502, "<html>", ErrorClass::Retry, true),
        (500, "<html>", ErrorClass::Retry, false),
        (200, "no json", ErrorClass::Permanent, false),
        // A suspended site answers 404 with a page: nothing may be deleted because of it.
        (404, " <!DOCTYPE html>", ErrorClass::Retry, true),
    ] {
        let site = Site::always(status, body);
        let error = site.client().sprint(id(9)).await.unwrap_err();
        let error = ProcessorError::from(error);
        assert_eq!(
            (error.class(), error.is_outage()),
            (class, is_outage),
            "{status} {error}"
        );
    }
}

#[tokio::test]
async fn a_site_out_of_reach_is_an_outage() {
    let mut cx = Site::sample().context(json!({}));
    // Nothing listens there: the port belongs to a socket that is closed again.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    cx.config.jira_host.set_port(Some(port)).unwrap();
    let error = JiraClient::new(&cx)
        .unwrap()
        .sprint(id(9))
        .await
        .unwrap_err();
    assert!(ProcessorError::from(error).is_outage());
}

#[test]
fn an_address_that_is_not_one_is_refused() {
    let cx = Site::sample().context(json!({"jira_host": "ftp://example.com"}));
    let error = JiraClient::new(&cx).unwrap_err().to_string();
    assert!(
        error.contains("`jiraHost`") && error.contains("https://"),
        "{error}"
    );
}

// === Authorization ===

#[tokio::test]
async fn basic_authorization_is_email_and_token() {
    let site = Site::sample();
    site.client().probe().await.unwrap();
    let sent = site.requests()[0].headers.clone();
    // base64 of `ann@example.com:t0ken`.
    assert_eq!(
        sent.get("authorization"),
        Some("Basic YW5uQGV4YW1wbGUuY29tOnQwa2Vu")
    );
}

#[tokio::test]
async fn the_oauth_token_is_read_again_for_each_request() {
    let site = Site::sample();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let jira = JiraClient::new(&site.oauth_context(file.clone())).unwrap();
    jira.probe().await.unwrap();
    for token in ["first", "second\n"] {
        std::fs::write(&file, token).unwrap();
        jira.probe().await.unwrap();
    }
    let sent: Vec<_> = site
        .requests()
        .iter()
        .map(|call| call.headers.get("authorization").unwrap().to_owned())
        .collect();
    assert_eq!(sent, ["Bearer t0ken", "Bearer first", "Bearer second"]);
}

#[tokio::test]
async fn a_token_renewed_during_a_request_is_used_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "old").unwrap();
    let (calls, renewed) = (AtomicUsize::new(0), file.clone());
    let site = Site::answering(move |call| {
        calls.fetch_add(1, Ordering::Relaxed);
        std::fs::write(&renewed, "new").unwrap();
        match call.headers.get("authorization") {
            Some("Bearer new") => ApiResponse::json(&json!({})),
            _ => ApiResponse::status(401),
        }
    });
    JiraClient::new(&site.oauth_context(file))
        .unwrap()
        .probe()
        .await
        .unwrap();
    assert_eq!(site.calls().len(), 2);
}

#[tokio::test]
async fn oauth_finds_the_agile_api_by_the_sites_id_once() {
    let site = Site::answering(|call| match call.path.as_str() {
        "/oauth/token/accessible-resources" => ApiResponse::json(&json!([
            {"id": "other", "url": "https://other.atlassian.net"},
            {"id": "c10d", "url": format!("http://{}", call.headers.get("host").unwrap())},
        ])),
        _ => ApiResponse::json(&json!({"id": 9})),
    });
    let mut jira = JiraClient::new(&site.oauth_context("/nowhere".into())).unwrap();
    jira.atlassian = Url::parse(&site.url).unwrap();
    jira.sprint(id(9)).await.unwrap();
    jira.sprint(id(10)).await.unwrap();
    assert_eq!(
        site.calls(),
        [
            "GET /oauth/token/accessible-resources",
            "GET /ex/jira/c10d/rest/agile/latest/sprint/9",
            "GET /ex/jira/c10d/rest/agile/latest/sprint/10",
        ]
    );
}

#[tokio::test]
async fn a_token_for_other_sites_is_told_with_their_names() {
    let site = Site::always(200, r#"[{"id":"o","url":"https://other.atlassian.net"}]"#);
    let mut jira = JiraClient::new(&site.oauth_context("/nowhere".into())).unwrap();
    jira.atlassian = Url::parse(&site.url).unwrap();
    let error = jira.sprint(id(9)).await.unwrap_err().to_string();
    assert!(error.contains("https://other.atlassian.net"), "{error}");
}

#[test]
fn the_sites_id_is_part_of_its_oauth_address() {
    for (address, id) in [
        ("https://api.atlassian.com/ex/jira/c10d", Some("c10d")),
        ("https://api.atlassian.com/ex/jira/c10d/", Some("c10d")),
        ("https://api.atlassian.com/ex/jira/", None),
        ("https://example.atlassian.net/ex/jira/c10d", None),
        ("https://example.atlassian.net", None),
    ] {
        assert_eq!(
            cloud_id_in(&Url::parse(address).unwrap()).as_deref(),
            id,
            "{address}"
        );
    }
}

#[tokio::test]
async fn a_path_of_the_site_is_kept() {
    let site = Site::answering(|_| ApiResponse::json(&json!({})));
    let cx = site.context(json!({"jira_host": format!("{}/ex/jira/c10d/", site.url)}));
    JiraClient::new(&cx).unwrap().probe().await.unwrap();
    assert_eq!(site.calls(), ["GET /ex/jira/c10d/rest/api/3/myself"]);
}
