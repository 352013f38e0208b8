//! The loop that moves events from the feed into lanes and from lanes to workers.
//!
//! It alone touches the lanes; turns run as tasks of their own and come back through a
//! [`JoinSet`]. A turn needs a place of a handler to start. Once its handlers are through it gives
//! the places back and may wait for the catalog with many others, so that writes are batched while
//! handlers stay within their limit; the number of turns as a whole is bounded, too.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::OwnedSemaphorePermit,
    task::{JoinError, JoinSet},
    time::{Instant, sleep_until},
};

use super::{
    gate::Gate,
    job::{Job, JobEnd, TurnEnd, Worker},
    lanes::{LaneTable, Ready, Turn},
    verdict::LONGEST_WAIT,
};
use crate::{
    event::EventId,
    queue::{Cached, Feed, Pending},
    supervisor::Shutdown,
};

/// Turns for each handler's place: the others wait for the catalog.
const TURNS_PER_HANDLER: usize = 16;

/// How many entries are taken from the feed at once.
const BATCH: usize = 256;

/// Moves events from the feed through the lanes to the workers.
#[derive(Debug)]
pub(super) struct Driver {
    worker: Arc<Worker>,
    lanes: LaneTable,
    gate: Gate,
    /// Events at hand that wait for their first turn.
    cached: HashMap<EventId, Cached>,
    turns: JoinSet<(Ready, TurnEnd)>,
    max_turns: usize,
    /// The origin of the lanes' time, which does not jump with the wall clock.
    started: Instant,
}

impl Driver {
    pub(super) fn new(worker: Arc<Worker>) -> Self {
        let max_turns = worker.handlers.available_permits() * TURNS_PER_HANDLER;
        Self {
            worker,
            lanes: LaneTable::default(),
            gate: Gate::default(),
            cached: HashMap::new(),
            turns: JoinSet::new(),
            max_turns,
            started: Instant::now(),
        }
    }

    /// Runs until shutdown is requested, or the feed has ended and everything is done; then waits
    /// for running turns and for what they recorded.
    pub(super) async fn drive(mut self, mut feed: Feed, mut shutdown: Shutdown) {
        let mapping = self.worker.mapping.clone();
        let mut mapped = mapping.current().is_some();
        let mut fed = true;
        let mut batch = Vec::with_capacity(BATCH);
        let mut handler: Option<OwnedSemaphorePermit> = None;
        loop {
            let wants = mapped && self.start(&mut handler);
            let metrics = &self.worker.telemetry.dispatch;
            metrics.load(self.turns.len(), self.lanes.len());
            if !fed && self.lanes.is_empty() {
                break;
            }
            // Without a mapping nothing starts, so a date that has come would be one for ever.
            let timer = mapped.then(|| self.next_timer()).flatten();
            let wake = self.started + timer.unwrap_or_default();
            let handlers = Arc::clone(&self.worker.handlers);
            tokio::select! {
                () = shutdown.requested() => break,
                Some(ended) = self.turns.join_next() => self.finish(ended),
                count = feed.recv_many(&mut batch, BATCH), if fed => {
                    fed = count > 0;
                    batch.drain(..).for_each(|pending| self.admit(pending));
                }
                permit = handlers.acquire_owned(), if wants => handler = permit.ok(),
                () = sleep_until(wake), if timer.is_some() => {}
                _ = mapping.ready(), if !mapped => mapped = true,
            }
        }
        drop(handler);
        while let Some(ended) = self.turns.join_next().await {
            self.finish(ended);
        }
        self.worker.queue.flushed().await;
    }

    fn admit(&mut self, pending: Pending) {
        let Pending {
            id,
            lanes,
            not_before,
            resumed,
            cached,
        } = pending;
        let date = not_before.and_then(|date| {
            let wait: Duration = date
                .duration_since(self.worker.clock.now())
                .try_into()
                .ok()?;
            Some(self.now() + wait.min(LONGEST_WAIT))
        });
        self.lanes.push(id, &lanes, date, resumed);
        if let Some(mut cached) = cached {
            // It will not run soon, and more of them fit into the budget without what is parsed:
            // one that does not fit is read from the store, which costs many times a parse.
            if self.cached.len() >= self.max_turns {
                cached.shrink();
            }
            self.cached.insert(id, cached);
        }
        if lanes.len() > 1 {
            self.worker.shared.admit(id, lanes, resumed);
        }
    }

    /// Starts what may start; `handler` is a place at hand. Returns whether more could start if
    /// there were a place.
    fn start(&mut self, handler: &mut Option<OwnedSemaphorePermit>) -> bool {
        let now = self.now();
        // Asked first: it wakes lanes whose date has come, which else would be waited for in vain.
        while self.lanes.has_ready(now)
            && self.turns.len() < self.max_turns
            && self.gate.lets_through(now)
        {
            let place = handler
                .take()
                .or_else(|| Arc::clone(&self.worker.handlers).try_acquire_owned().ok());
            let Some(place) = place else {
                return true;
            };
            let ready = self.lanes.next_ready(now).expect("just asked");
            let before = self.lanes.before(&ready);
            for older in &before {
                // They will probably never run, so they need not take up memory.
                self.cached.remove(&older.id);
            }
            let job = Job {
                ready,
                before,
                cached: self.cached.remove(&ready.id),
                handler: place,
            };
            self.gate.passed(ready, now);
            self.turns.spawn(Arc::clone(&self.worker).work(job));
        }
        // A place held idle would be missed by turns with several handlers.
        *handler = None;
        false
    }

    fn finish(&mut self, ended: Result<(Ready, TurnEnd), JoinError>) {
        self.end(ended);
        while let Some(ended) = self.turns.try_join_next() {
            self.end(ended);
        }
    }

    fn end(&mut self, ended: Result<(Ready, TurnEnd), JoinError>) {
        // A turn catches all panics; one that gets here is a fault that nobody may live on with.
        let (ready, TurnEnd { end, seen }) =
            ended.expect("turns catch their panics and are not aborted");
        let now = self.now();
        match end {
            JobEnd::Over => self.lanes.finish(&ready, Turn::Over),
            JobEnd::GivenUp => self.lanes.finish(&ready, Turn::Alone),
            JobEnd::Again(delay) => self.lanes.finish(&ready, Turn::Again(now + delay)),
            JobEnd::Later(delay) => self.lanes.finish(&ready, Turn::Later(now + delay)),
            // The lane stays as it is: the process is about to end.
            JobEnd::Left => {}
        }
        self.gate.ended(&ready, seen, now);
    }

    /// When a lane is ready by itself, or the gate lets one through that is.
    fn next_timer(&self) -> Option<Duration> {
        let now = self.now();
        let gate = self.gate.opens_at().filter(|opens| *opens > now);
        match gate {
            Some(gate) if self.lanes.any_ready() => Some(gate),
            Some(gate) => self.lanes.next_timer().map(|lane| lane.max(gate)),
            None => self.lanes.next_timer(),
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}
