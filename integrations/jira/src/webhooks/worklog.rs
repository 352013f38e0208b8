//! Worklogs.

use jiff::Timestamp;
use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{JiraClient, JiraError},
    id::Id,
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
    let Some(issue) = jira.issue_key(worklog.issue_id).await? else {
        return Ok(RawResults::deleted([worklog.raw()]));
    };
    let raw = worklog.raw().with("__issueKey", &issue);
    let is_wanted = event.webhook_event != "worklog_deleted"
        && selector.admits(worklog)
        && jira
            .finds(&issue, worklog.issue_id, selector.jql.as_deref())
            .await?;
    if !is_wanted {
        return Ok(RawResults::deleted([raw]));
    }
    // The payload holds all of the worklog but what only an expansion brings.
    let expanded = match &selector.api_query_params {
        Some(params) if params.expand.is_some() => jira.worklog(&issue, worklog.id, params).await?,
        _ => Some(worklog.raw()),
    };
    Ok(match expanded {
        Some(worklog) => RawResults::updated([worklog.with("__issueKey", &issue)]),
        None => RawResults::deleted([raw]),
    })
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
