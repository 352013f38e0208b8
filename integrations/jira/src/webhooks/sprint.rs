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
