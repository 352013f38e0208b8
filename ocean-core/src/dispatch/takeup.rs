//! Taking up an event: from the cache or the queue, with care for one that an earlier process left.

use std::time::Duration;

use tokio::sync::SemaphorePermit;

use super::{job::Worker, lanes::Ready, shared::Entered, verdict::LONGEST_WAIT};
use crate::{
    event::{EventId, WebhookEvent},
    failpoint,
    queue::{Change, QueueError, Story},
};

/// An event and what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) event: WebhookEvent,
    pub(super) story: Story,
    restarts: u32,
}

impl Loaded {
    fn fresh(event: WebhookEvent) -> Self {
        Self {
            event,
            story: Story::default(),
            restarts: 0,
        }
    }
}

/// An event that may run now.
#[derive(Debug)]
pub(super) struct TakenUp<'a> {
    pub(super) loaded: Loaded,
    /// Its place among the suspects, if it is one.
    pub(super) suspect: Option<SemaphorePermit<'a>>,
}

/// Why an event cannot be taken up.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It never can.
    Dead { reason: String, story: Story },
    /// Not now; again after this time.
    Later(Duration),
    /// The queue is closed.
    Closed,
}

impl Refusal {
    /// Nothing is known of the event.
    fn dead(reason: impl ToString) -> Self {
        Self::Dead {
            reason: reason.to_string(),
            story: Story::default(),
        }
    }
}

/// The least wait before an event that could not be read is read again.
const LOAD_AGAIN: Duration = Duration::from_secs(1);

/// The mean wait before a suspect asks for its turn again while another one runs.
const SUSPECT_AGAIN: Duration = Duration::from_secs(1);

impl Worker {
    /// Finds out what is known of the event and whether it may run.
    pub(super) async fn take_up(
        &self,
        ready: &Ready,
        entered: Option<&Entered>,
        cached: Option<WebhookEvent>,
    ) -> Result<TakenUp<'_>, Refusal> {
        let loaded = self.look_up(ready, entered, cached).await?;
        let suspect = if ready.resumed {
            self.wait_for_date(&loaded.story, ready)?;
            self.resume(&loaded, entered.is_none_or(|it| it.resume))
                .await?
        } else {
            None
        };
        Ok(TakenUp { loaded, suspect })
    }

    /// Finds out what is known of the event.
    pub(super) async fn look_up(
        &self,
        ready: &Ready,
        entered: Option<&Entered>,
        cached: Option<WebhookEvent>,
    ) -> Result<Loaded, Refusal> {
        let recorded = ready.retried || entered.is_some_and(|it| it.recorded);
        let fresh = !recorded && !ready.resumed;
        match (entered, cached) {
            (None, Some(event)) if fresh => Ok(Loaded::fresh(event)),
            (None, _) => self.load(ready.id, recorded).await,
            (Some(entered), cached) => {
                let load = async || match cached {
                    Some(event) if fresh => Ok(Loaded::fresh(event)),
                    _ => self.load(ready.id, recorded).await,
                };
                Ok(entered.copy.get_or_try_init(load).await?.clone())
            }
        }
    }

    /// The feed knows one date for an event in several lanes: the earliest.
    fn wait_for_date(&self, story: &Story, ready: &Ready) -> Result<(), Refusal> {
        let date = story.date_in(ready.lane);
        let wait = date.map(|date| date.duration_since(self.clock.now()));
        match wait.map(Duration::try_from) {
            Some(Ok(wait)) if !wait.is_zero() => Err(Refusal::Later(wait.min(LONGEST_WAIT))),
            _ => Ok(()),
        }
    }

    async fn load(&self, id: EventId, recorded: bool) -> Result<Loaded, Refusal> {
        if recorded {
            // What was recorded must be in what is read, or retries would be counted wrong.
            self.queue.flushed().await;
        }
        match self.queue.load(id).await {
            Ok(Some(stored)) => Ok(Loaded {
                event: stored.event,
                story: stored.story,
                restarts: stored.restarts,
            }),
            Ok(None) => Err(Refusal::dead("the queue no longer has the event")),
            Err(error @ QueueError::Damaged { .. }) => Err(Refusal::dead(error)),
            Err(QueueError::Closed) => Err(Refusal::Closed),
            Err(error) => {
                self.telemetry.dispatch.load_failed(id, &error);
                let wait = match error {
                    QueueError::Failing { retry_after, .. }
                    | QueueError::Full { retry_after, .. } => retry_after,
                    _ => Duration::ZERO,
                };
                Err(Refusal::Later(wait.max(LOAD_AGAIN)))
            }
        }
    }

    /// Notes durably that an event left by an earlier process is taken up, before it can do harm
    /// again. Many that resume at once share one commit, because each waits for it by itself.
    async fn resume(
        &self,
        loaded: &Loaded,
        record: bool,
    ) -> Result<Option<SemaphorePermit<'_>>, Refusal> {
        let restarts = loaded.restarts;
        if restarts >= self.max_restarts {
            return Err(Refusal::Dead {
                reason: format!("the process ended {restarts} times while this event ran"),
                story: loaded.story.clone(),
            });
        }
        let suspect = match restarts {
            0 => None,
            // Waiting here would hold a handler's place that innocent events need.
            _ => match self.suspects.try_acquire() {
                Ok(suspect) => Some(suspect),
                Err(_) => return Err(Refusal::Later(SUSPECT_AGAIN.mul_f64(0.5 + fastrand::f64()))),
            },
        };
        if record {
            self.queue.record(loaded.event.id(), Change::Resumed);
        }
        self.queue.flushed().await;
        failpoint::hit("dispatch.after_resume");
        Ok(suspect)
    }
}
