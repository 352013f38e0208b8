//! Sprints.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{JiraClient, JiraError},
    id::Id,
    selector::{SprintSelector, SprintState},
};

/// `sprint_created`, `sprint_updated`, `sprint_started`, `sprint_closed`.
#[derive(Debug, Deserialize)]
pub struct SprintEvent {
    /// The sprint.
    pub sprint: SprintRef,
}

/// What names a sprint.
#[derive(Debug, Deserialize)]
pub struct SprintRef {
    /// Its id.
    pub id: Id,
}

/// What the selector looks at.
#[derive(Debug, Deserialize)]
struct Sprint {
    state: SprintState,
}

/// Keeps sprints in step. A sprint in a state that the selector does not want leaves the catalog.
#[webhook_processor(
    path = "/webhook",
    kinds = ["sprint"],
    events = ["sprint_created", "sprint_updated", "sprint_started", "sprint_closed", "sprint_deleted"],
    requires = ["/sprint/id"],
    key = "/sprint/id",
    delete_on = ["sprint_deleted"],
    delete = "/sprint",
)]
pub async fn sprint(
    event: Payload<SprintEvent>,
    selector: Selector<SprintSelector>,
    jira: State<JiraClient>,
) -> Result<Option<Raw>, JiraError> {
    let sprint = jira.sprint(event.sprint.id).await?;
    Ok(sprint.filter(|sprint| selector.admits(sprint)))
}

impl SprintSelector {
    fn admits(&self, sprint: &Raw) -> bool {
        self.sprint_state.as_ref().is_none_or(|states| {
            let sprint = sprint.read::<Sprint>();
            sprint.is_ok_and(|sprint| states.contains(sprint.state))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::test_support::{Run, Site, sample};

    async fn run(site: &Site, body: &Value, selector: Value) -> Run {
        crate::test_support::run("sprint", site, body, selector).await
    }

    #[tokio::test]
    async fn a_running_sprint_is_fetched() {
        for name in ["sprint_updated", "sprint_started"] {
            let sprint = run(&Site::sample(), &sample(name), json!({}))
                .await
                .updated();
            assert_eq!(
                (&sprint["id"], &sprint["state"]),
                (&json!(9), &json!("active")),
                "{name}"
            );
        }
    }

    #[tokio::test]
    async fn sprints_in_other_states_than_the_selectors_are_deleted() {
        for (selector, name, is_wanted) in [
            (json!({}), "sprint_closed", false),
            (json!({}), "sprint_created", false),
            (
                json!({ "sprintState": ["closed", "active"] }),
                "sprint_closed",
                true,
            ),
            (json!({ "sprintState": ["future"] }), "sprint_created", true),
            (json!({ "sprintState": null }), "sprint_created", true),
            (json!({ "sprintState": null }), "sprint_closed", true),
        ] {
            let body = sample(name);
            let run = run(&Site::sample(), &body, selector).await;
            let sprint = match is_wanted {
                true => run.updated(),
                false => run.deleted(),
            };
            assert_eq!(sprint["id"], body["sprint"]["id"]);
        }
    }

    #[tokio::test]
    async fn a_deleted_sprint_is_deleted_without_asking() {
        let site = Site::sample();
        assert_eq!(
            run(&site, &sample("sprint_deleted"), json!({}))
                .await
                .deleted()["id"],
            11
        );
        assert_eq!(site.calls().len(), 0);
    }

    #[tokio::test]
    async fn a_sprint_that_jira_does_not_have_is_deleted_but_not_because_of_an_error() {
        let body = json!({ "webhookEvent": "sprint_updated", "sprint": { "id": 404 } });
        assert_eq!(
            run(&Site::sample(), &body, json!({})).await.deleted(),
            body["sprint"]
        );
        let run = run(&Site::always(403, "{}"), &body, json!({})).await;
        assert!(matches!(run, Run::Failed(_)), "{run:?}");
    }

    #[tokio::test]
    async fn a_sprint_without_id_is_refused() {
        let body = json!({ "webhookEvent": "sprint_updated", "sprint": {} });
        let run = run(&Site::sample(), &body, json!({})).await;
        assert_eq!(
            run,
            Run::Invalid("invalid payload: no value at `/sprint/id`".to_owned())
        );
    }
}
