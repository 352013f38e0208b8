//! What an earlier process left: surveyed once at start, then fed to dispatch in chunks.

use std::{ops::RangeInclusive, path::Path, sync::Arc, thread, time::Duration};

use jiff::Timestamp;
use rusqlite::{Connection, params};
use tokio::sync::mpsc;

use super::{codec, gate::Level, mailbox::Mailbox, retention::footprint, schema};
use crate::{
    event::EventId,
    queue::{
        Pending,
        dedupe::{Dedupe, MAX_DELIVERIES},
    },
};

/// Events a chunk: large enough that a channel operation for each does not count, small enough that
/// chunks in flight take no memory worth mentioning.
const CHUNK: u32 = 2048;

/// What stands in the store.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) level: Level,
    pub(super) finished_bytes: i64,
    pub(super) last_id: i64,
    pub(super) dedupe: Dedupe,
}

impl Survey {
    /// Reads each row of `event` once, no body.
    pub(super) fn take(
        connection: &Connection,
        now_micros: i64,
        window: Duration,
    ) -> rusqlite::Result<Self> {
        let mut survey = Self {
            level: Level::default(),
            finished_bytes: 0,
            last_id: 0,
            dedupe: Dedupe::new(window, MAX_DELIVERIES),
        };
        survey.add(connection, i64::MIN, now_micros)?;
        Ok(survey)
    }

    /// Takes in the rows after `after`.
    pub(super) fn add(
        &mut self,
        connection: &Connection,
        after: i64,
        now_micros: i64,
    ) -> rusqlite::Result<()> {
        let mut scan = connection.prepare(
            "SELECT id, state, bytes, kept, received_at, replay_of IS NULL, path, delivery
             FROM event WHERE id > ?1 ORDER BY id",
        )?;
        let mut rows = scan.query([after])?;
        while let Some(row) = rows.next()? {
            let id = row.get(0)?;
            let bytes = row.get::<_, i64>(2)?.cast_unsigned();
            let received_micros = row.get(4)?;
            self.last_id = id;
            match row.get(1)? {
                codec::PENDING => {
                    self.level.pending += 1;
                    self.level.pending_bytes += bytes;
                    self.level
                        .oldest
                        .get_or_insert(codec::timestamp(received_micros));
                }
                codec::DEAD => self.level.dead += 1,
                _ => self.finished_bytes += footprint(bytes, row.get(3)?),
            }
            let original: bool = row.get(5)?;
            if original
                && self.dedupe.within_window(received_micros, now_micros)
                && let Some(delivery) = row.get_ref(7)?.as_str_or_null()?
            {
                let key = self.dedupe.key(row.get_ref(6)?.as_str()?, delivery);
                self.dedupe.insert(key, id, received_micros);
            }
        }
        Ok(())
    }
}

/// Feeds the pending events with these ids from a thread of its own, as fast as they are taken.
pub(super) fn feed(
    file: &Path,
    ids: RangeInclusive<i64>,
    mailbox: Arc<Mailbox>,
) -> std::io::Result<mpsc::Receiver<Vec<Pending>>> {
    let (sender, receiver) = mpsc::channel(2);
    let file = file.to_owned();
    let read = move || {
        let (mut after, last) = (ids.start().saturating_sub(1), *ids.end());
        let mut connection = None;
        while after < last && !sender.is_closed() {
            match chunk(&mut connection, &file, after, last) {
                Ok(chunk) => {
                    after = match chunk.last() {
                        Some(pending) => pending.id.get(),
                        None => last,
                    };
                    if !chunk.is_empty() && sender.blocking_send(chunk).is_err() {
                        return;
                    }
                }
                // What cannot be read now is read later: it must not be forgotten until restart.
                Err(error) => {
                    tracing::warn!(%error, "Pending events cannot be read; trying again.");
                    connection = None;
                    if mailbox.rest(Duration::from_secs(1)) {
                        return;
                    }
                }
            }
        }
    };
    thread::Builder::new()
        .name("queue-backlog".into())
        .spawn(read)?;
    Ok(receiver)
}

fn chunk(
    connection: &mut Option<Connection>,
    file: &Path,
    after: i64,
    last: i64,
) -> rusqlite::Result<Vec<Pending>> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(schema::open_reader(file)?),
    };
    pending(connection, after, last, true, CHUNK)
}

/// Up to `limit` pending events after one id up to another, without their bodies.
pub(super) fn pending(
    connection: &Connection,
    after: i64,
    last: i64,
    resumed: bool,
    limit: u32,
) -> rusqlite::Result<Vec<Pending>> {
    let mut scan = connection.prepare_cached(
        "SELECT e.id, e.lanes, f.next_at FROM event e LEFT JOIN fate f ON f.id = e.id
         WHERE e.id > ?1 AND e.id <= ?2 AND e.state = 0 ORDER BY e.id LIMIT ?3",
    )?;
    let rows = scan.query_map(params![after, last, limit], |row| {
        let id = row.get(0)?;
        // Damaged lanes cost the order of one event, not the event.
        let lanes = codec::decode_lanes(row.get_ref(1)?.as_blob()?).unwrap_or_default();
        Ok(Pending {
            id: EventId::new(id),
            lanes: crate::queue::operate::lanes_of_replay(&lanes, EventId::new(id)),
            not_before: row.get::<_, Option<i64>>(2)?.map(codec::timestamp),
            resumed,
            cached: None,
        })
    })?;
    rows.collect()
}

/// When the oldest pending event at or after `cursor` was received, and its id.
pub(super) fn oldest(
    connection: &Connection,
    cursor: i64,
) -> rusqlite::Result<Option<(i64, Timestamp)>> {
    use rusqlite::OptionalExtension as _;
    connection
        .prepare_cached(
            "SELECT id, received_at FROM event WHERE id >= ?1 AND state = 0 ORDER BY id LIMIT 1",
        )?
        .query_row([cursor], |row| {
            Ok((row.get(0)?, codec::timestamp(row.get(1)?)))
        })
        .optional()
}
