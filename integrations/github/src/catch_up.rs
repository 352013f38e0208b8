//! After downtime: has GitHub deliver again what it could not deliver. It never does so by itself.
//!
//! What is delivered again comes in by the door like any event: verified, and recorded once,
//! because it keeps its identifier. So nothing depends on knowing exactly how long we were away.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use jiff::SignedDuration;
use ocean_core::{Clock, StartContext, http::HttpError};
use tracing::{info, warn};

use crate::{
    client::{Delivery, GitHubClient, GitHubError, Log},
    config::GitHubConfig,
    registration::{EVENTS, address},
};

/// When the logs are looked at after the start: not before a load balancer has seen that we are
/// ready, and again until nothing is missing.
pub(crate) const PAUSES: [Duration; 3] = [
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
];

/// How far back GitHub delivers again.
const REACH: SignedDuration = SignedDuration::from_hours(3 * 24);
/// Pages of 100 deliveries, of one log.
const MAX_PAGES: usize = 100;

/// Looks at the logs after each of the pauses, until nothing is missing.
///
/// # Errors
/// GitHub did not answer, or refused.
pub(crate) async fn catch_up(
    cx: &StartContext<GitHubConfig>,
    github: &GitHubClient,
    pauses: &[Duration],
) -> Result<(), GitHubError> {
    let Some(url) = address(cx) else {
        return Ok(());
    };
    let organization = cx.config.github_organization.as_deref();
    for pause in pauses {
        tokio::time::sleep(*pause).await;
        let mut asked = 0;
        for log in github.logs(url.as_str(), organization).await? {
            asked += ask_again(github, &log, cx.clock).await?;
        }
        if asked == 0 {
            return Ok(());
        }
        info!(
            asked,
            "GitHub was asked to deliver again what it could not deliver."
        );
    }
    Ok(())
}

/// Asks for what is missing, the oldest first, and tells how much that was.
async fn ask_again(github: &GitHubClient, log: &Log, clock: Clock) -> Result<usize, GitHubError> {
    let missing = missing(&recent(github, log, clock).await?);
    for id in &missing {
        while let Err(error) = github.deliver_again(log, *id).await {
            // GitHub limits such calls to some hundred an hour; the rest has time.
            let GitHubError::Http(HttpError::Throttled { after, .. }) = error else {
                return Err(error);
            };
            tokio::time::sleep(after).await;
        }
    }
    Ok(missing.len())
}

/// The log back to a page without failures: what lies before it was looked at by an earlier start.
async fn recent(
    github: &GitHubClient,
    log: &Log,
    clock: Clock,
) -> Result<Vec<Delivery>, GitHubError> {
    let oldest = clock.now() - REACH;
    let (mut deliveries, mut next) = (Vec::new(), None);
    for _ in 0..MAX_PAGES {
        let (mut page, following) = github.deliveries(log, next).await?;
        let is_complete = page.iter().all(succeeded);
        page.retain(|delivery| delivery.delivered_at >= oldest);
        let has_ended = page.is_empty() || is_complete || following.is_none();
        deliveries.append(&mut page);
        if has_ended {
            return Ok(deliveries);
        }
        next = following;
    }
    warn!(
        deliveries = deliveries.len(),
        "GitHub's log of failed deliveries is longer than what is looked at; older events are not asked for."
    );
    Ok(deliveries)
}

/// The events of which no attempt succeeded, by their latest attempt.
fn missing(deliveries: &[Delivery]) -> Vec<u64> {
    let arrived = deliveries.iter().filter(|delivery| succeeded(delivery));
    let arrived: HashSet<_> = arrived.map(|delivery| delivery.guid.as_str()).collect();
    let is_missing = |delivery: &&Delivery| {
        !arrived.contains(delivery.guid.as_str()) && EVENTS.contains(&delivery.event.as_str())
    };
    let mut seen = HashSet::new();
    let latest = deliveries.iter().filter(is_missing);
    let latest = latest.filter(|delivery| seen.insert(delivery.guid.as_str()));
    let by_time: BTreeMap<_, _> = latest
        .map(|delivery| ((delivery.delivered_at, delivery.id), delivery.id))
        .collect();
    by_time.into_values().collect()
}

