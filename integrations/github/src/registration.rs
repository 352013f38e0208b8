//! The organization's webhook: registered on start if there is none, compared with what we want if
//! there is one. Of an existing webhook only a missing secret is added, unless
//! `skipWebhookPatching` forbids it.

use ocean_core::{StartContext, source::Secret};
use tracing::{info, warn};

use crate::{
    client::{GitHubClient, GitHubError, Hook, NewHook},
    config::GitHubConfig,
};

const PATH: [&str; 2] = ["integration", "webhook"];

/// The events that some processor is for.
pub(crate) const EVENTS: &[&str] = &[
    "code_scanning_alert",
    "create",
    "delete",
    "dependabot_alert",
    "deployment",
    "deployment_status",
    "issues",
    "member",
    "membership",
    "organization",
    "pull_request",
    "push",
    "release",
    "repository",
    "team",
    "workflow_run",
];

/// Brings the webhook into being, where there is a public address and live events are wanted.
///
/// # Errors
/// GitHub did not answer, or refused.
pub(crate) async fn register(
    cx: &StartContext<GitHubConfig>,
    github: &GitHubClient,
) -> Result<(), GitHubError> {
    if !cx.live_events {
        return Ok(());
    }
    let Some(base) = &cx.base_url else {
        info!("No webhook is registered at GitHub: `OCEAN__BASE_URL` is not set.");
        return Ok(());
    };
    let Some(organization) = &cx.config.github_organization else {
        info!("No webhook is registered at GitHub: `githubOrganization` is not set.");
        return Ok(());
    };
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(PATH);
    }
    let wanted = NewHook {
        url: url.as_str(),
        events: EVENTS,
        secret: cx.config.webhook_secret.first().map(Secret::expose),
    };
    let existing = github.hooks(organization).await?;
    let Some(hook) = existing.iter().find(|hook| hook.config.url == wanted.url) else {
        github.create_hook(organization, &wanted).await?;
        let signed = wanted.secret.is_some();
        info!(
            organization,
            url = wanted.url,
            signed,
            "Webhook registered at GitHub."
        );
        return Ok(());
    };
    let lacks_secret = wanted.secret.is_some() && hook.config.secret.is_none();
    if lacks_secret && cx.config.skip_webhook_patching != Some(true) {
        github
            .configure_hook(organization, hook.id, &wanted)
            .await?;
        info!(
            organization,
            url = wanted.url,
            "The webhook at GitHub now has a secret."
        );
    } else if lacks_secret {
        warn!(
            url = wanted.url,
            "The webhook at GitHub has no secret, so its events fail verification."
        );
    }
    let differences = differences(hook);
    if !differences.is_empty() {
        let differences = differences.join("; ");
        warn!(
            url = wanted.url,
            differences, "The webhook at GitHub is not as it should be."
        );
    }
    Ok(())
}

/// In which ways an existing webhook is not the one we want, but for its secret.
fn differences(hook: &Hook) -> Vec<String> {
    let mut found = Vec::new();
    if !hook.active {
        found.push("it is not active".to_owned());
    }
    let has = |event: &&&str| hook.events.iter().any(|it| it == **event || it == "*");
    let missing: Vec<_> = EVENTS.iter().filter(|event| !has(event)).copied().collect();
    if !missing.is_empty() {
        found.push(format!("it lacks the events {}", missing.join(", ")));
    }
    found
}
