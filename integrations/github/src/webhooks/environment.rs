//! Environments, which come into being with their first deployment.

use ocean_core::prelude::*;
use serde::Deserialize;
use serde_json::json;

use crate::{
    client::{GitHubClient, GitHubError},
    payload::{Repository, in_repository},
    selector::EnvironmentSelector,
};

/// `deployment`.
#[derive(Debug, Deserialize)]
pub struct EnvironmentEvent {
    /// The repository.
    pub repository: Repository,
    /// The deployment.
    pub deployment: InEnvironment,
}

/// What names an environment.
#[derive(Debug, Deserialize)]
pub struct InEnvironment {
    /// Its name.
    pub environment: String,
}

/// Keeps environments in step.
#[webhook_processor(
    path = "/webhook",
    kinds = ["environment"],
    event = "deployment",
    requires = ["/deployment/environment", "/repository/name"],
    key = ["/repository/id", "/deployment/environment"],
    enrich = in_repository,
)]
pub async fn environment(
    event: Payload<EnvironmentEvent>,
    selector: Selector<EnvironmentSelector>,
    github: State<GitHubClient>,
) -> Result<RawResults, GitHubError> {
    let (repository, name) = (&event.repository, &event.deployment.environment);
    let search = selector.repo_search.as_ref();
    let path = ["environments", name];
    let Some(environment) = github.find_in(repository, search, &path).await? else {
        return Ok(RawResults::deleted([Raw::new(&json!({ "name": name }))]));
    };
    if !selector.include_variables {
        return Ok(RawResults::updated([environment]));
    }
    let variables = github.variables(repository, name).await?;
    Ok(RawResults::updated([
        environment.with("__variables", &variables)
    ]))
}
