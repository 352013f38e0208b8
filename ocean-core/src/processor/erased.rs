//! The form in which dispatch holds processors of any type.

use std::{borrow::Cow, time::Duration};

use super::{ProcessorType, RetryPolicy, WebhookProcessor};
use crate::{
    error::{ProcessorError, Rejection},
    event::WebhookEvent,
    extract::EventContext,
    future::BoxFuture,
    outcome::Outcome,
};

/// [`WebhookProcessor`] with boxed futures; implemented for every processor.
#[expect(missing_docs, reason = "each method is the trait's of the same name")]
pub trait DynProcessor: Send + Sync + 'static {
    fn processor_type(&self) -> ProcessorType;
    fn retry_policy(&self) -> RetryPolicy;
    fn should_process_event(&self, event: &WebhookEvent) -> bool;
    fn matching_kinds(&self, event: &WebhookEvent) -> Option<Vec<Cow<'static, str>>>;
    fn authenticate<'a>(&'a self, event: &'a WebhookEvent) -> BoxFuture<'a, Result<(), Rejection>>;
    fn validate_payload<'a>(
        &'a self,
        event: &'a WebhookEvent,
    ) -> BoxFuture<'a, Result<(), Rejection>>;
    fn handle_event<'a>(
        &'a self,
        cx: &'a EventContext<'_>,
    ) -> BoxFuture<'a, Result<Outcome, ProcessorError>>;
    fn before_processing<'a>(
        &'a self,
        cx: &'a EventContext<'_>,
    ) -> BoxFuture<'a, Result<(), ProcessorError>>;
    fn after_processing<'a>(
        &'a self,
        cx: &'a EventContext<'_>,
    ) -> BoxFuture<'a, Result<(), ProcessorError>>;
    fn on_error<'a>(
        &'a self,
        cx: &'a EventContext<'_>,
        error: &'a ProcessorError,
    ) -> BoxFuture<'a, ()>;
    fn cancel(&self, event: &WebhookEvent);
    fn should_retry(&self, error: &ProcessorError) -> bool;
    fn retry_delay(&self, retry: u32) -> Duration;
}

impl<T: WebhookProcessor> DynProcessor for T {
    fn processor_type(&self) -> ProcessorType {
        WebhookProcessor::processor_type(self)
    }

    fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy::of::<T>()
    }

    fn should_process_event(&self, event: &WebhookEvent) -> bool {
        WebhookProcessor::should_process_event(self, event)
    }

    fn matching_kinds(&self, event: &WebhookEvent) -> Option<Vec<Cow<'static, str>>> {
        WebhookProcessor::matching_kinds(self, event)
    }

    fn authenticate<'a>(&'a self, event: &'a WebhookEvent) -> BoxFuture<'a, Result<(), Rejection>> {
        Box::pin(WebhookProcessor::authenticate(self, event))
    }

    fn validate_payload<'a>(
        &'a self,
        event: &'a WebhookEvent,
    ) -> BoxFuture<'a, Result<(), Rejection>> {
        Box::pin(WebhookProcessor::validate_payload(self, event))
    }

    fn handle_event<'a>(
        &'a self,
        cx: &'a EventContext<'_>,
    ) -> BoxFuture<'a, Result<Outcome, ProcessorError>> {
        Box::pin(WebhookProcessor::handle_event(self, cx))
    }

    fn before_processing<'a>(
        &'a self,
        cx: &'a EventContext<'_>,
    ) -> BoxFuture<'a, Result<(), ProcessorError>> {
        Box::pin(WebhookProcessor::before_processing(self, cx))
    }

    fn after_processing<'a>(
        &'a self,
        cx: &'a EventContext<'_>,
    ) -> BoxFuture<'a, Result<(), ProcessorError>> {
        Box::pin(WebhookProcessor::after_processing(self, cx))
    }

    fn on_error<'a>(
        &'a self,
        cx: &'a EventContext<'_>,
        error: &'a ProcessorError,
    ) -> BoxFuture<'a, ()> {
        Box::pin(WebhookProcessor::on_error(self, cx, error))
    }

    fn cancel(&self, event: &WebhookEvent) {
        WebhookProcessor::cancel(self, event);
    }

    fn should_retry(&self, error: &ProcessorError) -> bool {
        WebhookProcessor::should_retry(self, error)
    }

    fn retry_delay(&self, retry: u32) -> Duration {
        WebhookProcessor::retry_delay(self, retry)
    }
}