fn succeeded(delivery: &Delivery) -> bool {
    (200..300).contains(&delivery.status_code)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use jiff::Timestamp;
    use ocean_core::dev::ApiResponse;
    use serde_json::{Value, json};

    use super::*;
    use crate::test_support::Site;

    const URL: &str = "https://ocean.example.com/prefix/integration/webhook";
    const KEY: &str = include_str!("../tests/data/app-key.pkcs1.pem");
    const AT_ONCE: [Duration; 3] = [Duration::ZERO; 3];

    fn delivery(id: u64, guid: &str, status: u16, hours_ago: i64) -> Value {
        let delivered_at = Timestamp::now() - SignedDuration::from_hours(hours_ago);
        json!({
            "id": id, "guid": guid, "delivered_at": delivered_at, "redelivery": false,
            "status": "x", "status_code": status, "event": "issues", "action": "opened",
        })
    }

    /// A log that has a second page.
    fn site(first: Value, second: Value) -> Site {
        Site::answering(move |call| {
            let has_page = call.query.iter().any(|(name, _)| name == "cursor");
            match (call.method.as_str(), call.path.as_str()) {
                ("GET", "/orgs/acme/hooks" | "/repos/ann/tool/hooks") => {
                    ApiResponse::json(&json!([
                        { "id": 4, "config": { "url": "https://elsewhere.example.com" } },
                        { "id": 5, "config": { "url": URL } },
                    ]))
                }
                ("GET", "/user/repos") => {
                    ApiResponse::json(&json!([{ "name": "tool", "owner": { "login": "ann" } }]))
                }
                ("GET", path) if path.ends_with("/deliveries") && has_page => {
                    ApiResponse::json(&second)
                }
                ("GET", path) if path.ends_with("/deliveries") => {
                    let host = call.headers.get("host").unwrap();
                    let next = format!("<http://{host}{path}?cursor=v1_1>; rel=\"next\"");
                    ApiResponse {
                        headers: vec![("link".to_owned(), next)],
                        ..ApiResponse::json(&first)
                    }
                }
                ("POST", path) if path.ends_with("/attempts") => ApiResponse::status(202),
                _ => ApiResponse::status(404),
            }
        })
    }

    async fn attempts(
        site: &Site,
        cx: &StartContext<GitHubConfig>,
        pauses: &[Duration],
    ) -> Vec<String> {
        let github = GitHubClient::new(cx).unwrap();
        catch_up(cx, &github, pauses).await.unwrap();
        let mut calls = site.calls();
        calls.retain(|call| call.starts_with("POST"));
        calls
    }

    #[tokio::test]
    async fn what_was_never_delivered_is_asked_for_the_oldest_first() {
        let first = json!([
            delivery(9, "a", 200, 0),
            delivery(8, "b", 503, 1),
            delivery(7, "a", 502, 2),
        ]);
        let second = json!([delivery(6, "b", 0, 3), delivery(5, "c", 500, 4)]);
        let site = site(first, second);
        assert_eq!(
            attempts(&site, &site.context(json!({})), &AT_ONCE[..1]).await,
            [
                "POST /orgs/acme/hooks/5/deliveries/5/attempts",
                "POST /orgs/acme/hooks/5/deliveries/8/attempts",
            ]
        );
    }

    #[tokio::test]
    async fn a_page_without_failures_ends_the_search() {
        let site = site(
            json!([delivery(9, "a", 200, 0)]),
            json!([delivery(5, "c", 500, 4)]),
        );
        assert!(
            attempts(&site, &site.context(json!({})), &AT_ONCE)
                .await
                .is_empty()
        );
        assert_eq!(site.calls().len(), 2, "the hooks and one page, once");
    }

    #[tokio::test]
    async fn what_github_no_longer_delivers_or_nobody_handles_is_left_alone() {
        let mut ping = delivery(8, "b", 500, 1);
        ping["event"] = json!("ping");
        let site = site(json!([ping, delivery(7, "a", 500, 73)]), json!([]));
        assert!(
            attempts(&site, &site.context(json!({})), &AT_ONCE)
                .await
                .is_empty()
        );
    }

    #[tokio::test]
    async fn without_an_organization_the_logs_of_repositories_are_looked_at() {
        let site = site(json!([delivery(8, "b", 500, 1)]), json!([]));
        let cx = site.context(json!({ "github_organization": null }));
        assert_eq!(
            attempts(&site, &cx, &AT_ONCE[..1]).await,
            ["POST /repos/ann/tool/hooks/5/deliveries/8/attempts"]
        );
    }

    #[tokio::test]
    async fn an_app_has_a_log_of_its_own() {
        let site = Site::answering(|call| match (call.method.as_str(), call.path.as_str()) {
            ("GET", "/app/hook/config") => ApiResponse::json(&json!({ "url": URL })),
            ("GET", "/app/hook/deliveries") => {
                ApiResponse::json(&json!([delivery(8, "b", 500, 1)]))
            }
            ("POST", "/app/hook/deliveries/8/attempts") => ApiResponse::status(202),
            _ => ApiResponse::status(404),
        });
        let cx = site.context(json!({
            "github_organization": null, "github_token": null,
            "github_app_id": "7", "github_app_private_key": KEY,
        }));
        assert_eq!(
            attempts(&site, &cx, &AT_ONCE[..1]).await,
            ["POST /app/hook/deliveries/8/attempts"]
        );
    }

    #[tokio::test]
    async fn it_is_looked_again_until_nothing_is_missing() {
        let arrived = AtomicBool::new(false);
        let site = Site::answering(
            move |call| match (call.method.as_str(), call.path.as_str()) {
                ("GET", "/orgs/acme/hooks") => {
                    ApiResponse::json(&json!([{ "id": 5, "config": { "url": URL } }]))
                }
                ("GET", _) => ApiResponse::json(&match arrived.load(Ordering::Relaxed) {
                    true => json!([delivery(9, "b", 200, 0), delivery(8, "b", 500, 1)]),
                    false => json!([delivery(8, "b", 500, 1)]),
                }),
                _ => {
                    arrived.store(true, Ordering::Relaxed);
                    ApiResponse::status(202)
                }
            },
        );
        let made = attempts(&site, &site.context(json!({})), &AT_ONCE).await;
        assert_eq!(made.len(), 1);
        let looks = site
            .calls()
            .iter()
            .filter(|call| call.contains("/deliveries?"))
            .count();
        assert_eq!(looks, 2);
    }
}
