//! One group: what is written, synced and answered together.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use super::{
    batch::{Batch, Effects, Fresh, Room},
    command,
    mailbox::{Accept, Reply},
    retention::Trimmed,
    rows::ChangeRow,
    schema,
    writer::{Ack, Writer},
};
use crate::{
    failpoint,
    queue::{ActionResult, Cached, Pending},
};

/// One transaction holds at most so much: an ack waits for all of it.
pub(super) const GROUP_OPERATIONS: usize = 4096;
const GROUP_BYTES: u64 = 8 << 20;
/// Events of operators' actions in one transaction: an ack must not wait for thousands of replays.
pub(super) const GROUP_ACTIONS: usize = 100;
/// Larger bodies are read from disk when their turn comes.
const LARGEST_CACHED: u64 = 1 << 20;
/// What an event takes in memory beside its body, as text and parsed.
const CACHED_OVERHEAD: u64 = 1024;

/// What goes into one transaction.
struct Group<'a> {
    accepts: &'a mut VecDeque<Accept>,
    changes: &'a [ChangeRow],
    now_micros: i64,
    /// Bytes of bodies that may be taken in, and that were.
    room: u64,
    bytes: u64,
    /// Bytes of bodies that replays may copy.
    replay_room: Room,
}

/// What a transaction leaves behind.
struct Written {
    last_id: i64,
    trimmed: Trimmed,
    /// For as many of the commands as were looked at.
    results: Vec<Vec<ActionResult>>,
}

impl Writer {
    /// How many bytes of bodies may be taken in now; if there is no room for the first of
    /// `accepts`, all are answered so.
    fn room_for(&self, accepts: &mut VecDeque<Accept>) -> u64 {
        let Some(first) = accepts.front() else {
            return 0;
        };
        let reason = match self.room() {
            Ok(room) if first.bytes <= room => return room,
            Ok(room) => format!("there is room for {room} more bytes"),
            Err(reason) => reason,
        };
        let error = self.shared.gate.full(reason);
        for accept in accepts.drain(..) {
            self.shared.gate.withdraw(accept.bytes);
            let _ = accept.reply.send(Err(error.clone()));
        }
        0
    }

    /// How many bytes of bodies replays may copy now.
    fn replay_room(&self) -> Room {
        let none = |bound| Room { bytes: 0, bound };
        if self.commands.is_empty() {
            return none(String::new());
        }
        let on_disk = match self.room() {
            Ok(on_disk) => on_disk,
            Err(reason) => return none(reason),
        };
        let (allowed, bound) = self.shared.gate.room();
        if allowed <= on_disk {
            return Room {
                bytes: allowed,
                bound,
            };
        }
        Room {
            bytes: on_disk,
            bound: format!("there is room for {on_disk} more bytes"),
        }
    }

    /// Writes one group: all of `changes`, the next of what operators asked for, and as many of
    /// `accepts` as fit. On failure the requests taken in are left in `work.acks`, to be answered.
    pub(super) fn commit(
        &mut self,
        accepts: &mut VecDeque<Accept>,
        changes: &[ChangeRow],
    ) -> rusqlite::Result<()> {
        let began = Instant::now();
        let now_micros = self.options.clock.now().as_microsecond();
        self.dedupe.expire(now_micros);
        let mut effects = Effects::default();
        let mut group = Group {
            room: self.room_for(accepts),
            replay_room: self.replay_room(),
            accepts,
            changes,
            now_micros,
            bytes: 0,
        };
        let written = self.transact(&mut group, &mut effects);
        let bytes = group.bytes;
        let Written {
            last_id,
            trimmed,
            results,
        } = match written {
            Ok(written) => written,
            Err(error) => {
                for undo in effects.undo.into_iter().rev() {
                    self.dedupe.undo(undo);
                }
                self.shared.gate.settle(bytes, self.level);
                return Err(error);
            }
        };
        failpoint::hit("queue.after_commit");
        self.last_id = last_id;
        self.settle(&effects, trimmed);
        self.shared.gate.settle(bytes, self.level);
        let operations = changes.len() as u64 + effects.stored + effects.ignored + effects.refused;
        for Ack { reply, receipts } in self.work.acks.drain(..) {
            // The sender may have hung up; the event is stored all the same.
            let _ = reply.send(Ok(receipts));
        }
        for (command, results) in self.commands.iter_mut().zip(results) {
            command.results.extend(results);
        }
        while let Some(command) = self.commands.pop_front_if(|it| it.left().is_empty()) {
            if let Reply::Caller(reply) = command.reply {
                let _ = reply.send(Ok(command.results));
            }
        }
        failpoint::hit("queue.after_ack");
        if !effects.fresh.is_empty() {
            let fresh = effects.fresh.into_iter().map(|fresh| self.pending(fresh));
            // Nobody listens any more when the process is about to end.
            let _ = self.feed.send(fresh.collect());
        }
        let metrics = &self.telemetry.queue;
        let answers = [
            ("stored", effects.stored),
            ("ignored", effects.ignored),
            ("refused", effects.refused),
            ("duplicate", effects.duplicates),
        ];
        metrics.committed(answers, began.elapsed());
        metrics.grouped(operations, effects.finished, trimmed.rows);
        Ok(())
    }

