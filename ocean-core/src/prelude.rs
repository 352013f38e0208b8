//! Everything a file of processors needs: `use ocean_core::prelude::*;`.

pub use crate::{
    EventContext, FromEvent, Headers, IntoOutcome, Outcome, Payload, ProcessorError, Raw,
    RawResults, Rejection, Resource, Selector, State, WebhookEvent, WebhookProcessor, WithRaw,
    webhook_processor,
};
