//! One attempt of one processor: all its steps under one time limit, none of its faults let out.
//!
//! Whatever a processor does (panic, hang, err), the attempt ends within its limit with a result
//! or an error. A handler that blocks its thread without ever awaiting is beyond any limit.

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt as _;
use tokio::time::timeout;

use super::pointer::raw_at;
use crate::{
    error::{ProcessorError, Rejection},
    event::WebhookEvent,
    extract::EventContext,
    outcome::{Outcome, RawResults},
    processor::{DynProcessor, ProcessorSpec, registry::Registered},
    raw::Raw,
};

/// What a successful attempt brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Brought {
    /// The raw items.
    pub(super) results: RawResults,
    /// What an operator should know beside them.
    pub(super) note: Option<&'static str>,
}

/// Makes one attempt, `limit` long at most.
///
/// A panic is an error like any fault of unknown cause: it is repeated as the processor's policy
/// says and ends as a dead letter. So is a timeout.
pub(super) async fn attempt(
    registered: &Registered,
    cx: &EventContext<'_>,
    limit: Duration,
) -> Result<Brought, ProcessorError> {
    let mut given_up = GivenUp {
        processor: &*registered.processor,
        event: cx.event,
        armed: true,
    };
    let steps = AssertUnwindSafe(steps(registered, cx)).catch_unwind();
    let result = timeout(limit, steps).await;
    given_up.armed = result.is_err();
    match result {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(panicked("", &*panic)),
        Err(_) => Err(ProcessorError::retry(format!(
            "timed out after {limit:?}; raise the processor's `timeout` or `OCEAN__MAX_EVENT_PROCESSING_SECONDS` if it needs longer"
        ))),
    }
}

/// Tells the processor about a failed attempt; what it makes of it changes nothing.
pub(super) async fn report(
    processor: &dyn DynProcessor,
    cx: &EventContext<'_>,
    error: &ProcessorError,
    limit: Duration,
) {
    let reported = AssertUnwindSafe(async { processor.on_error(cx, error).await }).catch_unwind();
    match timeout(limit, reported).await {
        Ok(Ok(())) => {}
        Ok(Err(panic)) => {
            let error = panicked("on_error ", &*panic);
            tracing::warn!(event = %cx.event.id(), %error, "A hook failed.");
        }
        Err(_) => {
            tracing::warn!(event = %cx.event.id(), ?limit, "`on_error` did not end in time.");
        }
    }
}

/// Runs `call` of a processor, which is code of its author; a panic becomes an error.
pub(super) fn guarded<T>(name: &str, call: impl FnOnce() -> T) -> Result<T, ProcessorError> {
    std::panic::catch_unwind(AssertUnwindSafe(call))
        .map_err(|panic| panicked(&format!("{name} "), &*panic))
}

/// The error that a panic stands for; `whose` ends in a space.
pub(super) fn panicked(whose: &str, panic: &(dyn Any + Send)) -> ProcessorError {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    ProcessorError::retry(format!("{whose}panicked: {text}"))
}

async fn steps(registered: &Registered, cx: &EventContext<'_>) -> Result<Brought, ProcessorError> {
    let Registered { spec, processor } = registered;
    // A panic when the event was routed comes again here, as a fault of the attempt.
    if !registered.wants(cx.event) {
        return Err(ProcessorError::drop(
            "the processor no longer takes the event",
        ));
    }
    require(spec, cx.event)?;
    processor.before_processing(cx).await?;
    processor.authenticate(cx.event).await?;
    processor.validate_payload(cx.event).await?;
    let mut brought = if spec.deletes(cx.event) {
        declared_delete(spec, cx.event)?
    } else {
        match processor.handle_event(cx).await? {
            Outcome::Results(results) => Brought {
                results,
                note: None,
            },
            Outcome::NotFound => declared_delete(spec, cx.event)?,
        }
    };
    if let Some(enrich) = spec.enrich {
        brought.results = enriched(brought.results, |raw| enrich(cx.event, raw));
    }
    processor.after_processing(cx).await?;
    Ok(brought)
}

fn enriched(results: RawResults, enrich: impl Fn(Raw) -> Raw) -> RawResults {
    let RawResults { updated, deleted } = results;
    RawResults::updated(updated.into_iter().map(&enrich))
        .and_deleted(deleted.into_iter().map(&enrich))
}

fn require(spec: &ProcessorSpec, event: &WebhookEvent) -> Result<(), Rejection> {
    let missing = spec
        .requires
        .iter()
        .find(|pointer| event.pointer(pointer).is_none());
    match missing {
        Some(pointer) => Err(Rejection::invalid(format!("no value at `{pointer}`"))),
        None => Ok(()),
    }
}

fn declared_delete(spec: &ProcessorSpec, event: &WebhookEvent) -> Result<Brought, Rejection> {
    let Some(delete) = &spec.delete else {
        return Ok(Brought {
            results: RawResults::none(),
            note: Some("not found, and no `delete` declared: nothing is deleted"),
        });
    };
    let pointer = delete.pointer;
    let raw = raw_at(event.body(), pointer)
        .ok_or_else(|| Rejection::invalid(format!("nothing to delete at `{pointer}`")))?;
    Ok(Brought {
        results: RawResults::deleted([raw]),
        note: None,
    })
}

// === GivenUp ===

/// Calls the processor's `cancel` when an attempt is dropped before its end: its time is over, or
/// the process shuts down.
struct GivenUp<'a> {
    processor: &'a dyn DynProcessor,
    event: &'a WebhookEvent,
    armed: bool,
}

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        if let Err(error) = guarded("cancel", || self.processor.cancel(self.event)) {
            tracing::warn!(event = %self.event.id(), %error, "A hook failed.");
        }
    }
}
