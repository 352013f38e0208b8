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
