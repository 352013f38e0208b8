//! The webhook at Jira: registered on start if there is none, compared with what we want if there
//! is one. An existing webhook is never changed: an administrator may have meant it so.

use std::time::Duration;

use ocean_core::{StartContext, source::Secret};
use tracing::{info, warn};

use crate::{
    client::{JiraClient, JiraError, NewWebhook, Webhook},
    config::JiraConfig,
};

const PATH: [&str; 2] = ["integration", "webhook"];

/// The events that Jira sends to OAuth apps and to administrators' webhooks.
const EVENTS: &[&str] = &[
    "jira:issue_created",
    "jira:issue_updated",
    "jira:issue_deleted",
    "jira:version_created",
    "jira:version_updated",
    "jira:version_deleted",
    "jira:version_released",
    "jira:version_unreleased",
    "jira:version_moved",
    "board_created",
    "board_updated",
    "board_deleted",
    "worklog_created",
    "worklog_updated",
    "worklog_deleted",
    "sprint_created",
    "sprint_updated",
    "sprint_started",
    "sprint_closed",
    "sprint_deleted",
];

/// The events that only administrators' webhooks bring.
const ADMIN_EVENTS: &[&str] = &[
    "project_created",
    "project_updated",
    "project_deleted",
    "project_soft_deleted",
    "project_restored_deleted",
    "project_archived",
    "project_restored_archived",
    "user_created",
    "user_updated",
    "user_deleted",
];

/// All events that some webhook is registered for.
#[cfg(test)]
pub(crate) fn all_events() -> impl Iterator<Item = &'static str> {
    EVENTS.iter().chain(ADMIN_EVENTS).copied()
}

/// Often enough for webhooks that end after 30 days.
pub(crate) const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Brings the webhook into being, where there is a public address and live events are wanted.
///
/// Those of OAuth apps end by themselves, so with OAuth this does not return: it looks after the
/// webhook `every` so often.
///
/// # Errors
/// Jira did not answer, or refused, the first time.
pub(crate) async fn keep(
    cx: &StartContext<JiraConfig>,
    jira: &JiraClient,
    every: Duration,
) -> Result<(), JiraError> {
    register(cx, jira).await?;
    if !jira.is_oauth() {
        return Ok(());
    }
    loop {
        tokio::time::sleep(every).await;
        if let Err(error) = register(cx, jira).await {
            warn!(%error, "The webhook at Jira was not prolonged; it is tried again in a week.");
        }
    }
}

async fn register(cx: &StartContext<JiraConfig>, jira: &JiraClient) -> Result<(), JiraError> {
    if !cx.live_events {
        return Ok(());
    }
    let Some(base) = &cx.base_url else {
        info!("No webhook is registered at Jira: `OCEAN__BASE_URL` is not set.");
        return Ok(());
    };
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(PATH);
    }
    let secret = cx.config.webhook_secret.first().map(Secret::expose);
    let wanted = Wanted {
        url: url.as_str(),
        secret,
        name: format!("{}-Port-Ocean-Events-Webhook", cx.identifier),
    };
    match jira.is_oauth() {
        true => of_app(jira, &wanted).await,
        false => of_admin(jira, &wanted).await,
    }
}

struct Wanted<'a> {
    url: &'a str,
    secret: Option<&'a str>,
    name: String,
}

impl Wanted<'_> {
    async fn create(&self, jira: &JiraClient, events: &[&str]) -> Result<(), JiraError> {
        jira.create_webhook(&NewWebhook {
            name: &self.name,
            url: self.url,
            events,
            secret: self.secret,
        })
        .await?;
        info!(
            url = self.url,
            signed = self.secret.is_some(),
            "Webhook registered at Jira."
        );
        Ok(())
    }
}

async fn of_admin(jira: &JiraClient, wanted: &Wanted<'_>) -> Result<(), JiraError> {
    if !jira.is_admin().await? {
        warn!(
            "No webhook is registered at Jira: the account is no administrator. Live events need \
             a webhook that an administrator creates."
        );
        return Ok(());
    }
    let events = [EVENTS, ADMIN_EVENTS].concat();
    let existing = jira.webhooks().await?;
    match existing.iter().find(|webhook| webhook.url == wanted.url) {
        Some(webhook) => {
            warn_of(
                &differences(webhook, &events, wanted.secret.is_some()),
                wanted.url,
            );
            Ok(())
        }
        None => wanted.create(jira, &events).await,
    }
}

