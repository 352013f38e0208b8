//! Live events for Port: receive, keep, map and write, written as annotated async functions.

#[doc(hidden)]
pub mod __private;
pub mod admin;
pub mod catalog;
mod clock;
pub mod dev;
pub mod dispatch;
mod error;
mod event;
mod extract;
pub mod failpoint;
mod future;
pub mod http;
pub mod ingress;
mod integration;
mod lane;
pub mod mapping;
mod nearest;
mod outcome;
pub mod prelude;
pub mod processor;
pub mod queue;
mod raw;
mod resource;
mod runtime;
pub mod source;
mod state;
pub mod supervisor;
pub mod telemetry;
#[cfg(feature = "testkit")]
pub mod testkit;

pub use clock::Clock;
pub use error::{ErrorClass, ProcessorError, Rejection, StartError};
pub use event::{EventId, EventParts, Headers, WebhookEvent};
pub use extract::{EventContext, FromEvent, Need, Payload, Selector, State};
pub use future::BoxFuture;
pub use integration::{Assets, Integration, StartContext};
pub use lane::{Lane, LaneEntry, Lanes};
pub use ocean_macros::webhook_processor;
pub use outcome::{IntoOutcome, Outcome, RawResults};
pub use processor::WebhookProcessor;
pub use raw::{Raw, WithRaw};
pub use resource::{Resource, SelectorSet, SelectorType, TypeKey};
pub use runtime::run;
pub use source::Source;
pub use state::StateMap;
