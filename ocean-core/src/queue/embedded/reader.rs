//! Reading beside the writer: loading events for dispatch, and the journal of operators.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Mutex,
};

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql};

use super::{OpenError, codec, failure, schema};
use crate::{
    event::{EventId, EventParts, Headers, WebhookEvent},
    queue::{EventState, Filter, Journal, QueueError, Stored, Story, Summary},
};

/// Connections kept open; more are opened when more threads read at once.
const IDLE_CONNECTIONS: usize = 4;

const SUMMARY: &str = "SELECT e.id, e.state, e.path, e.name, e.delivery, e.received_at, e.bytes,
    e.kept, e.replay_of, e.lanes, f.finished_at, f.next_at, f.attempts, f.reason,
    (SELECT max(r.id) FROM event r WHERE r.replay_of = e.id)
    FROM event e LEFT JOIN fate f ON f.id = e.id";
const LOAD: &str = "SELECT e.path, e.name, e.delivery, e.received_at, e.state, e.kept,
    b.id, b.headers, b.query, b.payload, f.restarts, f.story
    FROM event e LEFT JOIN body b ON b.id = e.id LEFT JOIN fate f ON f.id = e.id
    WHERE e.id = ?1";

/// Reads the store of a data folder; works beside a running server, in its process or another.
pub struct Reader {
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Reader {
    /// Reads the store in `folder`.
    ///
    /// # Errors
    /// There is no store, or it cannot be read.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let file = folder.join(schema::FILE);
        if !file.exists() {
            return Err(OpenError::Missing { file });
        }
        let wrap = |error: rusqlite::Error| failure::open_error(&file, &error);
        let connection = schema::open_reader(&file).map_err(wrap)?;
        let application: i32 = schema::pragma(&connection, "application_id").map_err(wrap)?;
        if application != schema::APPLICATION_ID {
            return Err(OpenError::Foreign { file });
        }
        Ok(Self {
            file,
            idle: Mutex::new(vec![connection]),
        })
    }

    /// The event and what happened to it.
    pub(super) fn load(&self, id: EventId) -> Result<Option<Stored>, QueueError> {
        let damaged = |reason: String| QueueError::Damaged { id, reason };
        let loaded = self.with(|connection| {
            connection
                .prepare_cached(LOAD)?
                .query_row([id.get()], |row| Ok(stored(id, row)))
                .optional()
        });
        match loaded {
            Ok(Some(stored)) => stored.map(Some).map_err(damaged),
            Ok(None) if self.is_orphan(id) => Err(damaged("its row is missing".into())),
            Ok(None) => Ok(None),
            Err(error) if failure::is_corrupt(&error) => Err(damaged(error.to_string())),
            Err(error) => Err(failing(&error)),
        }
    }

    fn is_orphan(&self, id: EventId) -> bool {
        let found = self.with(|connection| {
            connection
                .prepare_cached("SELECT 1 FROM body WHERE id = ?1")?
                .exists([id.get()])
        });
        found.unwrap_or(false)
    }

    fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let idle = self
            .idle
            .lock()
            .expect("no code panics while holding it")
            .pop();
        let connection = match idle {
            Some(connection) => connection,
            None => schema::open_reader(&self.file)?,
        };
        let result = read(&connection)?;
        // Not after an error: a new connection starts from what is on disk.
        let mut idle = self.idle.lock().expect("as above");
        if idle.len() < IDLE_CONNECTIONS {
            idle.push(connection);
        }
        Ok(result)
    }

    fn summaries(&self, filter: &Filter) -> rusqlite::Result<Vec<Summary>> {
        let mut conditions = Vec::new();
        let mut values: Vec<Box<dyn ToSql>> = Vec::new();
        let mut add = |condition: &str, value: Box<dyn ToSql>| {
            values.push(value);
            conditions.push(condition.replace('?', &format!("?{}", values.len())));
        };
        if let Some(path) = &filter.path {
            add("e.path = ?", Box::new(path.clone()));
        }
        if let Some(name) = &filter.name {
            add("e.name = ?", Box::new(name.clone()));
        }
        if let Some(lane) = filter.lane {
            add(
                "instr(e.lanes, ?) > 0",
                Box::new(lane.get().to_be_bytes().to_vec()),
            );
        }
        if let Some(since) = filter.since {
            add("e.received_at >= ?", Box::new(since.as_microsecond()));
        }
        if let Some(until) = filter.until {
            add("e.received_at < ?", Box::new(until.as_microsecond()));
        }
        if let Some(before) = filter.before {
            add("e.id < ?", Box::new(before.get()));
        }
        if !filter.replays {
            conditions.push("e.replay_of IS NULL".to_owned());
        }
        if !filter.states.is_empty() {
            let states: Vec<String> = (filter.states.iter())
                .map(|&state| codec::state_number(state).to_string())
                .collect();
            conditions.push(format!("e.state IN ({})", states.join(", ")));
        }
        let mut sql = SUMMARY.to_owned();
        if !conditions.is_empty() {
            sql.push_str(" WHERE ");
            sql.push_str(&conditions.join(" AND "));
        }
        sql.push_str(" ORDER BY e.id DESC");
        self.with(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(rusqlite::params_from_iter(
                values.iter().map(|value| &**value),
            ))?;
            let mut found = Vec::new();
            while found.len() < filter.limit
                && let Some(row) = rows.next()?
            {
                let summary = summary(row)?;
                // The condition on lanes may also match bytes that are no lane.
                let lanes = codec::decode_lanes(row.get_ref(9)?.as_blob()?).unwrap_or_default();
                if filter.matches(&summary, &lanes) {
                    found.push(summary);
                }
            }
            Ok(found)
        })
    }

    fn find(&self, id: &str) -> rusqlite::Result<Option<Summary>> {
        self.with(|connection| {
            if let Ok(id) = id.parse::<EventId>() {
                let by_id = connection
                    .prepare_cached(&format!("{SUMMARY} WHERE e.id = ?1"))?
                    .query_row([id.get()], summary)
                    .optional()?;
                if by_id.is_some() {
                    return Ok(by_id);
                }
            }
            connection
                .prepare_cached(&format!(
                    "{SUMMARY} WHERE e.delivery = ?1 ORDER BY e.id DESC LIMIT 1"
                ))?
                .query_row([id], summary)
                .optional()
        })
    }
}

