//! One turn of an event in one lane, from taking it up to writing down what became of it.
//!
//! The processors of the turn run at once and apart from each other; then their results are mapped
//! and written together; then each run gets its outcome, and the event its fate. A turn never
//! panics: a fault of dispatch itself makes the event a dead letter like any other.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::join_all};
use jiff::Timestamp;
use smallvec::SmallVec;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit},
    time::Instant,
};

use super::{
    DispatchParts,
    attempt::{self, Brought},
    calls::{Call, calls},
    gate::Seen,
    lanes::Ready,
    settle::Settlement,
    shared::{Entered, LaneEnd, SharedEvents, ended},
    takeup::{Loaded, Refusal, TakenUp},
    writes::{Answers, Input, Landing},
};
use crate::{
    catalog::Catalog,
    clock::Clock,
    error::ProcessorError,
    event::{EventId, WebhookEvent},
    extract::EventContext,
    failpoint,
    lane::{LaneEntry, Lanes},
    mapping::{Mapping, MappingHandle},
    outcome::RawResults,
    processor::{Registry, registry::Registered},
    queue::{Cached, Change, Queue, RunState, Story},
    state::StateMap,
    supervisor::Shutdown,
    telemetry::Telemetry,
};

/// Works on turns; one for all of them.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) registry: Arc<Registry>,
    pub(super) queue: Arc<dyn Queue>,
    pub(super) mapping: MappingHandle,
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) state: StateMap,
    pub(super) clock: Clock,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) shared: SharedEvents,
    /// Handlers in flight.
    pub(super) handlers: Arc<Semaphore>,
    max_attempt_time: Duration,
    pub(super) max_restarts: u32,
    /// Events that were running when a process ended run one at a time, so that one that kills the
    /// process is found out without its neighbours being blamed.
    pub(super) suspects: Semaphore,
    pub(super) shutdown: Shutdown,
}

/// What a turn works on.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) ready: Ready,
    /// The events that leave the lane with it if it takes effect, oldest first.
    pub(super) before: Vec<Ready>,
    /// The event, if it is at hand.
    pub(super) cached: Option<Cached>,
    /// The place of the first handler.
    pub(super) handler: OwnedSemaphorePermit,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JobEnd {
    /// The event has left the lane, with those before it.
    Over,
    /// The event has left the lane without effect, or not with all it should have had.
    GivenUp,
    /// It ran and is tried again after this time.
    Again(Duration),
    /// It could not run yet and is taken up after this time.
    Later(Duration),
    /// The process is about to end; what becomes of the event is the next one's business.
    Left,
}

/// How a turn ended, and what it saw of the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TurnEnd {
    pub(super) end: JobEnd,
    pub(super) seen: Seen,
}

/// The end of a turn that did not get as far as the catalog.
impl From<JobEnd> for TurnEnd {
    fn from(end: JobEnd) -> Self {
        let seen = Seen::Nothing;
        Self { end, seen }
    }
}

impl Worker {
    pub(super) fn new(parts: &DispatchParts, shutdown: Shutdown) -> Self {
        Self {
            registry: Arc::clone(&parts.registry),
            queue: Arc::clone(&parts.queue),
            mapping: parts.mapping.clone(),
            catalog: Arc::clone(&parts.catalog),
            state: parts.state.clone(),
            clock: parts.clock,
            telemetry: Arc::clone(&parts.telemetry),
            shared: SharedEvents::default(),
            handlers: Arc::new(Semaphore::new(parts.options.workers.get())),
            max_attempt_time: parts.options.max_attempt_time,
            max_restarts: parts.options.max_restarts,
            suspects: Semaphore::new(1),
            shutdown,
        }
    }

    /// Works on one turn.
    pub(super) async fn work(self: Arc<Self>, job: Job) -> (Ready, TurnEnd) {
        let ready = job.ready;
        let entered = ready.shared.then(|| self.shared.enter(ready.id, true));
        let end = AssertUnwindSafe(self.run(job, entered.as_ref())).catch_unwind();
        let end = match end.await {
            Ok(end) => end,
            Err(panic) => {
                let fault = attempt::panicked("dispatch ", &*panic);
                self.conclude(
                    &ready,
                    None,
                    LaneEnd::Dead(fault.to_string()),
                    Story::default(),
                )
                .into()
            }
        };
        if matches!(end.end, JobEnd::Over | JobEnd::GivenUp) {
            // The next of the lane starts only when this end is durable. Were the process killed
            // in between, both would run again, and the older one's effect would follow the newer
            // one's for a moment.
            self.queue.flushed().await;
        }
        (ready, end)
    }

