#![forbid(unsafe_code)]
#![deny(missing_docs, missing_debug_implementations, unreachable_pub, unused, nonstandard_style)]
#![deny(rust_2018_idioms, unused_qualifications, single_use_lifetimes)]
//! A crate that allows itself nothing.

/// Processors.
pub mod processors {
    use ocean_core::prelude::*;

    /// Keeps issues in step.
    ///
    /// # Errors
    /// None.
    #[webhook_processor(path = "/webhook", kinds = ["issue"], validate = check, on_error = report)]
    pub async fn issue(_event: &WebhookEvent) -> Result<RawResults, ProcessorError> {
        Ok(RawResults::none())
    }

    async fn check(_: &WebhookEvent) -> Result<(), Rejection> {
        Ok(())
    }

    async fn report(_: &EventContext<'_>, _: &ProcessorError) {}

    /// Answers pings.
    #[derive(Debug, Default)]
    pub struct Pings;

    #[webhook_processor(path = "/webhook", action)]
    impl WebhookProcessor for Pings {
        async fn handle_event(&self, _: &EventContext<'_>) -> Result<Outcome, ProcessorError> {
            Ok(RawResults::none().into_outcome())
        }
    }
}

fn main() {}