async fn of_app(jira: &JiraClient, wanted: &Wanted<'_>) -> Result<(), JiraError> {
    if wanted.secret.is_some() {
        warn!(
            "Jira does not sign the webhooks of OAuth apps, so its events will fail verification: \
             remove the setting `webhookSecret`, or register a webhook as an administrator."
        );
    }
    let existing = jira.webhooks().await?;
    let Some(webhook) = existing.first() else {
        return wanted.create(jira, EVENTS).await;
    };
    // Jira takes one address an app, so a second webhook is no way out.
    if webhook.url != wanted.url {
        warn!(
            url = webhook.url,
            wanted = wanted.url,
            "The OAuth app has a webhook for another address, which keeps live events away."
        );
        return Ok(());
    }
    warn_of(&differences(webhook, EVENTS, false), wanted.url);
    match webhook.id {
        Some(id) => jira.refresh_webhook(id).await,
        None => Ok(()),
    }
}

/// In which ways an existing webhook is not the one we want.
fn differences(webhook: &Webhook, events: &[&str], signed: bool) -> Vec<String> {
    let mut found = Vec::new();
    if webhook.enabled == Some(false) {
        found.push("it is disabled".to_owned());
    }
    if let Some(jql) = webhook.jql() {
        found.push(format!("its JQL filter `{jql}` keeps events back"));
    }
    if signed && webhook.is_signed == Some(false) {
        found.push("it has no secret, so its events fail verification".to_owned());
    }
    let has = |event: &&&str| webhook.events.iter().any(|it| it == **event);
    let missing: Vec<_> = events.iter().filter(|event| !has(event)).copied().collect();
    if !missing.is_empty() {
        found.push(format!("it lacks the events {}", missing.join(", ")));
    }
    let is_extra = |event: &&String| !events.contains(&event.as_str());
    let extra: Vec<_> = webhook
        .events
        .iter()
        .filter(is_extra)
        .map(String::as_str)
        .collect();
    if !extra.is_empty() {
        found.push(format!(
            "nothing is done with its events {}",
            extra.join(", ")
        ));
    }
    found
}

