//! The typed payload.

use std::ops::Deref;

use serde::Deserialize;

use super::{EventContext, FromEvent};
use crate::error::Rejection;

/// The event's JSON as a `T`. An event that does not fit is rejected with the reason serde gives.
///
/// ```
/// use ocean_core::Payload;
///
/// #[derive(serde::Deserialize)]
/// struct Ping { zen: String }
///
/// fn length(payload: Payload<Ping>) -> usize {
///     payload.zen.len()
/// }
/// # assert_eq!(length(Payload(Ping { zen: "om".into() })), 2);
/// ```
#[derive(Clone, Debug)]
pub struct Payload<T>(pub T);

impl<T> Deref for Payload<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'e, T: Deserialize<'e>> FromEvent<'e> for Payload<T> {
    fn from_event(cx: &'e EventContext<'e>) -> Result<Self, Rejection> {
        serde_json::from_slice(cx.event.body())
            .map(Self)
            .map_err(|error| Rejection::invalid(error.to_string()))
    }
}
