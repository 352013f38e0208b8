//! The webhook at Jira: registered on start if there is none, compared with what we want if there
//! is one. An existing webhook is never changed: an administrator may have meant it so.

use ocean_core::StartContext;
use tracing::{info, warn};

use crate::{
    client::{JiraClient, JiraError, NewWebhook, Webhook},
    config::{JiraConfig, Secret},
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

/// Brings the webhook into being, where there is a public address and live events are wanted.
///
/// # Errors
/// Jira did not answer, or refused.
pub(crate) async fn register(
    cx: &StartContext<JiraConfig>,
    jira: &JiraClient,
) -> Result<(), JiraError> {
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
    let secret = cx.config.webhook_secret.first().map(Secret::reveal);
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
