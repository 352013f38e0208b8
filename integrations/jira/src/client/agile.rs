//! Boards and sprints.

use ocean_core::{Raw, http::Request};
use serde::Deserialize;

use super::{Api, JiraClient, JiraError, ProjectRef};
use crate::id::Id;

const PAGE: usize = 50;

impl JiraClient {
    /// The board, with the keys of its projects as `__projectKeys`.
    ///
    /// # Errors
    /// See [`JiraError`].
    pub async fn board(&self, id: Id) -> Result<Option<Raw>, JiraError> {
        let url = self.url(Api::Agile, &["board", &id.to_string()]).await?;
        let Some(board) = self.find_raw(Request::get(&url)).await? else {
            return Ok(None);
        };
        let keys = self.project_keys(id).await?;
        Ok(Some(board.with("__projectKeys", &keys)))
    }

    async fn project_keys(&self, board: Id) -> Result<Vec<String>, JiraError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            #[serde(default)]
            values: Vec<ProjectRef>,
            is_last: Option<bool>,
        }
        let url = self
            .url(Api::Agile, &["board", &board.to_string(), "project"])
            .await?;
        let mut keys = Vec::new();
        loop {
            let request = Request::get(&url)
                .query("maxResults", PAGE.to_string())
                .query("startAt", keys.len().to_string());
            // A board whose projects cannot be listed is a board without projects, not a deleted
            // one: its own call has just shown it.
            let Some(response) = self.find(request).await? else {
                return Ok(keys);
            };
            let page = response.json::<Page>()?;
            let count = page.values.len();
            keys.extend(page.values.into_iter().map(|project| project.key));
            if count == 0 || page.is_last.unwrap_or(count < PAGE) {
                return Ok(keys);
            }
        }
    }

    /// The sprint.
    ///
    /// # Errors
    /// See [`JiraError`].
    pub async fn sprint(&self, id: Id) -> Result<Option<Raw>, JiraError> {
        let url = self.url(Api::Agile, &["sprint", &id.to_string()]).await?;
        self.find_raw(Request::get(&url)).await
    }
}