fn warn_of(differences: &[String], url: &str) {
    if !differences.is_empty() {
        let differences = differences.join("; ");
        warn!(
            url,
            differences, "The webhook at Jira is not as it should be."
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use ocean_core::dev::{ApiRequest, ApiResponse};
    use serde_json::{Value, json};

    use super::*;
    use crate::test_support::Site;

    const URL: &str = "https://ocean.example.com/prefix/integration/webhook";

    /// A site whose account is an administrator and that has these webhooks.
    fn site(webhooks: Value) -> Site {
        Site::answering(
            move |call| match (call.method.as_str(), call.path.as_str()) {
                ("GET", "/rest/webhooks/1.0/webhook") => ApiResponse::json(&webhooks),
                ("GET", "/rest/api/3/webhook") => ApiResponse::json(&json!({ "values": webhooks })),
                _ => (crate::dev::KIT.api)(call),
            },
        )
    }

    async fn run(site: &Site, cx: StartContext<JiraConfig>) -> Vec<ApiRequest> {
        let jira = JiraClient::new(&cx).unwrap();
        register(&cx, &jira).await.unwrap();
        site.requests()
    }

    fn created(calls: &[ApiRequest]) -> Value {
        let last = calls.last().unwrap();
        assert_eq!(last.method, "POST", "{last:?}");
        serde_json::from_slice(&last.body).unwrap()
    }

    #[tokio::test]
    async fn a_webhook_is_registered_with_all_events_and_the_first_secret() {
        let site = site(json!([{ "url": "https://elsewhere.example.com", "events": [] }]));
        let calls = run(&site, site.context(json!({ "webhook_secret": "new\nold" }))).await;
        let webhook = created(&calls);
        assert_eq!(webhook["name"], "my-jira-Port-Ocean-Events-Webhook");
        assert_eq!(webhook["url"], URL);
        assert_eq!(webhook["secret"], "new");
        let events = webhook["events"].as_array().unwrap();
        assert_eq!(events.len(), EVENTS.len() + ADMIN_EVENTS.len());
        for event in [
            "jira:issue_created",
            "sprint_started",
            "project_soft_deleted",
            "user_deleted",
        ] {
            assert!(events.contains(&json!(event)), "{event}");
        }
    }

    #[tokio::test]
    async fn without_a_secret_none_is_registered() {
        let site = site(json!([]));
        let calls = run(&site, site.context(json!({}))).await;
        assert_eq!(created(&calls).get("secret"), None);
    }

    #[tokio::test]
    async fn an_existing_webhook_is_left_as_it_is() {
        let site = site(json!([{ "url": URL, "events": ["jira:issue_created"] }]));
        run(&site, site.context(json!({}))).await;
        assert_eq!(
            site.calls(),
            [
                "GET /rest/api/3/mypermissions?permissions=ADMINISTER",
                "GET /rest/webhooks/1.0/webhook",
            ]
        );
    }

    #[tokio::test]
    async fn an_account_that_is_no_administrator_registers_nothing() {
        let site = Site::always(
            200,
            r#"{"permissions":{"ADMINISTER":{"havePermission":false}}}"#,
        );
        assert_eq!(run(&site, site.context(json!({}))).await.len(), 1);
    }

    #[tokio::test]
    async fn nothing_is_registered_where_no_events_can_arrive() {
        let site = site(json!([]));
        let no_address = StartContext {
            base_url: None,
            ..site.context(json!({}))
        };
        let no_events = StartContext {
            live_events: false,
            ..site.context(json!({}))
        };
        assert!(run(&site, no_address).await.is_empty());
        assert!(run(&site, no_events).await.is_empty());
    }

    #[tokio::test]
    async fn a_refusal_is_an_error() {
        let site = Site::always(500, "{}");
        let cx = site.context(json!({}));
        assert!(register(&cx, &site.client()).await.is_err());
    }

    #[tokio::test]
    async fn an_oauth_app_registers_its_one_webhook_without_admin_events() {
        let site = Site::answering(|call| match call.method.as_str() {
            "GET" => ApiResponse::json(&json!({ "values": [] })),
            _ => ApiResponse::json(&json!({})),
        });
        let calls = run(&site, site.oauth_context("/nowhere".into())).await;
        let webhook = created(&calls);
        assert_eq!(
            (&webhook["url"], calls[1].path.as_str()),
            (&json!(URL), "/rest/api/3/webhook")
        );
        assert_eq!(webhook["webhooks"][0]["events"], json!(EVENTS));
        assert_eq!(site.calls()[0], "GET /rest/api/3/webhook");
    }

    #[tokio::test]
    async fn an_oauth_apps_webhook_is_given_another_thirty_days() {
        let site = Site::answering(|call| match call.method.as_str() {
            "GET" => {
                ApiResponse::json(&json!({ "values": [{ "id": 7, "url": URL, "events": EVENTS }] }))
            }
            _ => ApiResponse::json(&json!({})),
        });
        let calls = run(&site, site.oauth_context("/nowhere".into())).await;
        assert_eq!(site.calls()[1], "PUT /rest/api/3/webhook/refresh");
        assert_eq!(calls[1].body, r#"{"webhookIds":[7]}"#);
    }

    #[tokio::test]
    async fn an_oauth_apps_webhook_is_prolonged_again_and_again() {
        let (prolonged, mut seen) = tokio::sync::mpsc::unbounded_channel();
        let first = AtomicBool::new(true);
        let site = Site::answering(move |call| {
            if call.method == "GET" {
                let webhook = json!({ "id": 7, "url": URL, "events": EVENTS });
                return ApiResponse::json(&json!({ "values": [webhook] }));
            }
            // The receiver may be gone: the test has seen enough.
            let _ = prolonged.send(());
            // A later refusal is no reason to give up.
            ApiResponse::status(if first.swap(false, Ordering::Relaxed) {
                200
            } else {
                400
            })
        });
        let cx = site.oauth_context("/nowhere".into());
        let jira = JiraClient::new(&cx).unwrap();
        tokio::select! {
            end = keep(&cx, &jira, Duration::from_millis(1)) => panic!("it ended: {end:?}"),
            _ = async { (seen.recv().await, seen.recv().await, seen.recv().await) } => {}
        }
    }

    #[tokio::test]
    async fn an_oauth_apps_webhook_for_another_address_is_no_reason_for_a_second() {
        let site = Site::answering(|_| {
            ApiResponse::json(
                &json!({ "values": [{ "id": 7, "url": "https://other.example.com" }] }),
            )
        });
        assert_eq!(
            run(&site, site.oauth_context("/nowhere".into()))
                .await
                .len(),
            1
        );
    }

    #[test]
    fn differences_are_told_one_by_one() {
        let check = |webhook: Value, expected: &[&str]| {
            let webhook: Webhook = serde_json::from_value(webhook).unwrap();
            let found = differences(&webhook, &["a", "b"], true);
            assert_eq!(found, expected, "{webhook:?}");
        };
        check(
            json!({ "events": ["a", "b"], "enabled": true, "isSigned": true }),
            &[],
        );
        check(
            json!({ "events": ["a", "b"], "enabled": false }),
            &["it is disabled"],
        );
        check(
            json!({ "events": ["b", "c"], "filters": { "issue-related-events-section": "" } }),
            &["it lacks the events a", "nothing is done with its events c"],
        );
        check(
            json!({ "events": ["a", "b"], "filters": { "issue-related-events-section": "project = OPS" } }),
            &["its JQL filter `project = OPS` keeps events back"],
        );
        check(
            json!({ "events": ["a", "b"], "jqlFilter": "project = OPS", "isSigned": false }),
            &[
                "its JQL filter `project = OPS` keeps events back",
                "it has no secret, so its events fail verification",
            ],
        );
    }
}
