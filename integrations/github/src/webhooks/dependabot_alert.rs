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
    security_advisory: Advisory,
    dependency: Dependency,
}

#[derive(Debug, Deserialize)]
struct Advisory {
    severity: Severity,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    package: Package,
}

#[derive(Debug, Deserialize)]
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
    let number = event.alert.number.to_string();
    let (path, search) = (
        ["dependabot", "alerts", &number],
        selector.repo_search.as_ref(),
    );
    let found = github.find_in(&event.repository, search, &path).await?;
    Ok(found.filter(|alert| selector.admits(alert)))
}

impl DependabotAlertSelector {
    fn admits(&self, alert: &Raw) -> bool {
        alert.read::<Alert>().is_ok_and(|alert| {
            let severity = alert.security_advisory.severity;
            let ecosystem = &alert.dependency.package.ecosystem;
            let of_ecosystem = |it: &String| it.eq_ignore_ascii_case(ecosystem);
            self.states.contains(&alert.state)
                && self
                    .severity
                    .as_ref()
                    .is_none_or(|it| it.contains(&severity))
                && self
                    .ecosystems
                    .as_ref()
                    .is_none_or(|it| it.iter().any(of_ecosystem))
        })
    }
}
