//! Dispatch: takes events from the queue's feed and sees each to its end.
//!
//! It owns lanes, workers, timeouts, retries and the decision what an event's fate is. **One slow,
//! failing or poisoned event never holds up another key; every run ends in success, a retry with a
//! date, or a dead letter with its reason; an event is done only when the catalog confirmed its
//! writes.**
//!
//! An event has a *turn* in each of its lanes. A turn makes *calls* of handlers: one for each
//! processor, or for each distinct selector where the processor takes one. A call serves *runs*,
//! one for each resource that maps its results; attempts and outcomes are counted by run. What
//! follows from a fault:
//!
//! | Fault | Follows |
//! |---|---|
//! | rejected: authentication, validation, `requires`, decoding | dead letter at once |
//! | retryable error, panic, timeout, catalog 429, 5xx | retried 1, 2, 4 s later (± 20 %), `Retry-After` at least; then dead letter |
//! | outage of a service | waited out, uses up no retry |
//! | permanent error, write refused by the catalog | dead letter, unless `should_retry` says otherwise |
//! | mapping fails for an item | the item yields nothing, the story says so; dead letter if it fails for all |
//! | a newer event that would supersede it is given up | runs after all |
//! | the process ends while the event runs | resumed at start; dead letter after [`DispatchOptions::max_restarts`] times |
//!
//! Processors of a turn run at once and do not see each other's faults, but their results are
//! written together, as upstream does: one that hangs until its time is over delays the writes of
//! the others of the same event.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use crate::{
    catalog::Catalog,
    clock::Clock,
    mapping::MappingHandle,
    processor::Registry,
    queue::{Feed, Queue},
    state::StateMap,
    supervisor::Supervisor,
    telemetry::Telemetry,
};

mod attempt;
mod calls;
mod comparison;
mod driver;
mod gate;
mod job;
mod lanes;
mod pointer;
mod settle;
mod shared;
mod supersede;
mod takeup;
mod trial;
mod verdict;
mod writes;

pub use self::trial::{Trial, TrialReport, TrialRun, trial, trial_with_actions};

pub(crate) use self::comparison::Comparison;

use self::{driver::Driver, job::Worker};

/// Everything dispatch works with.
#[derive(Debug)]
pub struct DispatchParts {
    /// The processors.
    pub registry: Arc<Registry>,
    /// Where fates are written down.
    pub queue: Arc<dyn Queue>,
    /// What is waiting.
    pub feed: Feed,
    /// The current mapping; dispatch waits while there is none yet.
    pub mapping: MappingHandle,
    /// Where entities go.
    pub catalog: Arc<dyn Catalog>,
    /// The integration's state.
    pub state: StateMap,
    /// The time.
    pub clock: Clock,
    /// Metrics.
    pub telemetry: Arc<Telemetry>,
    /// Settings.
    pub options: DispatchOptions,
}

/// Settings of dispatch.
#[derive(Clone, Debug)]
pub struct DispatchOptions {
    /// Handlers in flight at once (`OCEAN__EVENT_WORKERS_COUNT`).
    pub workers: NonZeroUsize,
    /// The longest time one attempt may take, whatever a processor declares
    /// (`OCEAN__MAX_EVENT_PROCESSING_SECONDS`).
    pub max_attempt_time: Duration,
    /// How often a process may die while an event runs before the event is a dead letter.
    pub max_restarts: u32,
}

/// Starts dispatch under `supervisor`. When shutdown is requested it takes up nothing new, lets
/// running handlers finish, and ends; what was not finished stays in the queue.
pub fn start(parts: DispatchParts, supervisor: &Supervisor) {
    let worker = Worker::new(&parts, supervisor.shutdown());
    let driver = Driver::new(Arc::new(worker));
    supervisor.spawn("dispatch", driver.drive(parts.feed, supervisor.shutdown()));
}