fn failing(error: &rusqlite::Error) -> QueueError {
    QueueError::Failing {
        reason: failure::describe(error),
        retry_after: std::time::Duration::from_secs(1),
    }
}

// === impl Journal for Reader ===

impl Journal for Reader {
    fn list(&self, filter: &Filter) -> Result<Vec<Summary>, QueueError> {
        self.summaries(filter).map_err(|error| failing(&error))
    }

    fn show(&self, id: &str) -> Result<Option<(Summary, Stored)>, QueueError> {
        let Some(summary) = self.find(id).map_err(|error| failing(&error))? else {
            return Ok(None);
        };
        let stored = self.load(summary.id)?;
        Ok(stored.map(|stored| (summary, stored)))
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

// === Rows ===

fn summary(row: &Row<'_>) -> rusqlite::Result<Summary> {
    let received_at = codec::timestamp(row.get(5)?);
    let state = codec::state_of(row.get(1)?).unwrap_or(EventState::Dead);
    let finished_at = row.get::<_, Option<i64>>(10)?.map(codec::timestamp);
    Ok(Summary {
        id: EventId::new(row.get(0)?),
        state,
        path: row.get(2)?,
        name: row.get(3)?,
        delivery: row.get(4)?,
        received_at,
        finished_at: finished_at.or((state == EventState::Ignored).then_some(received_at)),
        next_attempt_at: row.get::<_, Option<i64>>(11)?.map(codec::timestamp),
        attempts: row.get::<_, Option<u32>>(12)?.unwrap_or(0),
        body_bytes: row.get::<_, i64>(6)?.cast_unsigned(),
        body_kept: row.get(7)?,
        reason: row.get(13)?,
        replay_of: row.get::<_, Option<i64>>(8)?.map(EventId::new),
        replayed_as: row.get::<_, Option<i64>>(14)?.map(EventId::new),
    })
}

/// The event of a row of [`LOAD`], or what is wrong with it.
fn stored(id: EventId, row: &Row<'_>) -> Result<Stored, String> {
    let text = |error: rusqlite::Error| error.to_string();
    let kept: bool = row.get(5).map_err(text)?;
    let has_body = row.get::<_, Option<i64>>(6).map_err(text)?.is_some();
    if kept && !has_body {
        return Err("its body is missing".into());
    }
    let (headers, query, body) = if has_body {
        let headers = row
            .get_ref(7)
            .and_then(|value| Ok(value.as_bytes()?))
            .map_err(text)?;
        let headers: Headers = serde_json::from_slice(headers)
            .map_err(|error| format!("its headers are damaged: {error}"))?;
        let body = row
            .get_ref(9)
            .and_then(|value| Ok(value.as_bytes()?))
            .map_err(text)?;
        (
            headers,
            row.get(8).map_err(text)?,
            Bytes::copy_from_slice(body),
        )
    } else {
        (Headers::default(), "".into(), Bytes::new())
    };
    let story = match row
        .get_ref(11)
        .map_err(text)?
        .as_str_or_null()
        .map_err(|e| e.to_string())?
    {
        None => Story::default(),
        Some(story) => {
            serde_json::from_str(story).map_err(|error| format!("its story is damaged: {error}"))?
        }
    };
    let event = WebhookEvent::new(EventParts {
        id,
        path: row.get(0).map_err(text)?,
        name: row.get(1).map_err(text)?,
        delivery: row.get(2).map_err(text)?,
        received_at: codec::timestamp(row.get(3).map_err(text)?),
        headers,
        query,
        body,
    });
    Ok(Stored {
        event,
        story,
        restarts: row.get::<_, Option<u32>>(10).map_err(text)?.unwrap_or(0),
    })
}
