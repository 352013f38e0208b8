//! Alerts of code scanning.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{GitHubClient, GitHubError},
    payload::{Numbered, Repository, in_repository},
    selector::{CodeScanningAlertSelector, CodeScanningState, Severity},
};

/// `code_scanning_alert`.
#[derive(Debug, Deserialize)]
pub struct CodeScanningAlertEvent {
    /// The repository.
    pub repository: Repository,
    /// The alert.
    pub alert: Numbered,
}

/// What the selector looks at.
#[derive(Debug, Deserialize)]
struct Alert {
    state: Option<CodeScanningState>,
    #[serde(default)]
    rule: Rule,
}

// GitHub rates rules on two scales, and a selector may name either. Rules without a rating, whose
// severity is `none`, fit no selector that asks for one.
#[derive(Debug, Default, Deserialize)]
struct Rule {
    severity: Option<String>,
    security_severity_level: Option<String>,
}

/// Keeps alerts of code scanning in step. One that the selector does not want leaves the catalog.
#[webhook_processor(
    path = "/webhook",
    kinds = ["code-scanning-alerts"],
    event = "code_scanning_alert",
    requires = ["/alert/number", "/repository/name"],
    key = ["/repository/id", "/alert/number"],
    delete = "/alert",
    enrich = in_repository,
)]
pub async fn code_scanning_alert(
    event: Payload<CodeScanningAlertEvent>,
    selector: Selector<CodeScanningAlertSelector>,
    github: State<GitHubClient>,
) -> Result<Option<Raw>, GitHubError> {
    let path = ["code-scanning", "alerts", &event.alert.number];
    let found = github.find_in(&event.repository, &selector, &path).await?;
    Ok(found.filter(|alert| selector.admits(alert)))
}

impl CodeScanningAlertSelector {
    fn admits(&self, alert: &Raw) -> bool {
        use CodeScanningState::{Closed, Dismissed, Fixed};
        alert.read::<Alert>().is_ok_and(|alert| {
            let state_fits = match self.state {
                Closed => matches!(alert.state, Some(Dismissed | Fixed)),
                state => alert.state == Some(state),
            };
            state_fits && self.severity.is_none_or(|it| alert.rule.has(it))
        })
    }
}

impl Rule {
    fn has(&self, severity: Severity) -> bool {
        let rated = [&self.severity, &self.security_severity_level];
        rated
            .into_iter()
            .any(|it| it.as_deref() == Some(severity.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::test_support::{Run, Site, sample};

    async fn run(site: &Site, event: &(&str, Value), selector: Value) -> Run {
        crate::test_support::run("code-scanning-alerts", site, event, selector).await
    }

    #[tokio::test]
    async fn an_open_alert_is_fetched() {
        let event = sample("code_scanning_alert_created");
        let alert = run(&Site::sample(), &event, json!({})).await.updated();
        assert_eq!(
            (&alert["number"], &alert["__repository"]),
            (&json!(1), &json!("shop"))
        );
    }

    #[tokio::test]
    async fn alerts_that_the_selector_does_not_want_are_deleted() {
        let (open, dismissed) = ("code_scanning_alert_created", "code_scanning_alert_closed");
        for (name, selector, is_wanted) in [
            (dismissed, json!({}), false),
            (dismissed, json!({ "state": "dismissed" }), true),
            (dismissed, json!({ "state": "closed" }), true),
            (dismissed, json!({ "state": "fixed" }), false),
            (open, json!({ "severity": "error" }), true),
            (open, json!({ "severity": "high" }), true),
            (open, json!({ "severity": "note" }), false),
        ] {
            let run = run(&Site::sample(), &sample(name), selector).await;
            match is_wanted {
                true => run.updated(),
                false => run.deleted(),
            };
        }
    }

    #[tokio::test]
    async fn a_rule_without_rating_is_fine_unless_one_is_asked_for() {
        for severity in ["null", r#""none""#] {
            let answer =
                format!(r#"{{"number":1,"state":"open","rule":{{"severity":{severity}}}}}"#);
            let site = || {
                let answer = answer.clone();
                Site::answering(move |_| ocean_core::dev::ApiResponse {
                    status: 200,
                    headers: Vec::new(),
                    body: answer.clone().into(),
                })
            };
            let event = sample("code_scanning_alert_created");
            run(&site(), &event, json!({})).await.updated();
            let selector = json!({ "severity": "high" });
            run(&site(), &event, selector).await.deleted();
        }
    }

    #[tokio::test]
    async fn a_missing_alert_is_deleted_and_one_without_number_refused() {
        let (name, mut body) = sample("code_scanning_alert_created");
        let site = Site::always(404, "{}");
        run(&site, &(name, body.clone()), json!({})).await.deleted();
        body["alert"] = json!({});
        let run = run(&site, &(name, body), json!({})).await;
        assert!(matches!(run, Run::Invalid(_)), "{run:?}");
    }
}
