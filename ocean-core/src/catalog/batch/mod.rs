//! Batching across events: writes that arrive close together share calls.
//!
//! It owns the order of writes and who waits for which; it knows no HTTP, only a [`Sink`] that
//! writes batches. **For one entity never two writes are in flight, and they happen in the order in
//! which [`Batcher::apply`] was called; each caller learns the fate of its own entities exactly
//! once.**
//!
//! An event's changes run in stages: its upserts blueprint by blueprint, then its deletes. All of
//! them take their place in their entity's line when the event arrives, so an event can only wait
//! for events that arrived before it, and no two can wait for each other.
//!
//! How long a write waits for company: not at all when it comes alone (a quiet integration pays no
//! latency), otherwise until the batch is full, nothing has come for [`BatchOptions::linger`], or
//! four times as long has passed.

use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};

use super::{CatalogError, ChangeSet, EntityKey, Written};
use crate::{future::BoxFuture, telemetry::Telemetry};

mod concurrency;
mod state;

use state::{Next, State};

/// What became of one write.
pub(super) type Fate = Result<Written, CatalogError>;

/// Writes batches; implemented by Port's client.
pub(super) trait Sink: Send + Sync + 'static {
    /// Writes `batch` and tells the fate of each item, in order.
    fn write(&self, batch: Batch) -> BoxFuture<'_, Report>;
}

/// Writes of many events that one call can carry. No entity is in it twice.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// What all items have in common.
    pub(super) group: GroupKey,
    /// The writes.
    pub(super) items: Vec<Item>,
}

/// What writes must have in common to share a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum GroupKey {
    /// Upserts of one blueprint with the same options.
    Upsert {
        blueprint: Arc<str>,
        merge: bool,
        create_missing_related_entities: bool,
    },
    /// Deletes, of any blueprint: what depends on what is known only across blueprints.
    Delete { delete_dependents: bool },
}

/// One write.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) key: EntityKey,
    /// The entity's JSON; empty for a delete.
    pub(super) json: Bytes,
}

/// What became of a batch.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) fates: Vec<Fate>,
    /// The catalog showed that it is asked for more than it can do.
    pub(super) overloaded: bool,
}

/// Limits of batching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchOptions {
    /// How long writes wait for the next one; four times as long in all. Default 5 ms; zero means
    /// never.
    pub linger: Duration,
    /// Entities of one upsert call (`OCEAN__UPSERT_ENTITIES_BATCH_MAX_LENGTH`), at most 20.
    pub max_upserts: usize,
    /// Bytes of one upsert call's body (`OCEAN__UPSERT_ENTITIES_BATCH_MAX_SIZE_IN_BYTES`); a larger
    /// entity travels alone.
    pub max_bytes: usize,
    /// Entities of one delete call (`OCEAN__DELETE_ENTITIES_MAX_BATCH_SIZE`), at most 100.
    pub max_deletes: usize,
    /// Write calls in flight at once, at most; how many really are adapts to how the catalog copes.
    pub max_in_flight: usize,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            linger: Duration::from_millis(5),
            max_upserts: 20,
            max_bytes: 1 << 20,
            max_deletes: 100,
            max_in_flight: 50,
        }
    }
}

// === Batcher ===

/// Collects writes into batches. Clones share everything.
pub(super) struct Batcher<S>(Arc<Shared<S>>);

struct Shared<S> {
    // Held for moments only, never over an await.
    state: Mutex<State>,
    sink: S,
    telemetry: Arc<Telemetry>,
}

impl<S> Clone for Batcher<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Sink> Batcher<S> {
    pub(super) fn new(sink: S, options: BatchOptions, telemetry: Arc<Telemetry>) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State::new(options)),
            sink,
            telemetry,
        }))
    }

    /// Writes the changes of one event. A dropped future takes back what was not sent yet.
    pub(super) async fn apply(&self, changes: ChangeSet) -> Vec<Fate> {
        let count = changes.upserts.len() + changes.deletes.len();
        if count == 0 {
            return Vec::new();
        }
        let (reply, fates) = oneshot::channel();
        let next = self.state().add(changes, reply, Instant::now());
        self.run(next);
        fates.await.unwrap_or_else(|_| vec![Err(lost()); count])
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0
            .state
            .lock()
            .expect("no code panics while holding it")
    }

    /// Does what the state asked for. A waiter stands behind every write, so shutdown waits for
    /// these tasks by waiting for the handlers.
    fn run(&self, next: Vec<Next>) {
        for step in next {
            let batcher = self.clone();
            match step {
                Next::Send => tokio::spawn(async move { batcher.send().await }),
                Next::WaitUntil(group, deadline) => tokio::spawn(async move {
                    sleep_until(deadline).await;
                    let next = batcher.state().linger_is_over(&group, Instant::now());
                    batcher.run(next);
                }),
            };
        }
    }

    async fn send(&self) {
        // Taken as late as possible: what arrived since the decision to send comes along.
        let mut next = Vec::new();
        let taken = self.state().take_batch(Instant::now(), &mut next);
        self.run(next);
        let Some((batch, ticket)) = taken else {
            return;
        };
        let count = batch.items.len();
        let written = AssertUnwindSafe(self.0.sink.write(batch)).catch_unwind();
        let report = written.await.unwrap_or_else(|_| Report {
            fates: vec![Err(lost()); count],
            overloaded: false,
        });
        let limit = self.state().limit();
        self.0.telemetry.catalog.batch_written(&report.fates, limit);
        let next = self.state().finish(ticket, report, Instant::now());
        self.run(next);
    }
}

/// The fate of a write nobody knows the fate of: repeating an upsert or a delete does no harm.
fn lost() -> CatalogError {
    CatalogError::Retry {
        message: "the write was interrupted; whether the catalog has it is not known".into(),
        after: None,
    }
}

impl<S: fmt::Debug> fmt::Debug for Batcher<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Batcher").field(&self.0.sink).finish()
    }
}

#[cfg(test)]
mod tests;
