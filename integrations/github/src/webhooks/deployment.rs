//! Deployments and their statuses.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{GitHubClient, GitHubError},
    payload::{Identified, Repository, in_repository},
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
    pub id: u64,
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
    let (id, search) = (
        event.deployment.id.to_string(),
        selector.repo_search.as_ref(),
    );
    github
        .find_in(&event.repository, search, &["deployments", &id])
        .await
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
    let deployment = event.deployment.id.to_string();
    let status = event.deployment_status.id.to_string();
    let path = ["deployments", &deployment, "statuses", &status];
    github
        .find_in(&event.repository, selector.repo_search.as_ref(), &path)
        .await
}
