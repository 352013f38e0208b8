//! One transaction: changes, new events and operators' actions, and what follows from them in
//! memory once they are durable.

use jiff::Timestamp;
use rusqlite::{CachedStatement, OptionalExtension as _, Row, Transaction, params};

use super::{
    codec::{self, Text},
    retention::footprint,
    rows::{ChangeRow, NewRow},
};
use crate::{
    event::{EventId, WebhookEvent, query_without_secrets},
    lane::Lanes,
    queue::{
        Action, ActionOutcome, ActionResult, Change, NewEvent, Receipt, Story,
        dedupe::{Dedupe, Undo},
        operate,
    },
};

const INSERT_EVENT: &str = "INSERT INTO event
    (id, received_at, path, name, delivery, lanes, state, bytes, kept, replay_of)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1, ?9)";
const INSERT_BODY: &str = "INSERT INTO body (id, headers, query, payload) VALUES (?1, ?2, ?3, ?4)";
const FIND_DELIVERY: &str = "SELECT path, delivery, received_at FROM event WHERE id = ?1";
const FIND_ORIGINAL: &str = "SELECT e.state, e.bytes, e.lanes,
    EXISTS (SELECT 1 FROM body WHERE id = ?1), f.reason, e.kept
    FROM event e LEFT JOIN fate f ON f.id = e.id WHERE e.id = ?1";
// The state is part of the condition: a fate is decided once, whatever comes late. Two statements
// cost half of one with RETURNING, which makes a table for what it returns.
const PENDING_BYTES: &str = "SELECT bytes FROM event WHERE id = ?1 AND state = 0";
const FINISH: &str = "UPDATE event SET state = ?2 WHERE id = ?1";
const FATE: &str = "INSERT INTO fate (id, finished_at, attempts, restarts, reason, story)
    VALUES (?1, ?2, ?3, 0, ?4, ?5)
    ON CONFLICT (id) DO UPDATE SET finished_at = ?2, next_at = NULL, attempts = ?3,
    reason = ?4, story = ?5";
// An attempt that came to its end did not kill the process, so restarts are counted anew.
const PROGRESS: &str = "INSERT INTO fate (id, next_at, attempts, restarts, story)
    SELECT id, ?2, ?3, 0, ?4 FROM event WHERE id = ?1 AND state = 0
    ON CONFLICT (id) DO UPDATE SET next_at = ?2, attempts = ?3, restarts = 0, story = ?4";
const RESUMED: &str = "INSERT INTO fate (id, attempts, restarts)
    SELECT id, 0, 1 FROM event WHERE id = ?1 AND state = 0
    ON CONFLICT (id) DO UPDATE SET restarts = restarts + 1";

/// What follows from a transaction once it is durable.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// New events for the feed.
    pub(super) fresh: Vec<Fresh>,
    /// Deduplication entries, to be taken back if the commit fails.
    pub(super) undo: Vec<Undo>,
    /// How the level changes.
    pub(super) pending: i64,
    pub(super) pending_bytes: i64,
    pub(super) dead: i64,
    pub(super) dead_bytes: i64,
    /// Bytes of finished events that count against retention.
    pub(super) finished_bytes: i64,
    /// Bytes that stopped being pending.
    pub(super) drained_bytes: u64,
    pub(super) stored: u64,
    pub(super) ignored: u64,
    /// Recorded as refused.
    pub(super) refused: u64,
    pub(super) duplicates: u64,
    pub(super) finished: u64,
}

/// An event for the feed.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) id: EventId,
    pub(super) lanes: Lanes,
    /// Absent for replays, whose body did not come through memory.
    pub(super) event: Option<(WebhookEvent, u64)>,
}

/// What replays may take up.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) bytes: u64,
    /// Why not more.
    pub(super) bound: String,
}

/// A transaction that is being filled.
pub(super) struct Batch<'t> {
    transaction: &'t Transaction<'t>,
    insert_event: CachedStatement<'t>,
    insert_body: CachedStatement<'t>,
    pending_bytes: CachedStatement<'t>,
    finish: CachedStatement<'t>,
    fate: CachedStatement<'t>,
    dedupe: &'t mut Dedupe,
    now_micros: i64,
    last_id: i64,
    effects: &'t mut Effects,
}

