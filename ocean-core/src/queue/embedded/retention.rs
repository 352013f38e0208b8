//! Retention: finished events are kept by age and size and trimmed in small batches.
//!
//! A cursor moves over the ids from the oldest on and stops at the first event that may stay, so a
//! step never looks at what it need not. Events that finished behind the cursor are found by the
//! next sweep from the start: once an hour, or, while too much is kept, after a second, and later
//! the less such sweeps find. Pending events are never trimmed. Dead letters keep their rows and
//! reasons; beyond a bound of their own the oldest lose their bodies.

use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::codec;
use crate::queue::operate;

/// What a row costs beside its body: its line, its story, and its place in pages.
const ROW_BYTES: u64 = 512;
const SHORTEST_SWEEP: Duration = Duration::from_secs(1);
const LONGEST_SWEEP: Duration = Duration::from_secs(60 * 60);

/// The bytes of an event that count against retention.
pub(super) fn footprint(bytes: u64, kept: bool) -> i64 {
    (ROW_BYTES + if kept { bytes } else { 0 }).cast_signed()
}

/// How long and how many finished events are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Events are kept for this long after their acceptance; 7 days by default.
    pub age: Duration,
    /// Finished events take up this much; 1 GiB by default. Bodies go before their rows where the
    /// row is needed for deduplication.
    pub bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            age: Duration::from_secs(7 * 24 * 60 * 60),
            bytes: 1 << 30,
        }
    }
}

/// Trims.
#[derive(Debug)]
pub(super) struct Trimmer {
    keep: Retention,
    dedupe_window: Duration,
    finished_bytes: i64,
    cursor: i64,
    sweep_began: Instant,
    sweep_every: Duration,
    sweep_found: bool,
}

/// What a step did; in memory only once its transaction is durable.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trimmed {
    pub(super) bytes: i64,
    pub(super) rows: u64,
    cursor: Option<i64>,
}

impl Trimmed {
    /// Whether there may be more to look at.
    pub(super) fn moved(self) -> bool {
        self.cursor.is_some()
    }
}

impl Trimmer {
    pub(super) fn new(keep: Retention, dedupe_window: Duration, finished_bytes: i64) -> Self {
        Self {
            keep,
            dedupe_window,
            finished_bytes,
            cursor: i64::MIN,
            sweep_began: Instant::now(),
            sweep_every: SHORTEST_SWEEP,
            sweep_found: true,
        }
    }

    /// Takes in what a durable transaction did.
    pub(super) fn settle(&mut self, added: i64, trimmed: Trimmed) {
        self.finished_bytes += added - trimmed.bytes;
        self.sweep_found |= trimmed.bytes > 0;
        if let Some(cursor) = trimmed.cursor {
            self.cursor = cursor;
        }
    }

    /// Whether finished events take up more than they may.
    pub(super) fn is_over(&self) -> bool {
        self.finished_bytes.cast_unsigned() > self.keep.bytes
    }

    /// Begins a sweep from the oldest event if one is due.
    pub(super) fn sweep_if_due(&mut self) {
        let every = if self.is_over() {
            self.sweep_every
        } else {
            LONGEST_SWEEP
        };
        if self.sweep_began.elapsed() < every {
            return;
        }
        // Rows that deduplication needs may take up more than all that is allowed; looking at them
        // again and again would free nothing.
        self.sweep_every = if self.sweep_found {
            SHORTEST_SWEEP
        } else {
            (self.sweep_every * 2).min(LONGEST_SWEEP)
        };
        self.sweep_found = false;
        self.sweep_began = Instant::now();
        self.cursor = i64::MIN;
    }

