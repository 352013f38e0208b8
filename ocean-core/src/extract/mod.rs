//! Extractors: what a processor function may ask for as arguments.
//!
//! An extractor reads the [`EventContext`] synchronously and may borrow from it. It declares what
//! it needs from state and mapping as a constant, so that a missing piece is found at start and
//! not by the first event.

use crate::{
    error::Rejection,
    event::WebhookEvent,
    resource::{Resource, SelectorType, TypeKey},
    state::StateMap,
};

mod event;
mod payload;
mod selector;
mod state;

pub use payload::Payload;
pub use selector::Selector;
pub use state::State;

/// One run of a processor: the event, the resource it runs for, and the integration's state.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct EventContext<'e> {
    /// The event.
    pub event: &'e WebhookEvent,
    /// The resource whose selector applies; `None` for action processors and for those that take
    /// no selector, which run once for the event.
    pub resource: Option<&'e Resource>,
    /// The integration's state.
    pub state: &'e StateMap,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

impl<'e> EventContext<'e> {
    /// The context of a first attempt without resource.
    pub fn new(event: &'e WebhookEvent, state: &'e StateMap) -> Self {
        Self {
            event,
            resource: None,
            state,
            attempt: 1,
        }
    }

    /// The context for this resource.
    #[must_use]
    pub fn with_resource(self, resource: Option<&'e Resource>) -> Self {
        Self { resource, ..self }
    }

    /// The context of this attempt, counted from 1.
    #[must_use]
    pub fn with_attempt(self, attempt: u32) -> Self {
        Self { attempt, ..self }
    }
}

/// Types that can be arguments of a processor function.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a webhook processor",
    label = "not an extractor",
    note = "arguments are `Payload<T>` where `T: Deserialize`, `Selector<T>`, `State<T>`, `&WebhookEvent`, `&Headers`, `Headers`, `Option<&Resource>` or a type that implements `FromEvent`"
)]
pub trait FromEvent<'e>: Sized {
    /// What must be there before the first event.
    const NEED: Need = Need::Nothing;

    /// Reads the argument.
    ///
    /// # Errors
    /// The event has not the shape the argument asks for.
    fn from_event(cx: &'e EventContext<'e>) -> Result<Self, Rejection>;
}

/// What an extractor needs from mapping and state.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Need {
    /// Nothing but the event.
    Nothing,
    /// A value of this type in the integration's state.
    State(TypeKey),
    /// The resource's selector as this type.
    Selector(SelectorType),
}