    async fn run(&self, job: Job, entered: Option<&Entered>) -> TurnEnd {
        let Job {
            ready,
            before,
            cached,
            handler,
        } = job;
        let (event, permit) = cached.map_or((None, None), |it| (Some(it.event), it.permit));
        // Lives as long as the event is in use: its bytes are on the queue's budget.
        let _budget = permit;
        let taken_up = match self.take_up(&ready, entered, event).await {
            Ok(taken_up) => taken_up,
            Err(Refusal::Dead { reason, story }) => {
                let end = LaneEnd::Dead(reason);
                return self.conclude(&ready, None, end, story).into();
            }
            Err(Refusal::Later(delay)) => {
                return self.pause(&ready, entered, JobEnd::Later(delay)).into();
            }
            Err(Refusal::Closed) => return self.pause(&ready, entered, JobEnd::Left).into(),
        };
        // Taking it up may have waited for a commit, and shutdown starts nothing new.
        if self.shutdown.is_requested() {
            return self.pause(&ready, entered, JobEnd::Left).into();
        }
        let turn = (ready, &*before);
        self.run_event(turn, entered, taken_up, handler).await
    }

    async fn run_event(
        &self,
        (ready, before): (Ready, &[Ready]),
        entered: Option<&Entered>,
        taken_up: TakenUp<'_>,
        handler: OwnedSemaphorePermit,
    ) -> TurnEnd {
        let TakenUp {
            loaded: Loaded { event, story, .. },
            suspect,
        } = taken_up;
        let Members {
            processors,
            orphaned,
        } = self.members(&ready, entered, &event);
        let mut story = match entered {
            Some(_) => runs_of(story, &processors),
            None => story,
        };
        if orphaned {
            let reason = "no processor is for it any more: restore the one that was, and replay it";
            let end = LaneEnd::Dead(reason.to_owned());
            return self.conclude(&ready, Some(&event), end, story).into();
        }
        let mapping = match self.mapping.current() {
            Some(mapping) => mapping,
            None => self.mapping.ready().await,
        };
        let mut to_call: SmallVec<[Call<'_>; 1]> = SmallVec::new();
        for registered in processors {
            to_call.extend(calls(registered, &event, mapping.resources(), &mut story));
        }
        let tried = self.call_all(to_call, &event, handler).await;
        let (end, seen) = self
            .settle(tried, &event, &mapping, suspect, &mut story)
            .await;
        if matches!(end, LaneEnd::Through) && !self.supersede(before, ready.id, &story).await {
            let end = self.pause(&ready, entered, JobEnd::Left);
            return TurnEnd { end, seen };
        }
        let end = self.conclude(&ready, Some(&event), end, story);
        TurnEnd { end, seen }
    }

    /// The processors of the event in the turn's lane.
    pub(super) fn members(
        &self,
        ready: &Ready,
        entered: Option<&Entered>,
        event: &WebhookEvent,
    ) -> Members<'_> {
        let route = self.registry.route(event);
        let alone;
        let lanes = match entered {
            Some(entered) => &entered.lanes,
            None => {
                alone = Lanes::from_elem(lane_entry(ready), 1);
                &alone
            }
        };
        let places = self.registry.in_lane(event, &route, ready.lane, lanes);
        Members {
            orphaned: places.is_empty() && self.registry.keeps_lanes(event, &route, lanes),
            processors: places
                .iter()
                .map(|place| self.registry.get(*place))
                .collect(),
        }
    }

    // --- Calling ---