impl<'t> Batch<'t> {
    pub(super) fn new(
        transaction: &'t Transaction<'t>,
        dedupe: &'t mut Dedupe,
        effects: &'t mut Effects,
        now_micros: i64,
        last_id: i64,
    ) -> rusqlite::Result<Self> {
        Ok(Self {
            insert_event: transaction.prepare_cached(INSERT_EVENT)?,
            insert_body: transaction.prepare_cached(INSERT_BODY)?,
            pending_bytes: transaction.prepare_cached(PENDING_BYTES)?,
            finish: transaction.prepare_cached(FINISH)?,
            fate: transaction.prepare_cached(FATE)?,
            transaction,
            dedupe,
            now_micros,
            last_id,
            effects,
        })
    }

    /// The largest id given out so far.
    pub(super) fn last_id(&self) -> i64 {
        self.last_id
    }

    // === New events ===

    pub(super) fn accept(&mut self, row: NewRow) -> rusqlite::Result<Receipt> {
        let NewRow {
            new,
            headers,
            is_text,
        } = row;
        let NewEvent {
            event,
            lanes,
            replay_of,
            refused,
        } = new;
        let key = match (event.delivery(), replay_of) {
            (Some(delivery), None) => Some(self.dedupe.key(event.path(), delivery)),
            _ => None,
        };
        let received_micros = event.received_at().as_microsecond();
        if let Some(first) = key.and_then(|key| self.dedupe.find(key))
            && self.is_repeat(&event, first, received_micros)?
        {
            self.effects.duplicates += 1;
            return Ok(Receipt::Duplicate(EventId::new(first)));
        }
        let id = self.next_id();
        if let Some(key) = key {
            let undo = self.dedupe.insert(key, id.get(), received_micros);
            self.effects.undo.push(undo);
        }
        let event = event.with_id(id);
        let body = Text {
            bytes: event.body(),
            is_utf8: is_text,
        };
        let state = match &refused {
            Some(_) => codec::REFUSED,
            None if lanes.is_empty() => codec::IGNORED,
            None => codec::PENDING,
        };
        let bytes = self.insert(&event, state, &lanes, replay_of, &headers, &body)?;
        if let Some(reason) = refused {
            self.write_fate(id, Some(&reason), 0, None)?;
            self.effects.refused += 1;
            self.effects.finished_bytes += footprint(bytes, true);
            return Ok(Receipt::Refused(id));
        }
        if state == codec::IGNORED {
            self.effects.ignored += 1;
            self.effects.finished_bytes += footprint(bytes, true);
            return Ok(Receipt::Ignored(id));
        }
        self.effects.stored += 1;
        self.is_pending(bytes);
        self.effects.fresh.push(Fresh {
            id,
            lanes,
            event: Some((event, bytes)),
        });
        Ok(Receipt::Stored(id))
    }

    /// Whether the stored event `first` is the same delivery: a hash alone never decides that an
    /// event is not needed.
    fn is_repeat(
        &self,
        event: &WebhookEvent,
        first: i64,
        received_micros: i64,
    ) -> rusqlite::Result<bool> {
        let mut find = self.transaction.prepare_cached(FIND_DELIVERY)?;
        let found = find.query_row([first], |row| {
            let same = row.get_ref(0)?.as_str()? == &**event.path()
                && row.get_ref(1)?.as_str_or_null()? == event.delivery();
            Ok(same && self.dedupe.within_window(row.get(2)?, received_micros))
        });
        Ok(found.optional()?.unwrap_or(false))
    }

    fn insert(
        &mut self,
        event: &WebhookEvent,
        state: u8,
        lanes: &Lanes,
        replay_of: Option<EventId>,
        headers: &str,
        body: &Text<'_>,
    ) -> rusqlite::Result<u64> {
        let query = query_without_secrets(event.query());
        let bytes = (event.body().len() + headers.len() + query.len()) as u64;
        self.insert_event.execute(params![
            event.id().get(),
            event.received_at().as_microsecond(),
            &**event.path(),
            event.name(),
            event.delivery(),
            &codec::encode_lanes(lanes)[..],
            state,
            bytes.cast_signed(),
            replay_of.map(EventId::get),
        ])?;
        self.insert_body
            .execute(params![event.id().get(), headers, query, body,])?;
        Ok(bytes)
    }

