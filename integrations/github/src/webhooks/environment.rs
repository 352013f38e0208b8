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
    let path = ["environments", name];
    let Some(environment) = github.find_in(repository, &selector, &path).await? else {
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::test_support::{Run, Site, sample};

    async fn run(site: &Site, event: &(&str, Value), selector: Value) -> Run {
        crate::test_support::run("environment", site, event, selector).await
    }

    #[tokio::test]
    async fn the_environment_of_a_deployment_is_fetched() {
        let site = Site::sample();
        let it = run(&site, &sample("deployment_created"), json!({}))
            .await
            .updated();
        assert_eq!(
            (&it["name"], &it["__repository"]),
            (&json!("production"), &json!("shop"))
        );
        assert_eq!((it.get("__variables"), site.calls().len()), (None, 1));
    }

    #[tokio::test]
    async fn its_variables_are_fetched_if_wanted() {
        let selector = json!({ "includeVariables": true });
        let it = run(&Site::sample(), &sample("deployment_created"), selector)
            .await
            .updated();
        assert_eq!(it["__variables"][0]["name"], "REGION");
    }

    #[tokio::test]
    async fn a_missing_environment_is_deleted_by_its_name() {
        let site = Site::always(404, "{}");
        let it = run(&site, &sample("deployment_created"), json!({}))
            .await
            .deleted();
        assert_eq!((&it["name"], it.get("id")), (&json!("production"), None));
        let (name, mut body) = sample("deployment_created");
        body["deployment"]["environment"] = Value::Null;
        let run = run(&site, &(name, body), json!({})).await;
        assert!(matches!(run, Run::Invalid(_)), "{run:?}");
    }
}
