//! Deployments and their statuses.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{GitHubClient, GitHubError},
    payload::{Identified, Number, Repository, in_repository},
    selector::DeploymentSelector,
};

/// `deployment`.
#[derive(Debug, Deserialize)]
pub struct DeploymentEvent {
    /// The repository.
    pub repository: Repository,
    /// The deployment.
    pub deployment: Deployment,
}

/// A deployment, as far as it is looked at.
#[derive(Debug, Deserialize)]
pub struct Deployment {
    /// Its id.
    pub id: Number,
    /// What is done, such as `deploy`.
    pub task: String,
    /// Where.
    pub environment: String,
}

/// Keeps deployments in step.
#[webhook_processor(
    path = "/webhook",
    kinds = ["deployment"],
    event = "deployment",
    requires = ["/deployment/id", "/repository/name"],
    key = ["/repository/id", "/deployment/id"],
    delete = "/deployment",
    enrich = in_repository,
)]
pub async fn deployment(
    event: Payload<DeploymentEvent>,
    selector: Selector<DeploymentSelector>,
    github: State<GitHubClient>,
) -> Result<Option<Raw>, GitHubError> {
    if !selector.admits(&event.deployment) {
        return Ok(None);
    }
    let path = ["deployments", &event.deployment.id];
    github.find_in(&event.repository, &selector, &path).await
}

impl DeploymentSelector {
    fn admits(&self, deployment: &Deployment) -> bool {
        let fits = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|it| it == is);
        fits(&self.task, &deployment.task) && fits(&self.environment, &deployment.environment)
    }
}

// === Statuses ===

/// `deployment_status`.
#[derive(Debug, Deserialize)]
pub struct DeploymentStatusEvent {
    /// The repository.
    pub repository: Repository,
    /// The deployment.
    pub deployment: Deployment,
    /// Its status.
    pub deployment_status: Identified,
}

/// Adds the deployment's id, which a status does not carry. Upstream has it as text.
fn of_deployment(event: &WebhookEvent, raw: Raw) -> Raw {
    let raw = in_repository(event, raw);
    match event.pointer("/deployment/id") {
        Some(id) => raw.with("__deployment_id", &id.to_json_string()),
        None => raw,
    }
}

/// Keeps statuses of deployments in step.
#[webhook_processor(
    path = "/webhook",
    kinds = ["deployment-status"],
    event = "deployment_status",
    requires = ["/deployment_status/id", "/deployment/id", "/repository/name"],
    key = ["/repository/id", "/deployment_status/id"],
    delete = "/deployment_status",
    enrich = of_deployment,
)]
pub async fn deployment_status(
    event: Payload<DeploymentStatusEvent>,
    selector: Selector<DeploymentSelector>,
    github: State<GitHubClient>,
) -> Result<Option<Raw>, GitHubError> {
    if !selector.admits(&event.deployment) {
        return Ok(None);
    }
    let (deployment, status) = (&event.deployment.id, &event.deployment_status.id);
    let path = ["deployments", deployment, "statuses", status];
    github.find_in(&event.repository, &selector, &path).await
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::test_support::{Run, Site, sample};

    async fn run(site: &Site, event: &(&str, Value), selector: Value) -> Run {
        crate::test_support::run("deployment", site, event, selector).await
    }

    async fn run_status(site: &Site, event: &(&str, Value), selector: Value) -> Run {
        crate::test_support::run("deployment-status", site, event, selector).await
    }

    #[tokio::test]
    async fn deployments_and_their_statuses_are_fetched() {
        let it = run(&Site::sample(), &sample("deployment_created"), json!({}))
            .await
            .updated();
        assert_eq!(
            (&it["id"], &it["__repository"]),
            (&json!(5001), &json!("shop"))
        );
        let event = sample("deployment_status_created");
        let it = run_status(&Site::sample(), &event, json!({}))
            .await
            .updated();
        assert_eq!(
            (&it["id"], &it["__deployment_id"]),
            (&json!(5101), &json!("5001"))
        );
    }

    #[tokio::test]
    async fn what_the_selector_does_not_want_is_deleted() {
        for (selector, is_wanted) in [
            (
                json!({ "task": "deploy", "environment": "production" }),
                true,
            ),
            (json!({ "task": "migrate" }), false),
            (json!({ "environment": "staging" }), false),
        ] {
            let site = Site::sample();
            let event = sample("deployment_created");
            let status = sample("deployment_status_created");
            for run in [
                run(&site, &event, selector.clone()).await,
                run_status(&site, &status, selector.clone()).await,
            ] {
                match is_wanted {
                    true => run.updated(),
                    false => run.deleted(),
                };
            }
        }
    }

    #[tokio::test]
    async fn missing_ones_are_deleted_and_those_without_id_refused() {
        let site = Site::always(404, "{}");
        let (name, mut body) = sample("deployment_status_created");
        let gone = run_status(&site, &(name, body.clone()), json!({}))
            .await
            .deleted();
        assert_eq!(
            (&gone["id"], &gone["__deployment_id"]),
            (&json!(5101), &json!("5001"))
        );
        body["deployment"]["id"] = Value::Null;
        for run in [
            run(&site, &("deployment", body.clone()), json!({})).await,
            run_status(&site, &(name, body), json!({})).await,
        ] {
            assert!(matches!(run, Run::Invalid(_)), "{run:?}");
        }
    }
}
