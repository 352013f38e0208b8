//! What the `load` command measures with: stand-ins of Jira and Port and a sender of events that
//! cost little, so that on a small machine the server under test has most of it.
//!
//! They are honest where it counts: Jira answers with whole issues, every event is another issue,
//! and Port reads every entity it is sent and refuses what it did not expect.

mod jira;
mod message;
mod port;
mod sender;
mod server;

pub use jira::Jira;
pub use port::LoadPort;
pub use sender::{Sender, Sent};

use serde_json::{Value, json};

/// The key of issue `number`.
fn key(number: usize) -> String {
    format!("OPS-{number}")
}

/// The number in a key of [`key`].
fn number(key: &str) -> Option<usize> {
    key.strip_prefix("OPS-")?.parse().ok()
}

/// The id of issue `number`.
fn id(number: usize) -> String {
    (100_000 + number).to_string()
}

// === Template ===

/// JSON of an issue with gaps for its id and, after that, its key.
struct Template {
    before_id: Box<[u8]>,
    before_key: Box<[u8]>,
    rest: Box<[u8]>,
}

const ID: &str = "<id>";
const KEY: &str = "<key>";

impl Template {
    /// The template of a value that holds one issue of [`issue`].
    fn new(value: &Value) -> Self {
        let text = value.to_string();
        let (before_id, text) = text.split_once(ID).expect("an issue has an id");
        let (before_key, rest) = text.split_once(KEY).expect("an issue has a key");
        Self {
            before_id: before_id.as_bytes().into(),
            before_key: before_key.as_bytes().into(),
            rest: rest.as_bytes().into(),
        }
    }

    fn length(&self, id: &str, key: &str) -> usize {
        self.before_id.len() + id.len() + self.before_key.len() + key.len() + self.rest.len()
    }

    fn write(&self, id: &str, key: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before_id);
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(&self.before_key);
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(&self.rest);
    }
}

/// An issue of about 6.5 KB as Jira's API shows it, with gaps for id and key.
fn issue() -> Value {
    let paragraph =
        "The rotation of the signing keys has to happen before the certificates expire. ";
    let mut fields = json!({
        "summary": "Rotate keys",
        "status": {"name": "In Progress", "statusCategory": {"key": "indeterminate"}},
        "issuetype": {"name": "Task", "subtask": false},
        "priority": {"name": "High"},
        "project": {"id": "10000", "key": "OPS", "name": "Operations"},
        "creator": {"accountId": "a1", "emailAddress": "ann@example.com", "displayName": "Ann"},
        "reporter": {"accountId": "a1", "displayName": "Ann"},
        "assignee": {"accountId": "a2", "displayName": "Ben"},
        "labels": ["infra", "security"],
        "components": [{"id": "1", "name": "platform"}],
        "created": "2026-01-02T10:00:00.000+0000",
        "updated": "2026-01-03T10:00:00.000+0000",
        "resolutiondate": null,
        "subtasks": [{"id": "10008", "key": "OPS-8"}, {"id": "10009", "key": "OPS-9"}],
        "description": {"type": "doc", "version": 1, "content": []},
    });
    let content: Vec<_> = (0..30)
        .map(|_| json!({"type": "paragraph", "content": [{"type": "text", "text": paragraph}]}))
        .collect();
    fields["description"]["content"] = content.into();
    for number in 0..60 {
        fields[format!("customfield_{}", 10_000 + number)] = Value::Null;
    }
    json!({
        "id": ID,
        "key": KEY,
        "self": "https://ex.atlassian.net/rest/api/3/issue/10007",
        "fields": fields,
    })
}

/// A webhook body of about 5.5 KB, with gaps for the issue's id and key.
fn event() -> Value {
    let mut issue = issue();
    issue["fields"]["description"]["content"] =
        json!([{"type": "text", "text": "x".repeat(3_000)}]);
    json!({
        "timestamp": 1_767_225_600_000_u64,
        "webhookEvent": "jira:issue_updated",
        "issue_event_type_name": "issue_generic",
        "user": {"accountId": "a1"},
        "issue": issue,
    })
}
