//! Jira Cloud for Ocean: live events of projects, issues, users, releases, boards, sprints and
//! worklogs.
//!
//! [`Jira`] ties the parts together; each file of [`webhooks`] holds one processor, [`client`] the
//! calls of Jira's REST API that they share, [`selector`] the keys a mapping may set for each
//! kind.

use ocean_core::{
    Assets, Integration, Source, StartContext, StartError, StateMap,
    dev::DevKit,
    source::{Locator, Verification},
};

pub mod client;
pub mod config;
mod dev;
pub mod id;
#[cfg(test)]
mod mapping_tests;
mod registration;
pub mod selector;
#[cfg(test)]
mod source_tests;
#[cfg(test)]
mod test_support;
pub mod webhooks;

pub use client::{JiraClient, JiraError};
pub use config::JiraConfig;

/// The Jira integration.
#[derive(Debug)]
pub struct Jira;

impl Integration for Jira {
    const NAME: &'static str = "jira";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = JiraConfig;

    fn assets() -> Assets {
        Assets {
            spec: include_str!("../.port/spec.yaml"),
            app_config: include_str!("../.port/resources/port-app-config.yaml"),
            blueprints: include_str!("../.port/resources/blueprints.json"),
            ..Assets::NONE
        }
    }

    fn sources(_: &JiraConfig) -> Vec<Source> {
        // Names and formats by Atlassian's guide "Webhooks" of the Jira Cloud platform: the
        // identifier is the same on each delivery attempt of an event, and the signature is the
        // WebSub one, `sha256=` and the hexadecimal HMAC of the raw body.
        let source = Source::new("/webhook")
            .event_name(Locator::pointer("/webhookEvent"))
            .delivery(Locator::header("x-atlassian-webhook-identifier"))
            .verify(
                Verification::hmac_sha256("x-hub-signature")
                    .prefix("sha256=")
                    .secret("webhookSecret"),
            )
            .unverified("Jira Cloud signs only webhooks that were registered with a secret");
        vec![source]
    }

    fn state(cx: &StartContext<JiraConfig>) -> Result<StateMap, StartError> {
        let client = JiraClient::new(cx).map_err(StartError::new)?;
        Ok(StateMap::new().with(client))
    }

    async fn on_start(cx: StartContext<JiraConfig>, state: StateMap) -> Result<(), StartError> {
        let Some(jira) = state.get::<JiraClient>() else {
            return Err(StartError::new("no state `JiraClient`"));
        };
        registration::keep(&cx, &jira, registration::WEEK)
            .await
            .map_err(|error| StartError::new(format!("the webhook at jira is not set up: {error}")))
    }

    async fn probe(state: &StateMap) -> Result<(), StartError> {
        let Some(jira) = state.get::<JiraClient>() else {
            return Err(StartError::new("no state `JiraClient`"));
        };
        jira.probe().await.map_err(|error| {
            StartError::new(format!(
                "jira cannot be used: {error}; check `jiraHost`, `atlassianUserEmail` and \
                 `atlassianUserToken`"
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
        let kinds = Jira::assets()
            .spec
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- kind: "));
        Registry::build(
            Registry::discover(),
            &Jira::sources(&cx.config),
            &kinds.map(str::to_owned).collect::<Vec<_>>(),
            &Jira::state(&cx).unwrap(),
        )
        .unwrap()
    }

    #[test]
    fn every_processor_is_registered() {
        let registry = registry();
        let names: Vec<_> = registry
            .iter()
            .map(|registered| registered.spec.name)
            .collect();
        assert_eq!(
            names,
            [
                "board",
                "issue",
                "moved_issue",
                "project",
                "sprint",
                "user",
                "version",
                "worklog"
            ]
        );
    }

    #[test]
    fn every_registered_event_has_a_sample_and_each_sample_a_processor() {
        let registry = registry();
        let mut sampled = BTreeSet::new();
        for sample in dev::KIT.samples {
            let event = event(&serde_json::from_str(sample.body).unwrap());
            let handlers = registry.route(&event).len();
            let expected = 1 + usize::from(sample.name.contains("moves to another project"));
            assert_eq!(handlers, expected, "{}", sample.name);
            sampled.insert(event.name().unwrap().to_owned());
        }
        let registered: BTreeSet<_> = registration::all_events().map(str::to_owned).collect();
        assert_eq!(sampled, registered);
    }

    #[test]
    fn events_that_concern_no_kind_are_left_alone() {
        let registry = registry();
        for name in [
            "comment_created",
            "board_configuration_changed",
            "issuelink_created",
            "jira:worklog_updated",
        ] {
            let event = event(&json!({ "webhookEvent": name }));
            assert!(registry.route(&event).is_empty(), "{name}");
        }
    }
}
