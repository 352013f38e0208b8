//! Processors: the trait, its constant description, and the registry that finds them.
//!
//! Three roads lead to the same trait: the attribute on an `async fn`, the attribute on an
//! `impl WebhookProcessor for T`, and `Ocean::builder().processor(..)`. Dispatch sees only the
//! erased form, and only [`registry`] reads `inventory`.

use std::{borrow::Cow, future::Future, time::Duration};

use crate::{
    error::{ProcessorError, Rejection},
    event::WebhookEvent,
    extract::EventContext,
    outcome::Outcome,
};

mod erased;
mod field;
pub mod index;
mod lanes;
pub mod registry;
mod spec;

pub use erased::DynProcessor;
pub use index::{ProcessorIndex, Route};
pub use lanes::lane_of_key;
pub use registry::{Registered, Registration, Registry};
pub use spec::{
    Condition, DeleteSpec, EventMatch, Literal, Location, Mismatch, ProcessorSpec, RetryPolicy,
    Subject, Test,
};

/// What a processor is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ProcessorType {
    /// Keeps entities of its kinds in step; runs for resources of the mapping.
    #[default]
    Webhook,
    /// Acts on an event without kind, resource or mapping, such as finishing an action run.
    Action,
}

/// Handles live events: the counterpart of upstream's `AbstractWebhookProcessor`.
///
/// Every method but [`handle_event`](Self::handle_event) has a default. The order of calls for an
/// event: [`should_process_event`](Self::should_process_event) and
/// [`matching_kinds`](Self::matching_kinds); then per run, `should_process_event` again,
/// [`before_processing`](Self::before_processing), [`authenticate`](Self::authenticate),
/// [`validate_payload`](Self::validate_payload), [`handle_event`](Self::handle_event), and
/// [`after_processing`](Self::after_processing) on success or [`on_error`](Self::on_error) on any
/// failure. One value serves all events at once, so it keeps no state of an event.
///
/// ```
/// use ocean_core::prelude::*;
///
/// struct Pings;
///
/// impl WebhookProcessor for Pings {
///     async fn handle_event(&self, cx: &EventContext<'_>) -> Result<Outcome, ProcessorError> {
///         let ping = Raw::parse(cx.event.body().clone())?;
///         Ok(RawResults::updated([ping]).into_outcome())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a webhook processor",
    note = "annotate an `async fn` with `#[webhook_processor(..)]` or implement `WebhookProcessor`"
)]
pub trait WebhookProcessor: Send + Sync + 'static {
    /// Retries after the first attempt.
    const MAX_RETRIES: u32 = RetryPolicy::DEFAULT.max_retries;
    /// The delay before the first retry.
    const INITIAL_RETRY_DELAY: Duration = RetryPolicy::DEFAULT.initial_delay;
    /// The longest delay between two attempts.
    const MAX_RETRY_DELAY: Duration = RetryPolicy::DEFAULT.max_delay;
    /// The factor by which the delay grows.
    const EXPONENTIAL_BASE: f64 = RetryPolicy::DEFAULT.exponential_base;

    /// What the processor is for; `Webhook` by default.
    fn processor_type(&self) -> ProcessorType {
        ProcessorType::Webhook
    }

    /// Whether the event concerns this processor, beyond the declared filter; `true` by default.
    /// Called before authentication, on receipt and again in each attempt. A panic counts as yes on
    /// receipt and fails the attempt, which is retried and ends as a dead letter: no event is lost
    /// to it.
    fn should_process_event(&self, event: &WebhookEvent) -> bool {
        let _ = event;
        true
    }

    /// The kinds of which this event updates entities; `None`, the default, means the declared
    /// ones. Not called for [`ProcessorType::Action`].
    fn matching_kinds(&self, event: &WebhookEvent) -> Option<Vec<Cow<'static, str>>> {
        let _ = event;
        None
    }

    /// A check of the sender beyond the source's verification, which took place at the door.
    /// A rejection makes the event a dead letter and is never retried.
    fn authenticate(
        &self,
        event: &WebhookEvent,
    ) -> impl Future<Output = Result<(), Rejection>> + Send {
        let _ = event;
        std::future::ready(Ok(()))
    }

    /// A check of the payload's shape. A rejection makes the event a dead letter and is never
    /// retried.
    fn validate_payload(
        &self,
        event: &WebhookEvent,
    ) -> impl Future<Output = Result<(), Rejection>> + Send {
        let _ = event;
        std::future::ready(Ok(()))
    }

    /// Brings the raw items that the event is about.
    fn handle_event(
        &self,
        cx: &EventContext<'_>,
    ) -> impl Future<Output = Result<Outcome, ProcessorError>> + Send;

    /// Runs before authentication, in each attempt.
    fn before_processing(
        &self,
        cx: &EventContext<'_>,
    ) -> impl Future<Output = Result<(), ProcessorError>> + Send {
        let _ = cx;
        std::future::ready(Ok(()))
    }

    /// Runs after a successful [`handle_event`](Self::handle_event).
    fn after_processing(
        &self,
        cx: &EventContext<'_>,
    ) -> impl Future<Output = Result<(), ProcessorError>> + Send {
        let _ = cx;
        std::future::ready(Ok(()))
    }

    /// Runs after each failed attempt, also the last; the failure is logged in any case.
    fn on_error(
        &self,
        cx: &EventContext<'_>,
        error: &ProcessorError,
    ) -> impl Future<Output = ()> + Send {
        let _ = (cx, error);
        std::future::ready(())
    }

    /// Runs when an attempt is given up: its time is over, or the process shuts down.
    fn cancel(&self, event: &WebhookEvent) {
        let _ = event;
    }

    /// Whether a failed attempt is repeated; what the error says, by default.
    fn should_retry(&self, error: &ProcessorError) -> bool {
        error.is_retryable()
    }

    /// The delay before retry number `retry`, from 1: `initial * base^(retry - 1)`, capped, before
    /// jitter. With the default constants 1, 2 and 4 seconds.
    fn retry_delay(&self, retry: u32) -> Duration {
        RetryPolicy::of::<Self>().delay(retry)
    }
}
