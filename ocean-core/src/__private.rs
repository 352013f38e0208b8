//! What expansions of `#[webhook_processor]` name. Not part of the API: anything here may change
//! with any release.
//!
//! The traits and functions with `assert_` in their names exist for their errors: each mistake that
//! only the compiler can see leads to one of them, at the user's own token.

use std::future::{Future, ready};

pub use std::{sync::Arc, time::Duration};

pub use inventory;

pub use crate::{
    error::{ProcessorError, Rejection},
    event::WebhookEvent,
    extract::{EventContext, FromEvent},
    outcome::{IntoOutcome, Outcome},
    processor::{
        Condition, Literal, ProcessorSpec, Registration, RetryPolicy, Subject, Test,
        WebhookProcessor,
    },
};
use crate::{future::BoxFuture, processor::DynProcessor};

/// Passes the future of a processor function on, if it can move between threads.
// Boxed, so that the type of the result no longer names what may not be `Send`: the compiler would
// report it a second time, for the implementation of the trait.
pub fn assert_processor_future_is_send<'f, F: Future + Send + 'f>(
    future: F,
) -> BoxFuture<'f, F::Output> {
    Box::pin(future)
}

/// Makes a processor whose `impl` block is annotated: nothing but `Default` can make a value of
/// any type.
pub fn make_by_default<T: WebhookProcessor + Default>() -> Arc<dyn DynProcessor> {
    Arc::new(T::default())
}

// === IntoProcessorError ===

/// Errors that say what follows from them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a webhook processor: it does not say what follows from it",
    label = "does not convert into `ProcessorError`",
    note = "write `impl From<{Self}> for ProcessorError` with `ProcessorError::retry`, `permanent` or `drop`; for a foreign error return `ProcessorError` and use `.map_err(ProcessorError::retry)?`"
)]
pub trait IntoProcessorError {
    /// The error as dispatch works with it.
    fn into_processor_error(self) -> ProcessorError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<ProcessorError>> IntoProcessorError for E {
    fn into_processor_error(self) -> ProcessorError {
        self.into()
    }
}

// === HandlerResult ===

/// Results of a processor function whose return type is not a `Result` by name.
#[diagnostic::on_unimplemented(
    message = "a webhook processor cannot return `{Self}`",
    label = "not a result of a processor",
    note = "return `Result<Option<Raw>, E>`, `Result<Vec<Raw>, E>`, `Result<RawResults, E>` or `Result<(), E>`, where `E` converts into `ProcessorError`"
)]
pub trait HandlerResult {
    /// The result as dispatch works with it.
    fn into_result(self) -> Result<Outcome, ProcessorError>;
}

#[diagnostic::do_not_recommend]
impl<T: IntoOutcome, E: Into<ProcessorError>> HandlerResult for Result<T, E> {
    fn into_result(self) -> Result<Outcome, ProcessorError> {
        self.map(IntoOutcome::into_outcome).map_err(Into::into)
    }
}

// === Hooks ===

/// Marks what is there at once.
#[derive(Debug)]
pub enum AtOnce {}

/// Marks what must be awaited.
#[derive(Debug)]
pub enum Awaited {}

/// What a function given for `authenticate` or `validate` may return.
#[diagnostic::on_unimplemented(
    message = "a function given for `authenticate` or `validate` cannot return `{Self}`",
    label = "must return `Result<(), Rejection>`, at once or by a future that is `Send`",
    note = "write `fn check(event: &WebhookEvent) -> Result<(), Rejection>`, or the same as `async fn`"
)]
pub trait CheckResult<'f, Kind> {
    /// The verdict.
    fn into_check(self) -> BoxFuture<'f, Result<(), Rejection>>;
}

#[diagnostic::do_not_recommend]
impl<'f> CheckResult<'f, AtOnce> for Result<(), Rejection> {
    fn into_check(self) -> BoxFuture<'f, Self> {
        Box::pin(ready(self))
    }
}

#[diagnostic::do_not_recommend]
impl<'f, F> CheckResult<'f, Awaited> for F
where
    F: Future<Output = Result<(), Rejection>> + Send + 'f,
{
    fn into_check(self) -> BoxFuture<'f, F::Output> {
        Box::pin(self)
    }
}

/// What a function given for `on_error` may return.
#[diagnostic::on_unimplemented(
    message = "a function given for `on_error` cannot return `{Self}`",
    label = "must return `()`, at once or by a future that is `Send`",
    note = "write `fn report(cx: &EventContext<'_>, error: &ProcessorError)`, or the same as `async fn`"
)]
pub trait ReportResult<'f, Kind> {
    /// Its end.
    fn into_report(self) -> BoxFuture<'f, ()>;
}

#[diagnostic::do_not_recommend]
impl<'f> ReportResult<'f, AtOnce> for () {
    fn into_report(self) -> BoxFuture<'f, ()> {
        Box::pin(ready(()))
    }
}

#[diagnostic::do_not_recommend]
impl<'f, F: Future<Output = ()> + Send + 'f> ReportResult<'f, Awaited> for F {
    fn into_report(self) -> BoxFuture<'f, ()> {
        Box::pin(self)
    }
}
