//! What an earlier process left: surveyed once at start, then fed to dispatch in chunks.

use std::{ops::RangeInclusive, path::Path, sync::Arc, thread, time::Duration};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::mpsc;

use super::{codec, failure, gate::Level, retention::footprint, schema, writer::Shared};
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
                codec::DEAD => {
                    self.level.dead += 1;
                    let kept: bool = row.get(3)?;
                    self.level.dead_bytes += if kept { bytes } else { 0 };
                }
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
/// While they cannot be read nothing newer may run before them, so the gate refuses events.
pub(super) fn feed(
    file: &Path,
    ids: RangeInclusive<i64>,
    shared: Arc<Shared>,
) -> std::io::Result<mpsc::Receiver<Vec<Pending>>> {
    let (sender, receiver) = mpsc::channel(2);
    let file = file.to_owned();
    let read = move || {
        let (mut after, last) = (ids.start().saturating_sub(1), *ids.end());
        let mut connection = None;
        while after < last && !sender.is_closed() {
            match chunk(&mut connection, &file, after, last) {
                Ok(chunk) => {
                    shared.gate.stall(None);
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
                    let reason = failure::describe(&error);
                    tracing::error!(reason, "Pending events cannot be read; trying again.");
                    let stall = format!("events of an earlier process cannot be read: {reason}");
                    shared.gate.stall(Some(stall));
                    connection = None;
                    if shared.mailbox.rest(Duration::from_secs(1)) {
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

/// Up to `limit` pending events after one id up to another, without their bodies. Damage to `fate`
/// costs them their retry dates and nothing else.
pub(super) fn pending(
    connection: &Connection,
    after: i64,
    last: i64,
    resumed: bool,
    limit: u32,
) -> rusqlite::Result<Vec<Pending>> {
    match pending_with_dates(connection, after, last, resumed, limit) {
        Err(error) if failure::is_corrupt(&error) => {
            pending_one_by_one(connection, after, last, resumed, limit)
        }
        read => read,
    }
}

fn pending_with_dates(
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
        Ok(Pending {
            not_before: row.get::<_, Option<i64>>(2)?.map(codec::timestamp),
            ..undated(row, resumed)?
        })
    })?;
    rows.collect()
}

/// As [`pending_with_dates`], without reading `fate` in one go: a page of it is damaged.
fn pending_one_by_one(
    connection: &Connection,
    after: i64,
    last: i64,
    resumed: bool,
    limit: u32,
) -> rusqlite::Result<Vec<Pending>> {
    let mut found = connection
        .prepare_cached(
            "SELECT id, lanes FROM event WHERE id > ?1 AND id <= ?2 AND state = 0
             ORDER BY id LIMIT ?3",
        )?
        .query_map(params![after, last, limit], |row| undated(row, resumed))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut date = connection.prepare_cached("SELECT next_at FROM fate WHERE id = ?1")?;
    let mut lost = 0;
    for pending in &mut found {
        let read = date
            .query_row([pending.id.get()], |row| row.get::<_, Option<i64>>(0))
            .optional();
        match read {
            Ok(next_at) => pending.not_before = next_at.flatten().map(codec::timestamp),
            Err(_) => lost += 1,
        }
    }
    tracing::error!(
        events = lost,
        "The store is damaged: retry dates cannot be read, so these events run at once; stop the \
         server and run its `salvage` command."
    );
    Ok(found)
}

/// A row of id and lanes.
fn undated(row: &rusqlite::Row<'_>, resumed: bool) -> rusqlite::Result<Pending> {
    let id = EventId::new(row.get(0)?);
    // Damaged lanes cost the order of one event, not the event.
    let lanes = codec::decode_lanes(row.get_ref(1)?.as_blob()?).unwrap_or_default();
    Ok(Pending {
        id,
        lanes: crate::queue::operate::lanes_of_replay(&lanes, id),
        not_before: None,
        resumed,
        cached: None,
    })
}

/// When the oldest pending event at or after `cursor` was received, and its id.
pub(super) fn oldest(
    connection: &Connection,
    cursor: i64,
) -> rusqlite::Result<Option<(i64, Timestamp)>> {
    connection
        .prepare_cached(
            "SELECT id, received_at FROM event WHERE id >= ?1 AND state = 0 ORDER BY id LIMIT 1",
        )?
        .query_row([cursor], |row| {
            Ok((row.get(0)?, codec::timestamp(row.get(1)?)))
        })
        .optional()
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::{super::gate::Gate, *};

    #[test]
    fn a_backlog_that_cannot_be_read_is_seen_at_the_gate_until_it_can() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(schema::FILE);
        let shared = Arc::new(Shared {
            mailbox: Arc::default(),
            gate: Gate::new(1 << 20, Level::default()),
            ended: watch::Sender::new(false),
        });
        let refusing = || shared.gate.pressure(Timestamp::now()).refusing;
        let mut chunks = feed(&file, 1..=9, Arc::clone(&shared)).unwrap();
        while refusing().is_none() {
            thread::yield_now();
        }
        assert!(refusing().unwrap().contains("cannot be read"));
        assert!(shared.gate.admit(1).is_err());
        drop(schema::open_writer(&file, None).unwrap());
        assert!(
            chunks.blocking_recv().is_none(),
            "there was nothing to feed"
        );
        assert_eq!(refusing(), None);
        assert!(shared.gate.admit(1).is_ok());
    }
}