    /// Microseconds since 1970, or one more than the last id if the clock stands still or jumped
    /// back.
    fn next_id(&mut self) -> EventId {
        self.last_id = self.now_micros.max(self.last_id + 1);
        EventId::new(self.last_id)
    }

    fn is_pending(&mut self, bytes: u64) {
        self.effects.pending += 1;
        self.effects.pending_bytes += bytes.cast_signed();
    }

    // === Changes ===

    pub(super) fn apply(&mut self, row: &ChangeRow) -> rusqlite::Result<()> {
        let (id, json) = (row.id, &*row.story);
        match &row.change {
            Change::Resumed => {
                self.transaction
                    .prepare_cached(RESUMED)?
                    .execute([id.get()])?;
                Ok(())
            }
            Change::Progress { next, story } => self.progress(id, *next, story, json),
            Change::Retry { at, story } => self.progress(id, Some(*at), story, json),
            Change::Done(story) => self.finish(id, codec::DONE, None, story, json),
            Change::Dead { reason, story } => {
                self.finish(id, codec::DEAD, Some(reason), story, json)
            }
            Change::Superseded { by, story } => {
                let reason = format!("superseded by {by}");
                self.finish(id, codec::SUPERSEDED, Some(&reason), story, json)
            }
        }
    }

    fn progress(
        &mut self,
        id: EventId,
        next: Option<Timestamp>,
        story: &Story,
        json: &str,
    ) -> rusqlite::Result<()> {
        self.transaction.prepare_cached(PROGRESS)?.execute(params![
            id.get(),
            next.map(Timestamp::as_microsecond),
            story.attempts(),
            json
        ])?;
        Ok(())
    }

    fn finish(
        &mut self,
        id: EventId,
        state: u8,
        reason: Option<&str>,
        story: &Story,
        json: &str,
    ) -> rusqlite::Result<()> {
        let pending = self
            .pending_bytes
            .query_row([id.get()], |row| row.get::<_, i64>(0))
            .optional()?;
        let Some(bytes) = pending else {
            return Ok(());
        };
        self.finish.execute(params![id.get(), state])?;
        self.write_fate(id, reason, story.attempts(), Some(json))?;
        self.effects.pending -= 1;
        self.effects.pending_bytes -= bytes;
        self.effects.drained_bytes += bytes.cast_unsigned();
        self.effects.finished += 1;
        if state == codec::DEAD {
            self.effects.dead += 1;
            self.effects.dead_bytes += bytes;
        } else {
            self.effects.finished_bytes += footprint(bytes.cast_unsigned(), true);
        }
        Ok(())
    }

    fn write_fate(
        &mut self,
        id: EventId,
        reason: Option<&str>,
        attempts: u32,
        story: Option<&str>,
    ) -> rusqlite::Result<()> {
        self.fate
            .execute(params![id.get(), self.now_micros, attempts, reason, story])?;
        Ok(())
    }

    // === Operators ===

    /// Does to `ids` what the action asks for; replays take up some of `room`.
    pub(super) fn operate(
        &mut self,
        action: &Action,
        ids: &[EventId],
        room: &mut Room,
    ) -> rusqlite::Result<Vec<ActionResult>> {
        let mut results = Vec::with_capacity(ids.len());
        for &id in ids {
            let outcome = match action {
                Action::Replay(_) => self.replay(id, room)?,
                Action::Discard(_) => self.discard(id)?,
            };
            results.push(ActionResult { id, outcome });
        }
        Ok(results)
    }

