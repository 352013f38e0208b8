//! Worklogs.

use jiff::Timestamp;
use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{JiraClient, JiraError},
    id::{Id, IssueRef},
    selector::{WorklogParams, WorklogSelector},
};

/// `worklog_created`, `worklog_updated`, `worklog_deleted`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorklogEvent {
    /// What happened.
    pub webhook_event: String,
    /// The worklog.
    pub worklog: WithRaw<Worklog>,
}

/// What a worklog says of itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Worklog {
    /// Its id.
    pub id: Id,
    /// The issue that was worked on.
    pub issue_id: Id,
    /// When the work started, such as `2026-01-15T08:00:00.000+0000`.
    pub started: Option<String>,
}

/// Keeps worklogs in step, with their issue's key as `__issueKey`. A worklog that the selector does
/// not want leaves the catalog, and so does one whose issue is gone.
#[webhook_processor(
    path = "/webhook",
    kinds = ["worklog"],
    events = ["worklog_created", "worklog_updated", "worklog_deleted"],
    requires = ["/worklog/id", "/worklog/issueId"],
    key = "/worklog/id",
)]
pub async fn worklog(
    event: Payload<WorklogEvent>,
    selector: Selector<WorklogSelector>,
    jira: State<JiraClient>,
) -> Result<RawResults, JiraError> {
    let worklog = &event.worklog;
    let Some(issue) = jira.issue_ref(worklog.issue_id).await? else {
        return Ok(RawResults::deleted([worklog.raw()]));
    };
    let current = match event.webhook_event.as_str() {
        "worklog_deleted" => None,
        _ => selected(&jira, &selector, &issue, worklog).await?,
    };
    let with_key = |raw: Raw| [raw.with("__issueKey", &issue.key)];
    Ok(match current {
        Some(current) => RawResults::updated(with_key(current)),
        None => RawResults::deleted(with_key(worklog.raw())),
    })
}

/// The worklog as it is now, if the selector wants it.
async fn selected(
    jira: &JiraClient,
    selector: &WorklogSelector,
    issue: &IssueRef,
    worklog: &WithRaw<Worklog>,
) -> Result<Option<Raw>, JiraError> {
    let jql = selector.jql.as_deref();
    if !selector.admits(worklog) || !jira.finds(issue, jql).await? {
        return Ok(None);
    }
    match &selector.api_query_params {
        Some(params) if params.expand.is_some() => {
            jira.worklog(&issue.key, worklog.id, params).await
        }
        // The payload holds all of the worklog but what only an expansion brings.
        _ => Ok(Some(worklog.raw())),
    }
}

impl WorklogSelector {
    fn admits(&self, worklog: &Worklog) -> bool {
        self.api_query_params
            .as_ref()
            .is_none_or(|params| params.admit(worklog))
    }
}

impl WorklogParams {
    fn admit(&self, worklog: &Worklog) -> bool {
        if self.started_after.is_none() && self.started_before.is_none() {
            return true;
        }
        let started = worklog.started.as_deref().and_then(milliseconds);
        started.is_some_and(|started| {
            self.started_after.is_none_or(|after| started >= after)
                && self.started_before.is_none_or(|before| started <= before)
        })
    }
}

/// Jira writes offsets without a colon, which RFC 3339 does not know.
fn milliseconds(text: &str) -> Option<i64> {
    let time = Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", text).ok();
    let time = time.or_else(|| text.parse().ok())?;
    Some(time.as_millisecond())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::test_support::{Run, Site, sample};

    async fn run(site: &Site, body: &Value, selector: Value) -> Run {
        crate::test_support::run("worklog", site, body, selector).await
    }

    #[tokio::test]
    async fn created_and_updated_worklogs_come_with_their_issues_key() {
        for (name, id) in [("worklog_created", "77"), ("worklog_updated", "78")] {
            let worklog = run(&Site::sample(), &sample(name), json!({}))
                .await
                .updated();
            assert_eq!(
                (&worklog["id"], &worklog["__issueKey"]),
                (&json!(id), &json!("OPS-7"))
            );
        }
    }

    #[tokio::test]
    async fn a_deleted_worklog_is_deleted_with_its_issues_key() {
        let site = Site::sample();
        let gone = run(&site, &sample("worklog_deleted"), json!({}))
            .await
            .deleted();
        assert_eq!(
            (&gone["id"], &gone["__issueKey"]),
            (&json!("79"), &json!("OPS-7"))
        );
        assert_eq!(site.calls(), ["GET /rest/api/3/issue/10007?fields=key"]);
    }

    #[tokio::test]
    async fn worklogs_that_the_selector_does_not_want_are_deleted() {
        // The sample started on 2026-01-15 at 08:00 UTC.
        let started = 1_768_464_000_000_i64;
        for (selector, is_wanted) in [
            (json!({ "jql": "project = OPS" }), true),
            (json!({ "jql": "project = WEB ORDER BY created" }), false),
            (json!({ "jql": null }), true),
            (
                json!({ "apiQueryParams": { "startedAfter": started } }),
                true,
            ),
            (
                json!({ "apiQueryParams": { "startedAfter": started + 1 } }),
                false,
            ),
            (
                json!({ "apiQueryParams": { "startedBefore": started } }),
                true,
            ),
            (
                json!({ "apiQueryParams": { "startedBefore": started - 1 } }),
                false,
            ),
        ] {
            let run = run(&Site::sample(), &sample("worklog_created"), selector).await;
            let worklog = match is_wanted {
                true => run.updated(),
                false => run.deleted(),
            };
            assert_eq!(worklog["id"], "77");
        }
    }

    #[tokio::test]
    async fn an_expansion_is_fetched() {
        let site = Site::sample();
        let selector = json!({ "jql": null, "apiQueryParams": { "expand": "properties" } });
        let worklog = run(&site, &sample("worklog_created"), selector)
            .await
            .updated();
        assert_eq!(worklog["__issueKey"], "OPS-7");
        assert_eq!(
            site.calls()[1],
            "GET /rest/api/3/issue/OPS-7/worklog/77?expand=properties"
        );
    }

    #[tokio::test]
    async fn worklogs_of_an_issue_that_is_gone_are_deleted() {
        let mut body = sample("worklog_updated");
        body["worklog"]["issueId"] = json!("404");
        assert_eq!(
            run(&Site::sample(), &body, json!({})).await.deleted(),
            body["worklog"]
        );
    }

    #[tokio::test]
    async fn a_worklog_without_issue_is_refused() {
        let body = json!({ "webhookEvent": "worklog_updated", "worklog": { "id": "77" } });
        let run = run(&Site::sample(), &body, json!({})).await;
        assert_eq!(
            run,
            Run::Invalid("invalid payload: no value at `/worklog/issueId`".to_owned())
        );
    }
}