    fn transact(
        &mut self,
        group: &mut Group<'_>,
        effects: &mut Effects,
    ) -> rusqlite::Result<Written> {
        let connection = self.connection.as_mut().expect("`write` opens it");
        let transaction = schema::immediate(connection)?;
        let mut batch = Batch::new(
            &transaction,
            &mut self.dedupe,
            effects,
            group.now_micros,
            self.last_id,
        )?;
        for change in group.changes {
            batch.apply(change)?;
        }
        let mut results = Vec::new();
        let (mut actions, replay_room) = (0, group.replay_room.bytes);
        for command in &self.commands {
            if actions >= GROUP_ACTIONS {
                break;
            }
            let left = command.left();
            let ids = match command.reply {
                Reply::Caller(_) => &left[..left.len().min(GROUP_ACTIONS - actions)],
                // Done and answered at once, or a crash would do half of it twice; whoever writes
                // rows keeps them small.
                Reply::Row(_) => left,
            };
            actions += ids.len();
            let result = batch.operate(&command.action, ids, &mut group.replay_room)?;
            if let Reply::Row(row) = command.reply {
                command::answer(&transaction, row, &Ok(&result))?;
            }
            results.push(result);
        }
        group.room = (group.room).saturating_sub(replay_room - group.replay_room.bytes);
        let mut operations = group.changes.len();
        while operations < GROUP_OPERATIONS
            && group.bytes < GROUP_BYTES
            && let Some(accept) = group
                .accepts
                .pop_front_if(|accept| group.bytes + accept.bytes <= group.room)
        {
            operations += accept.events.len();
            group.bytes += accept.bytes;
            // Noted first, so that it is answered should the transaction fail.
            let receipts = Vec::with_capacity(accept.events.len());
            self.work.acks.push(Ack {
                reply: accept.reply,
                receipts,
            });
            for new in accept.events {
                let receipt = batch.accept(new)?;
                let ack = self.work.acks.last_mut().expect("just pushed");
                ack.receipts.push(receipt);
            }
        }
        let last_id = batch.last_id();
        drop(batch);
        let trimmed = if self.trimmer.is_over() {
            // Twice as fast as events finish, so that the bound is reached.
            let limit = (operations as u32 * 2).clamp(16, 512);
            self.trimmer
                .step(&transaction, group.now_micros, last_id, limit)?
        } else {
            Trimmed::default()
        };
        failpoint::hit("queue.before_commit");
        transaction.commit()?;
        Ok(Written {
            last_id,
            trimmed,
            results,
        })
    }

    fn settle(&mut self, effects: &Effects, trimmed: Trimmed) {
        let level = &mut self.level;
        level.pending = level.pending.saturating_add_signed(effects.pending);
        level.pending_bytes = level
            .pending_bytes
            .saturating_add_signed(effects.pending_bytes);
        level.dead = level.dead.saturating_add_signed(effects.dead);
        level.dead_bytes = level.dead_bytes.saturating_add_signed(effects.dead_bytes);
        self.trimmer.settle(effects.finished_bytes, trimmed);
        self.work.drained_bytes += effects.drained_bytes;
    }

    fn pending(&self, fresh: Fresh) -> Pending {
        let Fresh { id, lanes, event } = fresh;
        let cached = event.and_then(|(event, bytes)| {
            if bytes > LARGEST_CACHED {
                return None;
            }
            // The door has parsed the body, and what it made of it takes several times as much.
            let held = bytes + event.parsed_bytes() + CACHED_OVERHEAD;
            let permits = u32::try_from(held).ok()?;
            let permit = Arc::clone(&self.cache)
                .try_acquire_many_owned(permits)
                .ok()?;
            Some(Cached {
                event,
                permit: Some(permit),
            })
        });
        Pending {
            id,
            lanes,
            not_before: None,
            resumed: false,
            cached,
        }
    }
}