    async fn call_all<'a>(
        &self,
        calls: SmallVec<[Call<'a>; 1]>,
        event: &WebhookEvent,
        handler: OwnedSemaphorePermit,
    ) -> Vec<Tried<'a>> {
        let mut first = Some(handler);
        if calls.len() == 1 {
            let call = calls.into_iter().next().expect("there is one");
            return vec![self.call(call, event, first.take()).await];
        }
        let calls = calls
            .into_iter()
            .map(|call| self.call(call, event, first.take()));
        join_all(calls).await
    }

    async fn call<'a>(
        &self,
        mut call: Call<'a>,
        event: &WebhookEvent,
        handler: Option<OwnedSemaphorePermit>,
    ) -> Tried<'a> {
        let _handler = match handler {
            Some(handler) => handler,
            None => {
                let handlers = Arc::clone(&self.handlers);
                handlers.acquire_owned().await.expect("never closed")
            }
        };
        let (at, began) = (self.clock.now(), Instant::now());
        failpoint::hit("dispatch.before_handler");
        let result = match call.broken.take() {
            Some(error) => Err(error),
            None => {
                let limit = self.limit(&call);
                attempt::attempt(call.registered, &self.context(&call, event), limit).await
            }
        };
        if let Err(error) = &result {
            self.report(&call, event, error).await;
        }
        Tried {
            call,
            at,
            began,
            result: result.map(|Brought { results, note }| (Arc::new(results), note)),
        }
    }

    fn context<'a>(&'a self, call: &'a Call<'_>, event: &'a WebhookEvent) -> EventContext<'a> {
        EventContext::new(event, &self.state)
            .with_resource(call.selector.as_deref())
            .with_attempt(call.attempt)
    }

    async fn report(&self, call: &Call<'_>, event: &WebhookEvent, error: &ProcessorError) {
        let processor = &*call.registered.processor;
        let context = self.context(call, event);
        attempt::report(processor, &context, error, self.limit(call)).await;
    }

    fn limit(&self, call: &Call<'_>) -> Duration {
        call.registered.spec.timeout.min(self.max_attempt_time)
    }

    // --- Settling ---

    async fn settle(
        &self,
        tried: Vec<Tried<'_>>,
        event: &WebhookEvent,
        mapping: &Arc<Mapping>,
        suspect: Option<SemaphorePermit<'_>>,
        story: &mut Story,
    ) -> (LaneEnd, Seen) {
        failpoint::hit("dispatch.after_handlers");
        let nothing = Arc::default();
        let inputs: SmallVec<[Input<'_>; 1]> = tried
            .iter()
            .map(|tried| Input {
                resources: &tried.call.resources,
                results: Arc::clone(tried.result.as_ref().map_or(&nothing, |(it, _)| it)),
            })
            .collect();
        let landing = Landing {
            event,
            mapping,
            catalog: &*self.catalog,
            telemetry: &self.telemetry,
        };
        let Answers { landed, seen } = landing.land(&inputs).await;
        failpoint::hit("dispatch.after_writes");
        drop(suspect);
        let mut settlement = Settlement::new(event.id(), &self.telemetry.dispatch, landed);
        for (input, tried) in tried.iter().enumerate() {
            settlement.settle(input, tried, story);
            if let Some(error) = settlement.write_error(input, tried) {
                self.report(&tried.call, event, error).await;
            }
        }
        let end = match settlement.again() {
            Some(delay) => {
                let date = self.clock.now().saturating_add(delay);
                LaneEnd::Again(date.unwrap_or(Timestamp::MAX))
            }
            None => LaneEnd::Through,
        };
        (end, seen)
    }

    // --- Concluding ---

    /// Writes down what became of the turn, and of the event if that was its last.
    pub(super) fn conclude(
        &self,
        ready: &Ready,
        event: Option<&WebhookEvent>,
        end: LaneEnd,
        mut story: Story,
    ) -> JobEnd {
        let job_end = match &end {
            LaneEnd::Again(at) => {
                let delay = at.duration_since(self.clock.now());
                JobEnd::Again(delay.try_into().unwrap_or(Duration::ZERO))
            }
            LaneEnd::Dead(_) => JobEnd::GivenUp,
            LaneEnd::Through if has_dead(&story) => JobEnd::GivenUp,
            _ => JobEnd::Over,
        };
        if let LaneEnd::Dead(reason) = &end {
            story.notes.push(reason.clone());
        }
        let record = |change| self.record(ready.id, event, change);
        if ready.shared {
            self.shared.leave(ready.id, ready.lane, end, story, record);
            return job_end;
        }
        record(match end {
            LaneEnd::Again(at) => Change::Retry { at, story },
            LaneEnd::Superseded(by) => Change::Superseded { by, story },
            LaneEnd::Waits => Change::Progress { next: None, story },
            LaneEnd::Dead(reason) => Change::Dead { reason, story },
            LaneEnd::Through => ended(story),
        });
        job_end
    }

    fn record(&self, id: EventId, event: Option<&WebhookEvent>, change: Change) {
        let metrics = &self.telemetry.dispatch;
        match &change {
            Change::Done(_) => {
                let lag = event.map(|it| self.clock.now().duration_since(it.received_at()));
                let lag = lag.and_then(|lag| lag.try_into().ok());
                metrics.event_done(lag.unwrap_or_default());
            }
            Change::Dead { reason, .. } => metrics.event_dead(id, reason),
            Change::Superseded { by, .. } => metrics.event_superseded(id, *by),
            _ => {}
        }
        self.queue.record(id, change);
        failpoint::hit("dispatch.after_record");
    }

    pub(super) fn pause(&self, ready: &Ready, entered: Option<&Entered>, end: JobEnd) -> JobEnd {
        if let Some(entered) = entered {
            self.shared.pause(ready.id, entered);
        }
        end
    }
}

/// Whether a run was given up.
pub(super) fn has_dead(story: &Story) -> bool {
    story.runs.iter().any(|run| run.state == RunState::Dead)
}

fn lane_entry(ready: &Ready) -> LaneEntry {
    LaneEntry {
        lane: ready.lane,
        coalesce: None,
    }
}

/// The runs of these processors; other lanes keep theirs.
pub(super) fn runs_of(story: Story, processors: &[&Registered]) -> Story {
    let mut runs = story.runs;
    runs.retain(|run| processors.iter().any(|it| it.spec.name == &*run.processor));
    Story {
        runs,
        ..Story::default()
    }
}

// === Members ===

/// The processors of a turn.
#[derive(Debug)]
pub(super) struct Members<'a> {
    pub(super) processors: SmallVec<[&'a Registered; 4]>,
    /// There are none, because the one for which the event was put into the lane is gone.
    pub(super) orphaned: bool,
}

// === Tried ===

/// A call that was made.
#[derive(Debug)]
pub(super) struct Tried<'a> {
    pub(super) call: Call<'a>,
    pub(super) at: Timestamp,
    pub(super) began: Instant,
    pub(super) result: Result<(Arc<RawResults>, Option<&'static str>), ProcessorError>,
}
