//! What a mapping may select by, besides `query`: one type a kind, with upstream's keys and
//! defaults. Unknown keys are ignored; a wrong value is an error when the mapping loads.

use serde::Deserialize;

/// Selector of kind `issue`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IssueSelector {
    /// Only issues that this JQL finds. An issue that it no longer finds leaves the catalog.
    pub jql: Option<String>,
    /// The fields to fetch, separated by commas. Default `*all`.
    pub fields: String,
    /// What to expand, separated by commas, such as `changelog`.
    pub expand: Option<String>,
}

impl Default for IssueSelector {
    fn default() -> Self {
        Self {
            jql: Some(
                "(statusCategory != Done) OR (created >= -1w) OR (updated >= -1w)".to_owned(),
            ),
            fields: "*all".to_owned(),
            expand: None,
        }
    }
}

// === ProjectSelector ===

/// Selector of kind `project`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct ProjectSelector {
    /// What to expand, separated by commas. Default `insight`, which holds the number of issues.
    pub expand: Option<String>,
}

impl Default for ProjectSelector {
    fn default() -> Self {
        Self {
            expand: Some("insight".to_owned()),
        }
    }
}

// === BoardSelector ===

/// Selector of kind `board`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BoardSelector {
    /// Only boards of this type.
    pub board_type: Option<BoardType>,
    /// Only boards that show issues of this project.
    pub project_key: Option<NotBlank>,
}

/// The type of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BoardType {
    /// With sprints.
    Scrum,
    /// Without sprints.
    Kanban,
    /// Of a team-managed project.
    Simple,
}

/// Text that is not blank.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct NotBlank(String);

impl NotBlank {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for NotBlank {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.trim() {
            "" => Err("the text is blank; leave the key out to select all"),
            text => Ok(Self(text.to_owned())),
        }
    }
}

// === SprintSelector ===

/// Selector of kind `sprint`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SprintSelector {
    /// Only sprints in these states; `null` selects all. Default `["active"]`.
    pub sprint_state: Option<SprintStates>,
}

impl Default for SprintSelector {
    fn default() -> Self {
        Self {
            sprint_state: Some(SprintStates(vec![SprintState::Active])),
        }
    }
}

/// The state of a sprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SprintState {
    /// It runs.
    Active,
    /// It is over.
    Closed,
    /// It is planned.
    Future,
}

/// At least one state, none of them twice.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<SprintState>")]
pub struct SprintStates(Vec<SprintState>);

impl SprintStates {
    /// Whether `state` is one of them.
    pub fn contains(&self, state: SprintState) -> bool {
        self.0.contains(&state)
    }
}

impl TryFrom<Vec<SprintState>> for SprintStates {
    type Error = &'static str;

    fn try_from(states: Vec<SprintState>) -> Result<Self, Self::Error> {
        if states.is_empty() {
            return Err("no state is given; write `null` to select all");
        }
        let repeated = |(index, state)| states[..index].contains(state);
        if states.iter().enumerate().any(repeated) {
            return Err("a state is given twice");
        }
        Ok(Self(states))
    }
}

// === WorklogSelector ===

/// Selector of kind `worklog`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorklogSelector {
    /// Only worklogs of issues that this JQL finds.
    pub jql: Option<String>,
    /// Parameters of Jira's call for worklogs.
    pub api_query_params: Option<WorklogParams>,
}

impl Default for WorklogSelector {
    fn default() -> Self {
        Self {
            jql: Some("updated >= -1w".to_owned()),
            api_query_params: None,
        }
    }
}

/// Parameters of Jira's call for worklogs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorklogParams {
    /// Only worklogs that started at this time or later, in milliseconds since 1970.
    pub started_after: Option<i64>,
    /// Only worklogs that started at this time or earlier, in milliseconds since 1970.
    pub started_before: Option<i64>,
    /// What to expand, such as `properties`.
    pub expand: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    #[test]
    fn a_selector_with_nothing_but_a_query_has_upstreams_defaults() {
        let bare = || json!({"query": "true"});
        let issue: IssueSelector = from_value(bare()).unwrap();
        assert!(issue.jql.unwrap().contains("statusCategory != Done"));
        assert_eq!((issue.fields.as_str(), issue.expand), ("*all", None));
        let project: ProjectSelector = from_value(bare()).unwrap();
        assert_eq!(project.expand.as_deref(), Some("insight"));
        let sprint: SprintSelector = from_value(bare()).unwrap();
        let states = sprint.sprint_state.unwrap();
        assert!(states.contains(SprintState::Active) && !states.contains(SprintState::Closed));
        let worklog: WorklogSelector = from_value(bare()).unwrap();
        assert_eq!(worklog.jql.as_deref(), Some("updated >= -1w"));
        let board: BoardSelector = from_value(bare()).unwrap();
        assert!(board.board_type.is_none() && board.project_key.is_none());
    }

    #[test]
    fn null_selects_all() {
        let sprint: SprintSelector = from_value(json!({"sprintState": null})).unwrap();
        assert_eq!(sprint.sprint_state, None);
        let issue: IssueSelector = from_value(json!({"jql": null})).unwrap();
        assert_eq!(issue.jql, None);
    }

    #[test]
    fn wrong_values_are_refused() {
        fn refused<T: serde::de::DeserializeOwned>(selector: Value) {
            assert!(from_value::<T>(selector.clone()).is_err(), "{selector}");
        }
        refused::<SprintSelector>(json!({"sprintState": []}));
        refused::<SprintSelector>(json!({"sprintState": ["active", "active"]}));
        refused::<SprintSelector>(json!({"sprintState": ["started"]}));
        refused::<BoardSelector>(json!({"boardType": "scrumban"}));
        refused::<BoardSelector>(json!({"projectKey": "  "}));
        refused::<IssueSelector>(json!({"fields": ["summary"]}));
        refused::<WorklogSelector>(json!({"apiQueryParams": {"startedAfter": "soon"}}));
    }
}
