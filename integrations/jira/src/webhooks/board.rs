//! Boards.

use ocean_core::prelude::*;
use serde::Deserialize;

use crate::{
    client::{JiraClient, JiraError},
    id::Id,
    selector::{BoardSelector, BoardType},
};

/// `board_created`, `board_updated`.
#[derive(Debug, Deserialize)]
pub struct BoardEvent {
    /// The board.
    pub board: BoardRef,
}

/// What names a board.
#[derive(Debug, Deserialize)]
pub struct BoardRef {
    /// Its id.
    pub id: Id,
}

/// What the selector looks at.
#[derive(Debug, Deserialize)]
struct Board {
    #[serde(rename = "type")]
    board_type: BoardType,
    #[serde(rename = "__projectKeys")]
    project_keys: Vec<String>,
}

/// Keeps boards in step. A board that the selector does not want leaves the catalog.
#[webhook_processor(
    path = "/webhook",
    kinds = ["board"],
    events = ["board_created", "board_updated", "board_deleted"],
    requires = ["/board/id"],
    key = "/board/id",
    delete_on = ["board_deleted"],
    delete = "/board",
)]
pub async fn board(
    event: Payload<BoardEvent>,
    selector: Selector<BoardSelector>,
    jira: State<JiraClient>,
) -> Result<Option<Raw>, JiraError> {
    let board = jira.board(event.board.id).await?;
    Ok(board.filter(|board| selector.admits(board)))
}

impl BoardSelector {
    fn admits(&self, board: &Raw) -> bool {
        let wants_all = self.board_type.is_none() && self.project_key.is_none();
        // A type that we do not know is none of those a selector can name.
        wants_all
            || board
                .read::<Board>()
                .is_ok_and(|board| self.admits_board(&board))
    }

    fn admits_board(&self, board: &Board) -> bool {
        let type_fits = self.board_type.is_none_or(|it| it == board.board_type);
        let project_fits = self.project_key.as_ref().is_none_or(|key| {
            let keys = &board.project_keys;
            keys.iter().any(|it| it.eq_ignore_ascii_case(key.as_str()))
        });
        type_fits && project_fits
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::test_support::{Run, Site, sample};

    async fn run(site: &Site, body: &Value, selector: Value) -> Run {
        crate::test_support::run("board", site, body, selector).await
    }

    #[tokio::test]
    async fn created_and_updated_boards_are_fetched_with_their_projects() {
        for (name, key) in [("board_created", "WEB"), ("board_updated", "OPS")] {
            let board = run(&Site::sample(), &sample(name), json!({}))
                .await
                .updated();
            assert_eq!(board["__projectKeys"], json!([key]));
        }
    }

    #[tokio::test]
    async fn a_deleted_board_is_deleted_without_asking() {
        let site = Site::sample();
        assert_eq!(
            run(&site, &sample("board_deleted"), json!({}))
                .await
                .deleted()["id"],
            7
        );
        assert_eq!(site.calls().len(), 0);
    }

    #[tokio::test]
    async fn a_board_that_the_selector_does_not_want_is_deleted() {
        // The sample is a scrum board of OPS.
        for (selector, is_wanted) in [
            (json!({ "boardType": "scrum" }), true),
            (json!({ "boardType": "kanban" }), false),
            (json!({ "projectKey": "OPS" }), true),
            (json!({ "projectKey": "WEB" }), false),
            (json!({ "boardType": "scrum", "projectKey": "OPS" }), true),
            (json!({ "boardType": "simple", "projectKey": "OPS" }), false),
            (json!({ "boardType": null, "projectKey": null }), true),
        ] {
            let run = run(&Site::sample(), &sample("board_updated"), selector).await;
            match is_wanted {
                true => assert_eq!(run.updated()["id"], 5),
                false => assert_eq!(run.deleted()["id"], 5),
            }
        }
    }

    #[tokio::test]
    async fn a_board_that_jira_does_not_have_is_deleted() {
        let body = json!({ "webhookEvent": "board_updated", "board": { "id": 404 } });
        assert_eq!(
            run(&Site::sample(), &body, json!({})).await.deleted(),
            body["board"]
        );
    }

    #[tokio::test]
    async fn a_board_without_id_is_refused_and_other_events_are_ignored() {
        let site = Site::sample();
        let body = json!({ "webhookEvent": "board_updated", "board": { "name": "OPS" } });
        assert_eq!(
            run(&site, &body, json!({})).await,
            Run::Invalid("invalid payload: no value at `/board/id`".to_owned())
        );
        let body = json!({ "webhookEvent": "board_configuration_changed", "configuration": {} });
        assert_eq!(run(&site, &body, json!({})).await, Run::Ignored);
    }
}
