//! Tasks.

use ocean_core::{http::HttpError, prelude::*};
use serde::Deserialize;

use crate::Client;

/// `task.created`, `task.updated`.
#[derive(Debug, Deserialize)]
pub struct TaskEvent {
    /// The task.
    pub task: TaskId,
}

/// What names a task.
#[derive(Debug, Deserialize)]
pub struct TaskId {
    /// Its id.
    pub id: u64,
}

/// Keeps tasks in step.
#[webhook_processor(
    path = "/webhook",
    kinds = ["task"],
    event_prefix = "task.",
    requires = ["/task/id"],
    key = "/task/id",
    delete_on = ["task.deleted"],
    delete = "/task",
)]
pub async fn task(
    event: Payload<TaskEvent>,
    client: State<Client>,
) -> Result<Option<Raw>, HttpError> {
    client.task(event.task.id).await
}
