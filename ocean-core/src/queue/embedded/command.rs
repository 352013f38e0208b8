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
    batch::{Batch, Effects, Room},
    failure,
    group::GROUP_ACTIONS,
    lock::FolderLock,
    schema,
    space::Space,
};
use crate::{
    event::EventId,
    queue::{Action, ActionOutcome, ActionResult, dedupe::Dedupe, operate::all_refused},
};

/// How long a command waits for the server, which looks about once a second.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Rows of one large action that wait for the server together: it looks seldom, and forgets rows
/// that are old.
const ROWS_AT_ONCE: usize = 50;

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
/// store in `folder` if one runs, directly otherwise. Blocks until it is durable. One result for each
/// event named, in order; a large action takes several transactions, and where one of them fails the
/// events left are refused with its error.
///
/// # Errors
/// Nothing was done.
pub fn operate(folder: &Path, action: Action) -> Result<Vec<ActionResult>, OperateError> {
    let file = folder.join(schema::FILE);
    if !file.exists() {
        return Err(OpenError::Missing { file }.into());
    }
    match FolderLock::acquire(folder) {
        Ok(_lock) => directly(folder, &file, &action),
        Err(OpenError::InUse { pid, .. }) => by_server(&file, &action, pid),
        Err(error) => Err(error.into()),
    }
}

/// In transactions of as many events as the server takes: each needs room of its own, and what is
/// done stays done.
fn directly(
    folder: &Path,
    file: &Path,
    action: &Action,
) -> Result<Vec<ActionResult>, OperateError> {
    let failed = |error: rusqlite::Error| OperateError::Failed(failure::describe(&error));
    let mut connection = schema::open_writer(file, None)?;
    let mut last_id = connection
        .query_row("SELECT coalesce(max(id), 0) FROM event", [], |row| {
            row.get(0)
        })
        .map_err(failed)?;
    let space = Space::new(folder.to_owned(), None);
    let mut results = Vec::with_capacity(action.ids().len());
    for ids in action.ids().chunks(GROUP_ACTIONS) {
        let room = match space.room() {
            Ok(room) => Room {
                bytes: room / 3,
                bound: "there is no room on the disk".into(),
            },
            Err(bound) => Room { bytes: 0, bound },
        };
        match transact(&mut connection, action, ids, room, &mut last_id) {
            Ok(done) => results.extend(done),
            Err(error) if results.is_empty() => return Err(failed(error)),
            Err(error) => results.extend(all_refused(ids, &failed(error).to_string())),
        }
    }
    Ok(results)
}

fn transact(
    connection: &mut Connection,
    action: &Action,
    ids: &[EventId],
    mut room: Room,
    last_id: &mut i64,
) -> rusqlite::Result<Vec<ActionResult>> {
    let now = Timestamp::now().as_microsecond();
    let mut effects = Effects::default();
    // Actions are no deliveries, so they need no memory of them.
    let mut dedupe = Dedupe::new(Duration::ZERO, 0);
    let transaction = schema::immediate(connection)?;
    let mut batch = Batch::new(&transaction, &mut dedupe, &mut effects, now, *last_id)?;
    let results = batch.operate(action, ids, &mut room)?;
    let newest = batch.last_id();
    drop(batch);
    transaction.commit()?;
    *last_id = newest;
    Ok(results)
}

fn by_server(
    file: &Path,
    action: &Action,
    pid: Option<u32>,
) -> Result<Vec<ActionResult>, OperateError> {
    let failed = |error: rusqlite::Error| OperateError::Failed(error.to_string());
    let mut connection = schema::open_commander(file).map_err(failed)?;
    let mut results = Vec::with_capacity(action.ids().len());
    let mut first_error = None;
    for ids in action.ids().chunks(ROWS_AT_ONCE * GROUP_ACTIONS) {
        let chunks: Vec<_> = ids.chunks(GROUP_ACTIONS).collect();
        let answers = if first_error.is_none() {
            let actions: Vec<_> = chunks.iter().map(|ids| action.of(ids)).collect();
            ask(&mut connection, &actions)
        } else {
            // A server that failed is not asked for the rest.
            Ok(Vec::new())
        };
        let mut answers = answers.map_err(failed)?.into_iter();
        for ids in chunks {
            let error = match answers.next().flatten() {
                Some(Ok(done)) => {
                    results.extend(done);
                    continue;
                }
                Some(Err(reason)) => OperateError::Failed(reason),
                None => OperateError::NoAnswer {
                    pid,
                    seconds: PATIENCE.as_secs(),
                },
            };
            results.extend(all_refused(ids, &error.to_string()));
            first_error.get_or_insert(error);
        }
    }
    let is_refused = |result: &ActionResult| matches!(result.outcome, ActionOutcome::Refused(_));
    match first_error {
        Some(error) if results.iter().all(is_refused) => Err(error),
        _ => Ok(results),
    }
}

/// Asks the server to do these actions, each in one transaction; an answer for each, in order, or
/// none if it did not come.
fn ask(
    connection: &mut Connection,
    actions: &[Action],
) -> rusqlite::Result<Vec<Option<Answer<Vec<ActionResult>>>>> {
    let transaction = schema::immediate(connection)?;
    let now = Timestamp::now().as_microsecond();
    let mut rows = Vec::with_capacity(actions.len());
    for action in actions {
        let text = serde_json::to_string(action).expect("an action has a JSON form");
        transaction
            .prepare_cached("INSERT INTO command (created_at, action) VALUES (?1, ?2)")?
            .execute(params![now, text])?;
        rows.push(transaction.last_insert_rowid());
    }
    transaction.commit()?;
    let mut answers = Vec::with_capacity(rows.len());
    let mut deadline = Instant::now() + PATIENCE;
    while answers.len() < rows.len() && Instant::now() < deadline {
        match take_answer(connection, rows[answers.len()])? {
            Some(answer) => {
                answers.push(Some(answer));
                deadline = Instant::now() + PATIENCE;
            }
            None => thread::sleep(LOOK_EVERY),
        }
    }
    for &row in &rows[answers.len()..] {
        // Withdrawn, unless it was answered at the last moment.
        let withdrawn = connection.execute(
            "DELETE FROM command WHERE id = ?1 AND result IS NULL",
            [row],
        )?;
        answers.push(if withdrawn == 0 {
            take_answer(connection, row)?
        } else {
            None
        });
    }
    Ok(answers)
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

/// Rows that wait for an answer, oldest first. Those that cannot be read are answered so, and
/// those that nobody can be waiting for any more are forgotten.
pub(super) fn waiting(
    connection: &Connection,
    now_micros: i64,
) -> rusqlite::Result<Vec<(i64, Action)>> {
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
            Ok(action) => commands.push((row, action)),
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
