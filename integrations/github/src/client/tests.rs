//! The client against a site in the test process.

use std::sync::atomic::{AtomicUsize, Ordering};

use ocean_core::{
    ErrorClass, ProcessorError,
    dev::{ApiRequest, ApiResponse},
};
use serde_json::{Value, json};

use super::*;
use crate::{payload::Account, selector::Everywhere, test_support::Site};

const KEY: &str = include_str!("../../tests/data/app-key.pkcs1.pem");

fn shop() -> Repository {
    Repository {
        name: "shop".to_owned(),
        owner: Account {
            login: "acme".to_owned(),
        },
        default_branch: "main".to_owned(),
    }
}

async fn issue(github: &GitHubClient) -> Result<Option<Raw>, GitHubError> {
    github.find_in(&shop(), &Everywhere, &["issues", "7"]).await
}

fn with_headers(headers: &[(&str, &str)], body: Value) -> ApiResponse {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    ApiResponse {
        headers: headers.collect(),
        ..ApiResponse::json(&body)
    }
}

fn refusal(status: u16, headers: &[(&str, &str)], message: &str) -> ApiResponse {
    ApiResponse {
        status,
        ..with_headers(headers, json!({ "message": message }))
    }
}

// === Requests ===

#[tokio::test]
async fn each_call_names_version_format_and_token() {
    let site = Site::sample();
    issue(&site.client()).await.unwrap().unwrap();
    let call = site.requests().remove(0);
    for (name, value) in [
        ("x-github-api-version", "2022-11-28"),
        ("accept", "application/vnd.github+json"),
        ("authorization", "Bearer t0ken"),
    ] {
        assert_eq!(call.headers.get(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn an_enterprise_server_has_its_apis_under_paths_of_their_own() {
    let site = Site::answering(|call| match call.path.as_str() {
        "/api/v3/repos/acme/shop/issues/7" => ApiResponse::json(&json!({ "number": 7 })),
        "/api/v3/orgs/acme/teams/core" => ApiResponse::json(&json!({ "slug": "core" })),
        "/api/graphql" => ApiResponse::json(&json!({ "data": { "organization": null } })),
        _ => ApiResponse::status(404),
    });
    let host = format!("{}/api/v3", site.url);
    let github = GitHubClient::new(&site.context(json!({ "github_host": host }))).unwrap();
    assert!(issue(&github).await.unwrap().is_some());
    let selector = serde_json::from_value(json!({})).unwrap();
    let team = github
        .team("acme", "core", &selector)
        .await
        .unwrap()
        .unwrap();
    let team: Value = team.read().unwrap();
    assert_eq!(team["members"], json!({ "nodes": [] }));
}

#[tokio::test]
async fn only_not_found_and_gone_mean_that_it_does_not_exist() {
    for (status, expected) in [(404, true), (410, true), (403, false), (500, false)] {
        let found = issue(&Site::always(status, "{}").client()).await;
        assert_eq!(matches!(found, Ok(None)), expected, "{status}: {found:?}");
    }
}

#[tokio::test]
async fn names_cannot_lead_elsewhere() {
    let site = Site::sample();
    let mut repository = shop();
    repository.name = "../../user".to_owned();
    let found = site
        .client()
        .find_in(&repository, &Everywhere, &["issues?x", "7"])
        .await;
    assert!(found.unwrap().is_none());
    let call = &site.requests()[0];
    assert!(call.path.starts_with("/repos/acme/"), "{}", call.path);
    assert!(call.query.is_empty());
}

#[tokio::test]
async fn lists_are_read_page_by_page() {
    let site = Site::answering({
        let address = std::sync::OnceLock::<String>::new();
        move |call| {
            let host = call.headers.get("host").unwrap();
            let address = address.get_or_init(|| format!("http://{host}"));
            let next = format!(
                "<{address}{}?page=2>; rel=\"next\", <x>; rel=\"last\"",
                call.path
            );
            match call.query.iter().any(|(name, _)| name == "page") {
                false => with_headers(&[("link", &next)], json!({ "variables": [1, 2] })),
                true => ApiResponse::json(&json!({ "variables": [3] })),
            }
        }
    });
    let found = site.client().variables(&shop(), "a/b").await.unwrap();
    let numbers: Vec<u8> = found.iter().map(|raw| raw.read().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(site.calls().len(), 2);
}

#[test]
fn the_next_page_is_the_one_called_next() {
    for (link, next) in [
        (
            r#"<https://a/?page=2>; rel="next", <https://a/?page=9>; rel="last""#,
            Some("https://a/?page=2"),
        ),
        (
            r#"<https://a/?page=1>; rel="prev", <https://a/?page=3>; title="x"; rel=next"#,
            Some("https://a/?page=3"),
        ),
        (r#"<https://a/?page=1>; rel="first""#, None),
        ("", None),
    ] {
        assert_eq!(next_page(link), next, "{link}");
    }
}

#[tokio::test]
async fn a_page_of_somebody_else_is_not_followed() {
    let site = Site::answering(|_| {
        with_headers(
            &[("link", "<https://elsewhere.example.com/>; rel=\"next\"")],
            json!([{}]),
        )
    });
    let hooks = site.client().hooks("acme").await.unwrap();
    assert_eq!((hooks.len(), site.calls().len()), (0, 1));
}

// === Conditional requests ===

#[tokio::test]
async fn an_answer_that_github_confirms_is_used_again() {
    let site = Site::sample();
    let github = site.client();
    let first = issue(&github).await.unwrap();
    assert_eq!(issue(&github).await.unwrap(), first);
    let etags: Vec<_> = site
        .requests()
        .iter()
        .map(|call| call.headers.get("if-none-match").is_some())
        .collect();
    assert_eq!(etags, [false, true]);
}

#[tokio::test]
async fn a_changed_answer_replaces_the_known_one() {
    let version = AtomicUsize::new(0);
    let site = Site::answering(move |_| {
        let version = version.fetch_add(1, Ordering::Relaxed);
        with_headers(
            &[("etag", &format!("\"{version}\""))],
            json!({ "version": version }),
        )
    });
    let github = site.client();
    for version in 0..3 {
        let found: Value = issue(&github).await.unwrap().unwrap().read().unwrap();
        assert_eq!(found["version"], version);
    }
    let last = &site.requests()[2];
    assert_eq!(last.headers.get("if-none-match"), Some("\"1\""));
}

// === Rate limits ===

async fn failure(
    answer: impl Fn(&ApiRequest) -> ApiResponse + Send + Sync + 'static,
) -> ProcessorError {
    issue(&Site::answering(answer).client())
        .await
        .unwrap_err()
        .into()
}

#[tokio::test]
async fn refusals_by_a_rate_limit_use_up_no_retries_and_say_how_long() {
    for (status, headers, message, seconds) in [
        (403, vec![("retry-after", "30")], "", 30),
        (429, vec![("retry-after", "45")], "", 45),
        (429, vec![], "", 60),
        (403, vec![], "You have exceeded a secondary rate limit.", 60),
    ] {
        let error = failure(move |_| refusal(status, &headers, message)).await;
        assert!(error.is_outage(), "{error}");
        assert_eq!(error.delay(), Some(Duration::from_secs(seconds)), "{error}");
    }
}

#[tokio::test]
async fn a_used_up_limit_keeps_the_next_request_back() {
    let reset = (jiff::Timestamp::now().as_second() + 600).to_string();
    let site = Site::answering(move |_| {
        let headers = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", reset.as_str()),
        ];
        with_headers(&headers, json!({}))
    });
    let github = site.client();
    issue(&github).await.unwrap();
    let error = ProcessorError::from(issue(&github).await.unwrap_err());
    assert!(
        error.is_outage() && error.delay() > Some(Duration::from_secs(500)),
        "{error}"
    );
    assert_eq!(site.calls().len(), 1, "the second was not sent");
}

#[tokio::test]
async fn faults_are_told_apart() {
    for (status, class, is_outage) in [
        (401, ErrorClass::Retry, true),
        (403, ErrorClass::Permanent, false),
        (422, ErrorClass::Permanent, false),
        (500, ErrorClass::Retry, false),
        (503, ErrorClass::Retry, true),
    ] {
        let error = failure(move |_| refusal(status, &[], "no")).await;
        assert_eq!(
            (error.class(), error.is_outage()),
            (class, is_outage),
            "{error}"
        );
    }
}

// === Apps ===

/// GitHub as an app sees it: `acme` is an organization and `ann` a user where it is installed.
/// Tokens are numbered, and last for `seconds`.
fn app_site(seconds: i64, is_valid: fn(&str) -> bool) -> Site {
    let issued = AtomicUsize::new(0);
    Site::answering(move |call| {
        let auth = call.headers.get("authorization").unwrap_or_default();
        match (call.method.as_str(), call.path.as_str()) {
            ("GET", "/orgs/acme/installation" | "/users/ann/installation") => {
                ApiResponse::json(&json!({ "id": 44 }))
            }
            ("POST", "/app/installations/44/access_tokens") => {
                let number = issued.fetch_add(1, Ordering::Relaxed);
                let expires_at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
                ApiResponse::json(
                    &json!({ "token": format!("t{number}"), "expires_at": expires_at }),
                )
            }
            ("GET", path) if path.starts_with("/repos/") && is_valid(auth) => {
                ApiResponse::json(&json!({ "asked_with": auth }))
            }
            ("GET", path) if path.starts_with("/repos/") => refusal(401, &[], "Bad credentials"),
            _ => ApiResponse::status(404),
        }
    })
}

fn app_client(site: &Site) -> GitHubClient {
    let settings = json!({
        "github_token": null, "github_app_id": "7", "github_app_private_key": KEY,
    });
    GitHubClient::new(&site.context(settings)).unwrap()
}

async fn asked_with(github: &GitHubClient) -> String {
    let found: Value = issue(github).await.unwrap().unwrap().read().unwrap();
    found["asked_with"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_apps_token_is_fetched_once_however_many_ask() {
    let site = app_site(3_600, |_| true);
    let github = app_client(&site);
    let (one, other) = tokio::join!(asked_with(&github), asked_with(&github));
    assert_eq!((one.as_str(), other.as_str()), ("Bearer t0", "Bearer t0"));
    let is_issue = |call: &&String| call.ends_with("access_tokens");
    assert_eq!(site.calls().iter().filter(is_issue).count(), 1);
}

#[tokio::test]
async fn an_apps_token_is_renewed_before_it_ends() {
    // Tokens of four minutes are always too old: they are renewed five minutes before their end.
    let github = app_client(&app_site(240, |_| true));
    assert_eq!(asked_with(&github).await, "Bearer t0");
    assert_eq!(asked_with(&github).await, "Bearer t1");
}

#[tokio::test]
async fn a_token_that_github_no_longer_takes_is_renewed_once() {
    let github = app_client(&app_site(3_600, |auth| auth == "Bearer t1"));
    assert_eq!(asked_with(&github).await, "Bearer t1");
    let github = app_client(&app_site(3_600, |_| false));
    let error = ProcessorError::from(issue(&github).await.unwrap_err());
    assert!(error.is_outage(), "{error}");
}

#[tokio::test]
async fn an_app_may_be_installed_for_users_too_and_else_that_is_said() {
    let site = app_site(3_600, |_| true);
    let github = app_client(&site);
    let mut repository = shop();
    repository.owner.login = "ann".to_owned();
    let found = github
        .find_in(&repository, &Everywhere, &["issues", "7"])
        .await;
    assert!(found.unwrap().is_some());
    repository.owner.login = "nobody".to_owned();
    let error = github
        .find_in(&repository, &Everywhere, &["issues", "7"])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("`nobody`"), "{error}");
    let class = ProcessorError::from(error).class();
    assert_eq!(class, ErrorClass::Permanent, "nothing is to be waited for");
}

#[tokio::test]
async fn the_probe_needs_credentials_that_github_takes() {
    for (status, is_fine) in [(200, true), (401, false), (404, false)] {
        let site = Site::always(status, "{}");
        assert_eq!(site.client().probe().await.is_ok(), is_fine, "{status}");
        assert_eq!(app_client(&site).probe().await.is_ok(), is_fine, "{status}");
        assert_eq!(site.calls(), ["GET /meta", "GET /app"]);
    }
}

// === Queries ===

#[tokio::test]
async fn a_query_that_github_refuses_is_an_error() {
    let site = Site::answering(|call| match call.method.as_str() {
        "GET" => ApiResponse::json(&json!({ "slug": "core" })),
        _ => ApiResponse::json(&json!({ "data": null, "errors": [{ "message": "too complex" }] })),
    });
    let selector = serde_json::from_value(json!({})).unwrap();
    let error = site
        .client()
        .team("acme", "core", &selector)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("too complex"), "{error}");
}

#[tokio::test]
async fn members_are_read_page_by_page() {
    let site = Site::answering(|call| {
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let page = |login: &str, next: Value| {
            let members = json!({
                "nodes": [{ "login": login, "email": "x@example.com" }],
                "pageInfo": { "hasNextPage": next.is_string(), "endCursor": next },
            });
            json!({ "data": { "organization": { "team": { "databaseId": 1, "members": members } } } })
        };
        ApiResponse::json(&match (call.method.as_str(), &body["variables"]["after"]) {
            ("GET", _) => json!({ "slug": "core" }),
            (_, Value::Null) => page("ann", json!("second")),
            _ => page("ben", Value::Null),
        })
    });
    let selector = serde_json::from_value(json!({})).unwrap();
    let team = site
        .client()
        .team("acme", "core", &selector)
        .await
        .unwrap()
        .unwrap();
    let team: Value = team.read().unwrap();
    assert_eq!(team["members"]["nodes"][1]["login"], "ben");
}
