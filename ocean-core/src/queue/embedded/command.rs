//! Operators' actions from other processes: rows of the table `command`, which the server answers,
//! or done directly while no server runs.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    OpenError,
    batch::{Batch, Effects},
    failure,
    lock::FolderLock,
    mailbox::{Command, Reply},
    schema,
};
use crate::queue::{Action, ActionResult, dedupe::Dedupe};

/// How long a command waits for the server, which looks about once a second.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What the server writes back.
type Answer<R> = Result<R, String>;

/// Why an action could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperateError {
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The server that owns the store did not answer.
    #[error("the server that uses the data folder (process {pid}) did not answer within {seconds} s", pid = .pid.map_or("unknown".to_owned(), |pid| pid.to_string()))]
    NoAnswer {
        /// Its process id.
        pid: Option<u32>,
        /// How long the command waited.
        seconds: u64,
    },
    /// The action was refused as a whole.
    #[error("the action was not done: {0}")]
    Failed(String),
}

/// Does what an operator asks for, from a process of its own: through the server that owns the
/// store in `folder` if one runs, directly otherwise. Blocks until it is durable.
///
/// # Errors
/// Nothing was done.
pub fn operate(folder: &Path, action: Action) -> Result<Vec<ActionResult>, OperateError> {
    let file = folder.join(schema::FILE);
    if !file.exists() {
        return Err(OpenError::Missing { file }.into());
    }
    match FolderLock::acquire(folder) {
        Ok(_lock) => directly(&file, &action),
        Err(OpenError::InUse { pid, .. }) => by_server(&file, &action, pid),
        Err(error) => Err(error.into()),
    }
}

fn directly(file: &Path, action: &Action) -> Result<Vec<ActionResult>, OperateError> {
    let failed = |error: rusqlite::Error| OperateError::Failed(failure::describe(&error));
    let mut connection = schema::open_writer(file, None)?;
    let last_id = connection
        .query_row("SELECT coalesce(max(id), 0) FROM event", [], |row| {
            row.get(0)
        })
        .map_err(failed)?;
    let now = Timestamp::now().as_microsecond();
    let (mut scratch, mut effects) = (Vec::new(), Effects::default());
    // Actions are no deliveries, so they need no memory of them.
    let mut dedupe = Dedupe::new(Duration::ZERO, 0);
    let transaction = schema::immediate(&mut connection).map_err(failed)?;
    let results = Batch::new(
        &transaction,
        &mut scratch,
        &mut dedupe,
        &mut effects,
        now,
        last_id,
    )
    .and_then(|mut batch| batch.operate(action))
    .map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(results)
}

fn by_server(
    file: &Path,
    action: &Action,
    pid: Option<u32>,
) -> Result<Vec<ActionResult>, OperateError> {
    let failed = |error: rusqlite::Error| OperateError::Failed(error.to_string());
    let connection = schema::open_commander(file).map_err(failed)?;
    let text = serde_json::to_string(action).expect("an action has a JSON form");
    let now = Timestamp::now().as_microsecond();
    connection
        .execute(
            "INSERT INTO command (created_at, action) VALUES (?1, ?2)",
            params![now, text],
        )
        .map_err(failed)?;
    let row = connection.last_insert_rowid();
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        thread::sleep(LOOK_EVERY);
        if let Some(answer) = take_answer(&connection, row).map_err(failed)? {
            return answer.map_err(OperateError::Failed);
        }
    }
    // Withdrawn, unless it was answered at the last moment.
    let withdrawn = connection
        .execute(
            "DELETE FROM command WHERE id = ?1 AND result IS NULL",
            [row],
        )
        .map_err(failed)?;
    if withdrawn == 0
        && let Some(answer) = take_answer(&connection, row).map_err(failed)?
    {
        return answer.map_err(OperateError::Failed);
    }
    Err(OperateError::NoAnswer {
        pid,
        seconds: PATIENCE.as_secs(),
    })
}

fn take_answer(
    connection: &Connection,
    row: i64,
) -> rusqlite::Result<Option<Answer<Vec<ActionResult>>>> {
    let answer: Option<String> = connection
        .prepare_cached("SELECT result FROM command WHERE id = ?1")?
        .query_row([row], |row| row.get(0))
        .optional()?
        .flatten();
    let Some(answer) = answer else {
        return Ok(None);
    };
    connection.execute("DELETE FROM command WHERE id = ?1", [row])?;
    let parsed = serde_json::from_str(&answer);
    Ok(Some(parsed.unwrap_or_else(|error| Err(error.to_string()))))
}

// === The server's side ===

/// Commands that wait for an answer, oldest first. Those that cannot be read are answered so, and
/// those that nobody can be waiting for any more are forgotten.
pub(super) fn waiting(connection: &Connection, now_micros: i64) -> rusqlite::Result<Vec<Command>> {
    let stale = now_micros - 2 * i64::try_from(PATIENCE.as_micros()).unwrap_or(i64::MAX);
    connection
        .prepare_cached("DELETE FROM command WHERE created_at < ?1")?
        .execute([stale])?;
    let rows = connection
        .prepare_cached("SELECT id, action FROM command WHERE result IS NULL ORDER BY id")?
        .query_map([], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut commands = Vec::new();
    for (row, text) in rows {
        match serde_json::from_str(&text) {
            Ok(action) => commands.push(Command {
                action,
                reply: Reply::Row(row),
            }),
            Err(error) => answer(connection, row, &Err(error.to_string()))?,
        }
    }
    Ok(commands)
}

/// Writes the answer to a command.
pub(super) fn answer(
    connection: &Connection,
    row: i64,
    answer: &Answer<&Vec<ActionResult>>,
) -> rusqlite::Result<()> {
    let text = serde_json::to_string(answer).expect("an answer has a JSON form");
    connection
        .prepare_cached("UPDATE command SET result = ?2 WHERE id = ?1")?
        .execute(params![row, text])?;
    Ok(())
}
