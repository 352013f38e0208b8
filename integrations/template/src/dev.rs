//! What `dev` needs: a stand-in of the tool's API and a sample of each event.

use ocean_core::dev::{ApiRequest, ApiResponse, DevKit, Sample};
use serde_json::json;

pub(crate) const KIT: DevKit = DevKit {
    config: &[("api_url", "{api}"), ("api_token", "sample")],
    api: answer,
    samples: &[
        sample(
            "a task changes",
            r#"{"event": "task.updated", "task": {"id": 1}}"#,
        ),
        sample(
            "a task is deleted",
            r#"{"event": "task.deleted", "task": {"id": 2}}"#,
        ),
    ],
};

const fn sample(name: &'static str, body: &'static str) -> Sample {
    Sample {
        name,
        path: "/webhook",
        headers: &[],
        body,
    }
}

fn answer(call: &ApiRequest) -> ApiResponse {
    match call.path.strip_prefix("/tasks/") {
        Some(id @ ("1" | "2")) => ApiResponse::json(&json!({
            "id": id.parse::<u64>().unwrap_or_default(),
            "title": format!("Task {id}"),
            "status": "open",
            "url": format!("https://tool.example.com/tasks/{id}"),
        })),
        _ => ApiResponse::status(404),
    }
}
