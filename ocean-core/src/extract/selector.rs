//! The typed selector.

use std::{ops::Deref, sync::Arc};

use serde::de::DeserializeOwned;

use super::{EventContext, FromEvent, Need};
use crate::{
    error::Rejection,
    resource::{SelectorType, TypeKey},
};

/// The selector of the resource the processor runs for, parsed when the mapping was loaded.
///
/// A processor with this argument runs once for each distinct selector among the resources of its
/// kinds; one without runs once for the event.
#[derive(Debug)]
pub struct Selector<T>(pub Arc<T>);

impl<T> Deref for Selector<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'e, T: DeserializeOwned + Send + Sync + 'static> FromEvent<'e> for Selector<T> {
    const NEED: Need = Need::Selector(SelectorType::of::<T>());

    fn from_event(cx: &'e EventContext<'e>) -> Result<Self, Rejection> {
        // Both lacks are refused at start; only a hand-made context can bring them here.
        let resource = cx
            .resource
            .ok_or_else(|| Rejection::invalid("no resource to select by"))?;
        resource.selector.get().map(Self).ok_or_else(|| {
            let name = TypeKey::of::<T>().name();
            Rejection::invalid(format!(
                "the selector of {resource} was not read as `{name}`"
            ))
        })
    }
}
