//! Shared state of the integration.

use std::{ops::Deref, sync::Arc};

use super::{EventContext, FromEvent, Need};
use crate::{error::Rejection, resource::TypeKey};

/// A value of the integration's state, such as its API client. That it exists is checked at start.
#[derive(Debug)]
pub struct State<T>(pub Arc<T>);

impl<T> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'e, T: Send + Sync + 'static> FromEvent<'e> for State<T> {
    const NEED: Need = Need::State(TypeKey::of::<T>());

    fn from_event(cx: &'e EventContext<'e>) -> Result<Self, Rejection> {
        // Refused at start; only a hand-made context can bring it here.
        cx.state.get().map(Self).ok_or_else(|| {
            let name = TypeKey::of::<T>().name();
            Rejection::invalid(format!("no state `{name}`; add it in `Integration::state`"))
        })
    }
}
