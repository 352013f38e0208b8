//! Issues.

use std::convert::Infallible;

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{JiraClient, JiraError},
    id::IssueRef,
    selector::IssueSelector,
};

/// `jira:issue_created`, `jira:issue_updated`.
#[derive(Debug, Deserialize)]
pub struct IssueEvent {
    /// The issue.
    pub issue: IssueRef,
}

/// Keeps issues in step. An issue that the selector's JQL does not find leaves the catalog.
#[webhook_processor(
    path = "/webhook",
    kinds = ["issue"],
    event_prefix = "jira:issue_",
    requires = ["/issue/id", "/issue/key"],
    key = "/issue/id",
    delete_on = ["jira:issue_deleted"],
    delete = "/issue",
)]
pub async fn issue(
    event: Payload<IssueEvent>,
    selector: Selector<IssueSelector>,
    jira: State<JiraClient>,
) -> Result<Option<Raw>, JiraError> {
    jira.issue(&event.issue, &selector).await
}

// === Moves ===

/// How Jira's changelog names the key of an issue.
const KEY_FIELD: &str = "Key";

/// `jira:issue_updated`, with what changed.
#[derive(Debug, Deserialize)]
pub struct MovedIssueEvent {
    /// The issue, all of it.
    pub issue: serde_json::Map<String, serde_json::Value>,
    /// What changed.
    pub changelog: Changelog,
}

/// What changed.
#[derive(Debug, Deserialize)]
pub struct Changelog {
    /// One entry a field.
    pub items: Vec<Change>,
}

/// A change of one field.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The field's name.
    pub field: String,
    /// The value before, as text.
    pub from_string: Option<String>,
}

impl Changelog {
    fn former_key(&self) -> Option<&str> {
        let of_key = |change: &&Change| change.field == KEY_FIELD;
        self.items.iter().find(of_key)?.from_string.as_deref()
    }
}

/// Asked for every update, so it looks into the parsed body that all conditions share.
fn has_moved(event: &WebhookEvent) -> bool {
    (0..)
        .map_while(|item| event.pointer(&format!("/changelog/items/{item}/field")))
        .any(|field| field.as_str() == Some(KEY_FIELD))
}

/// Removes what an issue was under its former key when it moves to another project.
#[webhook_processor(
    path = "/webhook",
    kinds = ["issue"],
    event = "jira:issue_updated",
    guard = has_moved,
    key = "/issue/id",
)]
pub async fn moved_issue(event: Payload<MovedIssueEvent>) -> Result<RawResults, Infallible> {
    let MovedIssueEvent {
        mut issue,
        changelog,
    } = event.0;
    let Some(key) = changelog.former_key() else {
        return Ok(RawResults::none());
    };
    issue.insert("key".to_owned(), key.into());
    Ok(RawResults::deleted([Raw::new(&issue)]))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::test_support::{Run, Site, event, sample};

    async fn run(site: &Site, body: &Value, selector: Value) -> Run {
        crate::test_support::run("issue", site, body, selector).await
    }

    #[tokio::test]
    async fn created_and_updated_issues_are_fetched() {
        for (name, key) in [("issue_created", "WEB-3"), ("issue_updated", "OPS-7")] {
            let issue = run(&Site::sample(), &sample(name), json!({}))
                .await
                .updated();
            assert_eq!(issue["key"], key);
            assert!(
                issue["self"].as_str().unwrap().contains("/rest/api/3/"),
                "as fetched"
            );
        }
    }

    #[tokio::test]
    async fn a_deleted_issue_is_deleted_without_asking() {
        let site = Site::sample();
        let gone = run(&site, &sample("issue_deleted"), json!({}))
            .await
            .deleted();
        assert_eq!(gone["key"], "OPS-9");
        assert_eq!(site.calls().len(), 0);
    }

    #[tokio::test]
    async fn an_issue_that_jira_does_not_find_is_deleted() {
        let mut body = sample("issue_deleted");
        body["webhookEvent"] = json!("jira:issue_updated");
        let gone = run(&Site::sample(), &body, json!({})).await.deleted();
        assert_eq!(gone, body["issue"]);
    }

    #[tokio::test]
    async fn an_issue_outside_the_selectors_jql_is_deleted() {
        let body = sample("issue_updated");
        let selected = |jql: &str| json!({ "jql": jql });
        let site = Site::sample();
        run(&site, &body, selected("project = OPS ORDER BY created"))
            .await
            .updated();
        let gone = run(&site, &body, selected("project = WEB")).await.deleted();
        assert_eq!(gone["key"], "OPS-7");
    }

    #[tokio::test]
    async fn issues_without_id_or_with_a_query_for_a_key_are_refused() {
        let mut no_id = sample("issue_updated");
        no_id["issue"]["id"] = Value::Null;
        let mut query = sample("issue_updated");
        query["issue"]["key"] = json!("OPS-7 OR project = HR");
        let site = Site::sample();
        for body in [no_id, query] {
            let run = run(&site, &body, json!({})).await;
            assert!(matches!(run, Run::Invalid(_)), "{run:?}");
        }
        assert_eq!(site.calls().len(), 0);
    }

    #[tokio::test]
    async fn an_error_of_jira_is_neither_an_update_nor_a_delete() {
        let run = run(
            &Site::always(500, "{}"),
            &sample("issue_updated"),
            json!({}),
        )
        .await;
        assert!(matches!(run, Run::Failed(_)), "{run:?}");
    }

    #[tokio::test]
    async fn a_moved_issue_leaves_nothing_under_its_former_key() {
        let body = sample("issue_moved");
        let run = run(&Site::sample(), &body, json!({ "jql": null })).await;
        let Run::Done { updated, deleted } = run else {
            panic!("{run:?}");
        };
        assert_eq!((updated.len(), &updated[0]["key"]), (1, &json!("WEB-4")));
        assert_eq!((deleted.len(), &deleted[0]["key"]), (1, &json!("OPS-4")));
        assert_eq!(deleted[0]["id"], updated[0]["id"]);
    }

    #[test]
    fn only_another_key_is_a_move() {
        for (name, expected) in [
            ("issue_moved", true),
            ("issue_updated", false),
            ("issue_deleted", false),
        ] {
            assert_eq!(has_moved(&event(&sample(name))), expected, "{name}");
        }
    }
}
