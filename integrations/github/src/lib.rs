//! GitHub for Ocean: live events of repositories and what is in them, of teams and members.
//!
//! [`GitHub`] ties the parts together; each file of [`webhooks`] holds the processors of one
//! resource, [`client`] the calls of GitHub's REST API that they share, [`selector`] the keys a
//! mapping may set for each kind, [`payload`] what GitHub's payloads have in common.

use ocean_core::{
    Assets, Integration, Source, StartContext, StartError, StateMap,
    dev::DevKit,
    source::{Locator, Verification},
};

mod catch_up;
pub mod client;
pub mod config;
mod dev;
#[cfg(test)]
mod mapping_tests;
pub mod payload;
mod registration;
pub mod selector;
#[cfg(test)]
mod source_tests;
#[cfg(test)]
mod test_support;
pub mod webhooks;

pub use client::{GitHubClient, GitHubError};
pub use config::GitHubConfig;

/// The GitHub integration.
#[derive(Debug)]
pub struct GitHub;

impl Integration for GitHub {
    const NAME: &'static str = "github";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = GitHubConfig;

    fn assets() -> Assets {
        Assets {
            spec: include_str!("../.port/spec.yaml"),
            app_config: include_str!("../.port/resources/port-app-config.yml"),
            blueprints: include_str!("../.port/resources/blueprints.json"),
            ..Assets::NONE
        }
    }

    fn sources(_: &GitHubConfig) -> Vec<Source> {
        // Names and formats by GitHub's guides "Webhook events and payloads" and "Validating
        // webhook deliveries": a delivery that somebody sends again keeps its identifier.
        let source = Source::new("/webhook")
            .event_name(Locator::header("x-github-event"))
            .delivery(Locator::header("x-github-delivery"))
            .form_field("payload")
            .verify(
                Verification::hmac_sha256("x-hub-signature-256")
                    .prefix("sha256=")
                    .secret("webhookSecret"),
            )
            .unverified("GitHub signs only webhooks that were registered with a secret");
        vec![source]
    }

    fn state(cx: &StartContext<GitHubConfig>) -> Result<StateMap, StartError> {
        let client = GitHubClient::new(cx).map_err(StartError::new)?;
        Ok(StateMap::new().with(client))
    }

    async fn on_start(cx: StartContext<GitHubConfig>, state: StateMap) -> Result<(), StartError> {
        let Some(github) = state.get::<GitHubClient>() else {
            return Err(StartError::new("no state `GitHubClient`"));
        };
        // Events may arrive by a webhook that somebody else registered, so one failure does not
        // keep the other from being tried.
        let mut problems = StartError::default();
        if let Err(error) = registration::register(&cx, &github).await {
            problems.add(format!("the webhook at github is not set up: {error}"));
        }
        if let Err(error) = catch_up::catch_up(&cx, &github, &catch_up::PAUSES).await {
            problems.add(format!(
                "github's log of deliveries cannot be used, so events of a downtime are not asked for again: {error}"
            ));
        }
        problems.into_result(())
    }

    async fn probe(state: &StateMap) -> Result<(), StartError> {
        let Some(github) = state.get::<GitHubClient>() else {
            return Err(StartError::new("no state `GitHubClient`"));
        };
        github.probe().await.map_err(|error| {
            StartError::new(format!(
                "github cannot be used: {error}; check `githubHost`, and `githubToken` or \
                 `githubAppId` and `githubAppPrivateKey`"
            ))
        })
    }

    fn dev() -> Option<DevKit> {
        Some(dev::KIT)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ocean_core::processor::Registry;
    use serde_json::json;

    use super::*;
    use crate::test_support::{Site, event};

    fn registry() -> Registry {
        let cx = Site::sample().context(json!({}));
        let kinds = GitHub::assets()
            .spec
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- kind: "));
        Registry::build(
            Registry::discover(),
            &GitHub::sources(&cx.config),
            &kinds.map(str::to_owned).collect::<Vec<_>>(),
            &GitHub::state(&cx).unwrap(),
        )
        .unwrap()
    }

    #[test]
    fn every_kind_that_events_tell_of_has_a_processor() {
        let registry = registry();
        let kinds: BTreeSet<_> = registry
            .iter()
            .flat_map(|registered| registered.spec.kinds)
            .copied()
            .collect();
        let expected = [
            "branch",
            "code-scanning-alerts",
            "collaborator",
            "dependabot-alert",
            "deployment",
            "deployment-status",
            "environment",
            "issue",
            "pull-request",
            "release",
            "repository",
            "tag",
            "team",
            "user",
            "workflow",
            "workflow-run",
        ];
        assert_eq!(kinds, BTreeSet::from(expected));
        assert_eq!(
            registry.iter().count(),
            expected.len() + 1,
            "and the one of renames"
        );
    }

    #[test]
    fn every_registered_event_has_a_sample_and_each_sample_but_ping_a_processor() {
        let registry = registry();
        let mut sampled = BTreeSet::new();
        for sample in dev::KIT.samples {
            let name = sample.headers[0].1;
            let event = event(name, &serde_json::from_str(sample.body).unwrap());
            let is_handled = !registry.route(&event).is_empty();
            assert_eq!(is_handled, name != "ping", "{}", sample.name);
            if is_handled {
                sampled.insert(name);
            }
        }
        let registered: BTreeSet<_> = registration::EVENTS.iter().copied().collect();
        assert_eq!(sampled, registered);
    }

    #[test]
    fn all_settings_that_are_wrong_are_told_by_name() {
        let cx = Site::sample().context(json!({ "github_token": null }));
        let error = GitHub::state(&cx).unwrap_err().to_string();
        assert!(
            error.contains("`githubToken`") && error.contains("`githubAppId`"),
            "{error}"
        );
        let settings = json!({
            "github_token": null, "github_app_id": "7", "github_app_private_key": "no key",
        });
        let cx = Site::sample().context(settings);
        let error = GitHub::state(&cx).unwrap_err().to_string();
        assert!(error.contains("`githubAppPrivateKey`"), "{error}");
    }
}
