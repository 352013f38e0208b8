//! Dependabot's alerts.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{GitHubClient, GitHubError},
    payload::{Numbered, Repository, in_repository},
    selector::{DependabotAlertSelector, DependabotState, Severity},
};

/// `dependabot_alert`.
#[derive(Debug, Deserialize)]
pub struct DependabotAlertEvent {
    /// The repository.
    pub repository: Repository,
    /// The alert.
    pub alert: Numbered,
}

/// What the selector looks at.
#[derive(Debug, Deserialize)]
struct Alert {
    state: DependabotState,
    #[serde(default)]
    security_advisory: Advisory,
    #[serde(default)]
    dependency: Dependency,
}

#[derive(Debug, Default, Deserialize)]
struct Advisory {
    severity: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Dependency {
    package: Package,
}

#[derive(Debug, Default, Deserialize)]
struct Package {
    ecosystem: String,
}

/// Keeps Dependabot's alerts in step. One that the selector does not want leaves the catalog.
#[webhook_processor(
    path = "/webhook",
    kinds = ["dependabot-alert"],
    event = "dependabot_alert",
    requires = ["/alert/number", "/repository/name"],
    key = ["/repository/id", "/alert/number"],
    delete = "/alert",
    enrich = in_repository,
)]
pub async fn dependabot_alert(
    event: Payload<DependabotAlertEvent>,
    selector: Selector<DependabotAlertSelector>,
    github: State<GitHubClient>,
) -> Result<Option<Raw>, GitHubError> {
    let path = ["dependabot", "alerts", &event.alert.number];
    let found = github.find_in(&event.repository, &selector, &path).await?;
    Ok(found.filter(|alert| selector.admits(alert)))
}

impl DependabotAlertSelector {
    fn admits(&self, alert: &Raw) -> bool {
        alert.read::<Alert>().is_ok_and(|alert| {
            let severity = alert.security_advisory.severity.as_deref();
            let ecosystem = &alert.dependency.package.ecosystem;
            let of_severity = |it: &Severity| Some(it.as_str()) == severity;
            let of_ecosystem = |it: &String| it.eq_ignore_ascii_case(ecosystem);
            let severities = self.severity.as_ref();
            let ecosystems = self.ecosystems.as_ref();
            self.states.contains(&alert.state)
                && severities.is_none_or(|all| all.iter().any(of_severity))
                && ecosystems.is_none_or(|all| all.iter().any(of_ecosystem))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::test_support::{Run, Site, sample};

    async fn run(site: &Site, event: &(&str, Value), selector: Value) -> Run {
        crate::test_support::run("dependabot-alert", site, event, selector).await
    }

    #[tokio::test]
    async fn an_open_alert_is_fetched_and_a_fixed_one_deleted() {
        let created = sample("dependabot_alert_created");
        let alert = run(&Site::sample(), &created, json!({})).await.updated();
        assert_eq!(
            (&alert["number"], &alert["__repository"]),
            (&json!(1), &json!("shop"))
        );
        let fixed = sample("dependabot_alert_fixed");
        let alert = run(&Site::sample(), &fixed, json!({})).await.deleted();
        assert_eq!(
            (&alert["number"], &alert["__repository"]),
            (&json!(2), &json!("shop"))
        );
        run(&Site::sample(), &fixed, json!({ "states": ["fixed"] }))
            .await
            .updated();
    }

    #[tokio::test]
    async fn alerts_that_the_selector_does_not_want_are_deleted() {
        for (selector, is_wanted) in [
            (json!({ "severity": ["high", "critical"] }), true),
            (json!({ "severity": ["low"] }), false),
            (json!({ "ecosystems": ["npm"] }), true),
            (json!({ "ecosystems": ["pip"] }), false),
            (json!({ "states": ["dismissed"] }), false),
        ] {
            let event = sample("dependabot_alert_created");
            let run = run(&Site::sample(), &event, selector).await;
            match is_wanted {
                true => run.updated(),
                false => run.deleted(),
            };
        }
    }

    #[tokio::test]
    async fn a_missing_alert_is_deleted_and_one_without_number_refused() {
        let (name, mut body) = sample("dependabot_alert_created");
        let site = Site::always(404, "{}");
        run(&site, &(name, body.clone()), json!({})).await.deleted();
        body["alert"] = json!({});
        let run = run(&site, &(name, body), json!({})).await;
        assert!(matches!(run, Run::Invalid(_)), "{run:?}");
    }
}
