//! The organization's webhook: registered on start if there is none, compared with what we want if
//! there is one. Of an existing webhook only a missing secret is added, unless
//! `skipWebhookPatching` forbids it.

use ocean_core::{StartContext, source::Secret};
use tracing::{info, warn};
use url::Url;

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
    let Some(url) = address(cx) else {
        info!(
            "No webhook is registered at GitHub: `OCEAN__BASE_URL` is not set, or no events are wanted."
        );
        return Ok(());
    };
    let Some(organization) = &cx.config.github_organization else {
        info!("No webhook is registered at GitHub: `githubOrganization` is not set.");
        return Ok(());
    };
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

/// Where GitHub reaches us, if there is a public address and live events are wanted.
pub(crate) fn address(cx: &StartContext<GitHubConfig>) -> Option<Url> {
    let mut url = cx.base_url.clone().filter(|_| cx.live_events)?;
    url.path_segments_mut().ok()?.pop_if_empty().extend(PATH);
    Some(url)
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

#[cfg(test)]
mod tests {
    use ocean_core::dev::{ApiRequest, ApiResponse};
    use serde_json::{Value, json};

    use super::*;
    use crate::test_support::Site;

    const URL: &str = "https://ocean.example.com/prefix/integration/webhook";

    /// An organization that has these webhooks.
    fn site(hooks: Value) -> Site {
        Site::answering(move |call| match call.method.as_str() {
            "GET" => ApiResponse::json(&hooks),
            _ => ApiResponse::json(&json!({})),
        })
    }

    async fn run(site: &Site, cx: StartContext<GitHubConfig>) -> Vec<ApiRequest> {
        let github = GitHubClient::new(&cx).unwrap();
        register(&cx, &github).await.unwrap();
        site.requests()
    }

    fn body(call: &ApiRequest) -> Value {
        serde_json::from_slice(&call.body).unwrap()
    }

    #[tokio::test]
    async fn a_webhook_is_registered_with_all_events_and_the_first_secret() {
        let site = site(json!([{ "id": 1, "config": { "url": "https://elsewhere.example.com" } }]));
        let calls = run(&site, site.context(json!({ "webhook_secret": "new\nold" }))).await;
        assert_eq!(site.calls()[1], "POST /orgs/acme/hooks");
        assert_eq!(
            body(&calls[1]),
            json!({
                "name": "web",
                "active": true,
                "events": EVENTS,
                "config": { "url": URL, "content_type": "json", "secret": "new" },
            })
        );
    }

    #[tokio::test]
    async fn without_a_secret_none_is_registered() {
        let site = site(json!([]));
        let calls = run(&site, site.context(json!({}))).await;
        assert_eq!(body(&calls[1])["config"].get("secret"), None);
    }

    #[tokio::test]
    async fn an_existing_webhook_is_given_a_missing_secret_and_nothing_else() {
        let hook = |secret: Value| json!([{ "id": 5, "active": true, "events": ["push"], "config": { "url": URL, "secret": secret } }]);
        let secret = json!({ "webhook_secret": "s" });
        let skipping = json!({ "webhook_secret": "s", "skip_webhook_patching": true });
        for (existing, settings, calls) in [
            (json!(null), secret.clone(), 2),
            (json!("********"), secret, 1),
            (json!(null), skipping, 1),
            (json!(null), json!({}), 1),
        ] {
            let site = site(hook(existing));
            let made = run(&site, site.context(settings)).await;
            assert_eq!(made.len(), calls);
            if let [_, patch] = &made[..] {
                assert_eq!(
                    (patch.method.as_str(), patch.path.as_str()),
                    ("PATCH", "/orgs/acme/hooks/5")
                );
                assert_eq!(body(patch)["config"]["secret"], "s");
            }
        }
    }

    #[tokio::test]
    async fn nothing_is_registered_where_no_events_can_arrive() {
        let site = site(json!([]));
        let usual = || site.context(json!({}));
        for cx in [
            StartContext {
                base_url: None,
                ..usual()
            },
            StartContext {
                live_events: false,
                ..usual()
            },
            site.context(json!({ "github_organization": "" })),
        ] {
            assert!(run(&site, cx).await.is_empty());
        }
    }

    #[tokio::test]
    async fn a_refusal_is_an_error() {
        let site = Site::always(403, r#"{"message":"Must have admin rights"}"#);
        let cx = site.context(json!({}));
        assert!(register(&cx, &site.client()).await.is_err());
    }

    #[test]
    fn differences_are_told() {
        let hook = |value: Value| serde_json::from_value::<Hook>(value).unwrap();
        let all = hook(json!({ "id": 1, "active": true, "events": ["*"] }));
        assert!(differences(&all).is_empty());
        let mut events = EVENTS.to_vec();
        events.retain(|event| *event != "team");
        let found = differences(&hook(json!({ "id": 1, "active": false, "events": events })));
        assert_eq!(found, ["it is not active", "it lacks the events team"]);
    }
}
