//! A stand-in of the calls of Jira's REST API that the client makes, answered from sample data.
//!
//! It keeps no state: the same call always gets the same answer. Of JQL it knows what the client
//! adds, and `project`, `statusCategory` and `resolution` compared with a value, so that a selector
//! that excludes an issue can be seen at work.

use std::sync::LazyLock;

use ocean_core::dev::{ApiRequest, ApiResponse};
use serde_json::{Value, json};

struct Samples {
    issues: Vec<Value>,
    projects: Vec<Value>,
    users: Vec<Value>,
    versions: Vec<Value>,
    boards: Vec<Value>,
    sprints: Vec<Value>,
    worklogs: Vec<Value>,
}

static SAMPLES: LazyLock<Samples> = LazyLock::new(|| {
    let read = |text| serde_json::from_str(text).expect("the samples are JSON arrays");
    Samples {
        issues: read(include_str!("../../dev/data/issues.json")),
        projects: read(include_str!("../../dev/data/projects.json")),
        users: read(include_str!("../../dev/data/users.json")),
        versions: read(include_str!("../../dev/data/versions.json")),
        boards: read(include_str!("../../dev/data/boards.json")),
        sprints: read(include_str!("../../dev/data/sprints.json")),
        worklogs: read(include_str!("../../dev/data/worklogs.json")),
    }
});

pub(super) fn answer(call: &ApiRequest) -> ApiResponse {
    let samples = &*SAMPLES;
    let path: Vec<_> = call
        .path
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    let ["rest", path @ ..] = &path[..] else {
        return not_found();
    };
    match (call.method.as_str(), path) {
        ("POST", ["api", "3", "search", "jql"]) => search(samples, &call.body),
        ("GET", ["api", "3", "issue", id]) => one(find(&samples.issues, id)),
        ("GET", ["api", "3", "issue", issue, "worklog", id]) => {
            let issue_id = find(&samples.issues, issue).map(|issue| &issue["id"]);
            one(find(&samples.worklogs, id).filter(|log| Some(&log["issueId"]) == issue_id))
        }
        ("GET", ["api", "3", "project", "search"]) => project_search(samples, call),
        ("GET", ["api", "3", "project", id]) => {
            // As with the real call, the number of issues is not part of it.
            let project = find(&samples.projects, id).map(|project| without(project, "insight"));
            one(project.as_ref())
        }
        ("GET", ["api", "3", "user"]) => one(user(samples, call)),
        ("GET", ["api", "3", "myself"]) => one(samples.users.first()),
        ("GET", ["api", "3", "version", id]) => one(find(&samples.versions, id)),
        ("GET", ["agile", "1.0", "board", id]) => one(find(&samples.boards, id)),
        ("GET", ["agile", "1.0", "board", id, "project"]) => board_projects(samples, id),
        ("GET", ["agile", "1.0", "sprint", id]) => one(find(&samples.sprints, id)),
        ("GET", ["api", "3", "mypermissions"]) => ApiResponse::json(&json!({
            "permissions": { "ADMINISTER": { "key": "ADMINISTER", "havePermission": true } },
        })),
        ("GET", ["webhooks", "1.0", "webhook"]) => ApiResponse::json(&json!([])),
        ("POST", ["webhooks", "1.0", "webhook"]) => ApiResponse {
            status: 201,
            headers: Vec::new(),
            body: call.body.clone(),
        },
        _ => not_found(),
    }
}

fn search(samples: &Samples, body: &[u8]) -> ApiResponse {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let jql = body["jql"].as_str().unwrap_or_default();
    if jql.to_ascii_lowercase().contains("order by") && jql.contains(") AND key = ") {
        return refused("Error in the JQL Query: Expecting ')' but got 'ORDER'.");
    }
    let Some((condition, key)) = jql.rsplit_once("key = ") else {
        return refused("The stand-in only knows searches for one key.");
    };
    let Some(issue) = find(&samples.issues, key.trim()) else {
        return refused(&format!(
            "An issue with key '{}' does not exist for field 'key'.",
            key.trim()
        ));
    };
    let issues: Vec<_> = matches(issue, condition)
        .then_some(issue)
        .into_iter()
        .collect();
    ApiResponse::json(&json!({ "issues": issues, "isLast": true }))
}

/// Whether the issue meets the one comparison that the condition may start with.
fn matches(issue: &Value, condition: &str) -> bool {
    let condition = condition.trim_start_matches('(');
    let fields = &issue["fields"];
    let known = [
        ("project", &fields["project"]["key"]),
        (
            "statusCategory",
            &fields["status"]["statusCategory"]["name"],
        ),
    ];
    known.into_iter().all(|(field, actual)| {
        let Some(rest) = condition.strip_prefix(field).map(str::trim_start) else {
            return true;
        };
        let (wants_equal, rest) = match (rest.strip_prefix("!="), rest.strip_prefix('=')) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return true,
        };
        // Alternatives are beyond the stand-in: with them everything matches.
        let (value, more) = rest.split_once(')').unwrap_or((rest, ""));
        let value = value.trim().trim_matches('"');
        let is_alone = !more.contains(" OR ");
        !is_alone || (actual.as_str() == Some(value)) == wants_equal
    })
}

fn project_search(samples: &Samples, call: &ApiRequest) -> ApiResponse {
    let keys: Vec<_> = query(call, "keys").collect();
    let is_wanted =
        |project: &&Value| keys.is_empty() || keys.iter().any(|key| project["key"] == *key);
    let found: Vec<_> = samples.projects.iter().filter(is_wanted).collect();
    ApiResponse::json(&json!({
        "startAt": 0, "maxResults": 50, "total": found.len(), "isLast": true, "values": found,
    }))
}

fn user<'a>(samples: &'a Samples, call: &ApiRequest) -> Option<&'a Value> {
    let account = query(call, "accountId").next()?;
    samples
        .users
        .iter()
        .find(|user| user["accountId"] == account)
}

fn board_projects(samples: &Samples, id: &str) -> ApiResponse {
    let Some(board) = find(&samples.boards, id) else {
        return not_found();
    };
    let key = &board["location"]["projectKey"];
    let projects: Vec<_> = samples
        .projects
        .iter()
        .filter(|project| &project["key"] == key)
        .collect();
    ApiResponse::json(&json!({
        "startAt": 0, "maxResults": 50, "total": projects.len(), "isLast": true, "values": projects,
    }))
}

fn query<'a>(call: &'a ApiRequest, name: &'a str) -> impl Iterator<Item = &'a str> {
    let named = call.query.iter().filter(move |(key, _)| key == name);
    named.map(|(_, value)| value.as_str())
}

/// The sample with this id or key.
fn find<'a>(samples: &'a [Value], name: &str) -> Option<&'a Value> {
    samples.iter().find(|sample| {
        let id = &sample["id"];
        sample["key"] == name || *id == name || id.as_u64().is_some_and(|id| id.to_string() == name)
    })
}

fn without(sample: &Value, key: &str) -> Value {
    let mut sample = sample.clone();
    if let Some(object) = sample.as_object_mut() {
        object.remove(key);
    }
    sample
}

fn one(found: Option<&Value>) -> ApiResponse {
    found.map_or_else(not_found, ApiResponse::json)
}

fn not_found() -> ApiResponse {
    ApiResponse {
        status: 404,
        ..ApiResponse::json(&json!({
            "errorMessages": ["It does not exist or you do not have permission to see it."],
            "errors": {},
        }))
    }
}

fn refused(message: &str) -> ApiResponse {
    ApiResponse {
        status: 400,
        ..ApiResponse::json(&json!({ "errorMessages": [message], "errors": {} }))
    }
}