    /// Looks at up to `limit` events and trims those that may go, within the caller's transaction.
    /// `newest` is never trimmed, so that ids keep growing across restarts.
    pub(super) fn step(
        &self,
        connection: &Connection,
        now_micros: i64,
        newest: i64,
        limit: u32,
    ) -> rusqlite::Result<Trimmed> {
        let before = |age: Duration| {
            now_micros.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX))
        };
        let (expired, repeatable) = (before(self.keep.age), before(self.dedupe_window));
        let mut trimmed = Trimmed::default();
        // Collected first: what a statement yields while its table changes is not defined.
        let rows = connection
            .prepare_cached(
                "SELECT id, state, bytes, kept, received_at, delivery IS NOT NULL FROM event
                 WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3",
            )?
            .query_map(params![self.cursor, newest, limit], Row::read)?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let mut without_body = connection.prepare_cached("DELETE FROM body WHERE id = ?1")?;
        let mut without_row = connection.prepare_cached("DELETE FROM event WHERE id = ?1")?;
        let mut without_fate = connection.prepare_cached("DELETE FROM fate WHERE id = ?1")?;
        let mut not_kept = connection.prepare_cached("UPDATE event SET kept = 0 WHERE id = ?1")?;
        for row in rows {
            let Row {
                id, bytes, kept, ..
            } = row;
            let left = (self.finished_bytes - trimmed.bytes).cast_unsigned();
            let over = left > self.keep.bytes && self.finished_bytes > trimmed.bytes;
            if id >= expired && !over {
                break;
            }
            if row.state == codec::PENDING || row.state == codec::DEAD {
                trimmed.cursor = Some(id);
                continue;
            }
            if row.has_delivery && row.received_at >= repeatable {
                // The row answers repeated deliveries; only its body may go.
                if kept && over {
                    without_body.execute([id])?;
                    not_kept.execute([id])?;
                    trimmed.bytes += bytes.cast_signed();
                }
            } else {
                if kept {
                    without_body.execute([id])?;
                }
                without_fate.execute([id])?;
                without_row.execute([id])?;
                trimmed.bytes += footprint(bytes, kept);
                trimmed.rows += 1;
            }
            trimmed.cursor = Some(id);
        }
        Ok(trimmed)
    }
}

/// Takes the bodies of the oldest dead letters after `after` until `excess` bytes are gone, at most
/// `limit` of them; `None` if there are none left. Their reasons say so.
pub(super) fn trim_dead(
    connection: &Connection,
    after: i64,
    excess: u64,
    limit: u32,
) -> rusqlite::Result<Option<DeadTrimmed>> {
    let rows = connection
        .prepare_cached(
            "SELECT id, bytes, kept FROM event WHERE state = 2 AND id > ?1 ORDER BY id LIMIT ?2",
        )?
        .query_map(params![after, limit], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get(2)?))
        })?
        .collect::<rusqlite::Result<Vec<(i64, i64, bool)>>>()?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut without_body = connection.prepare_cached("DELETE FROM body WHERE id = ?1")?;
    let mut not_kept = connection.prepare_cached("UPDATE event SET kept = 0 WHERE id = ?1")?;
    let mut explain = connection.prepare_cached(
        "UPDATE fate SET reason = coalesce(reason || '; ', '') || ?2 WHERE id = ?1",
    )?;
    let mut trimmed = DeadTrimmed::default();
    for (id, bytes, kept) in rows {
        if trimmed.bytes >= excess {
            break;
        }
        trimmed.cursor = id;
        if kept {
            without_body.execute([id])?;
            not_kept.execute([id])?;
            explain.execute(params![id, operate::NO_DEAD_BODY])?;
            trimmed.bytes += bytes.cast_unsigned();
            trimmed.letters += 1;
        }
    }
    Ok(Some(trimmed))
}

/// What [`trim_dead`] did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DeadTrimmed {
    pub(super) letters: u64,
    pub(super) bytes: u64,
    pub(super) cursor: i64,
}

struct Row {
    id: i64,
    state: u8,
    bytes: u64,
    kept: bool,
    received_at: i64,
    has_delivery: bool,
}

impl Row {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            state: row.get(1)?,
            bytes: row.get::<_, i64>(2)?.cast_unsigned(),
            kept: row.get(3)?,
            received_at: row.get(4)?,
            has_delivery: row.get(5)?,
        })
    }
}