    fn replay(&mut self, id: EventId, room: &mut Room) -> rusqlite::Result<ActionOutcome> {
        let original = self
            .transaction
            .prepare_cached(FIND_ORIGINAL)?
            .query_row([id.get()], Original::read)
            .optional()?;
        let Some(original) = original else {
            return Ok(ActionOutcome::Refused(operate::UNKNOWN.into()));
        };
        let bytes = original.bytes;
        if let Some(reason) = original.refusal() {
            return Ok(ActionOutcome::Refused(reason));
        }
        let Some(left) = room.bytes.checked_sub(bytes.cast_unsigned()) else {
            return Ok(ActionOutcome::Refused(room.bound.clone()));
        };
        room.bytes = left;
        let by = self.next_id();
        let lanes = operate::lanes_of_replay(&original.lanes, id);
        self.transaction
            .prepare_cached(
                "INSERT INTO event SELECT ?2, received_at, path, name, delivery, ?3, 0, bytes, 1, id
                 FROM event WHERE id = ?1",
            )?
            .execute(params![id.get(), by.get(), &codec::encode_lanes(&lanes)[..]])?;
        self.transaction
            .prepare_cached(
                "INSERT INTO body SELECT ?2, headers, query, payload FROM body WHERE id = ?1",
            )?
            .execute([id.get(), by.get()])?;
        self.is_pending(bytes.cast_unsigned());
        self.effects.fresh.push(Fresh {
            id: by,
            lanes,
            event: None,
        });
        if original.state == codec::DEAD {
            let reason = operate::replayed_as(by);
            self.leave_dead(id, codec::SUPERSEDED, bytes, original.kept, Some(&reason))?;
        }
        Ok(ActionOutcome::Replayed(by))
    }

    fn discard(&mut self, id: EventId) -> rusqlite::Result<ActionOutcome> {
        let found = self
            .transaction
            .prepare_cached("SELECT state, bytes, kept FROM event WHERE id = ?1")?
            .query_row([id.get()], |row| {
                Ok((row.get::<_, u8>(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        Ok(match found {
            None => ActionOutcome::Refused(operate::UNKNOWN.into()),
            Some((codec::DEAD, bytes, kept)) => {
                self.leave_dead(id, codec::DISCARDED, bytes, kept, None)?;
                ActionOutcome::Discarded
            }
            Some(_) => ActionOutcome::Refused(operate::NOT_DEAD.into()),
        })
    }

    /// A dead letter becomes an ordinary finished event; its story stays.
    fn leave_dead(
        &mut self,
        id: EventId,
        state: u8,
        bytes: i64,
        kept: bool,
        reason: Option<&str>,
    ) -> rusqlite::Result<()> {
        self.transaction
            .prepare_cached("UPDATE event SET state = ?2 WHERE id = ?1")?
            .execute(params![id.get(), state])?;
        if let Some(reason) = reason {
            self.transaction
                .prepare_cached("UPDATE fate SET reason = ?2 WHERE id = ?1")?
                .execute(params![id.get(), reason])?;
        }
        self.effects.dead -= 1;
        self.effects.dead_bytes -= if kept { bytes } else { 0 };
        self.effects.finished_bytes += footprint(bytes.cast_unsigned(), kept);
        Ok(())
    }
}

/// An event that is to be replayed.
struct Original {
    state: u8,
    bytes: i64,
    lanes: Lanes,
    has_body: bool,
    reason: Option<String>,
    kept: bool,
}

impl Original {
    /// From a row of [`FIND_ORIGINAL`].
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            state: row.get(0)?,
            bytes: row.get(1)?,
            lanes: codec::decode_lanes(row.get_ref(2)?.as_blob()?).unwrap_or_default(),
            has_body: row.get(3)?,
            reason: row.get(4)?,
            kept: row.get(5)?,
        })
    }

    /// Why it cannot be replayed, if so.
    fn refusal(&self) -> Option<String> {
        if self.state == codec::PENDING {
            return Some(operate::STILL_PENDING.into());
        }
        if self.state == codec::SUPERSEDED
            && let Some(reason) = &self.reason
            && operate::is_replayed(reason)
        {
            return Some(reason.clone());
        }
        if self.state == codec::REFUSED {
            return Some(operate::REFUSED.into());
        }
        let reason = match self.state {
            codec::DEAD if !self.kept => operate::NO_DEAD_BODY,
            _ => operate::NO_BODY,
        };
        (!self.has_body).then(|| reason.into())
    }
}
