//! The event itself and its parts as arguments.

use super::{EventContext, FromEvent};
use crate::{
    error::Rejection,
    event::{Headers, WebhookEvent},
    resource::Resource,
};

impl<'e> FromEvent<'e> for &'e WebhookEvent {
    fn from_event(cx: &'e EventContext<'e>) -> Result<Self, Rejection> {
        Ok(cx.event)
    }
}

impl<'e> FromEvent<'e> for &'e Headers {
    fn from_event(cx: &'e EventContext<'e>) -> Result<Self, Rejection> {
        Ok(cx.event.headers())
    }
}

impl<'e> FromEvent<'e> for Headers {
    fn from_event(cx: &'e EventContext<'e>) -> Result<Self, Rejection> {
        Ok(cx.event.headers().clone())
    }
}

impl<'e> FromEvent<'e> for Option<&'e Resource> {
    fn from_event(cx: &'e EventContext<'e>) -> Result<Self, Rejection> {
        Ok(cx.resource)
    }
}

impl<'e> FromEvent<'e> for &'e EventContext<'e> {
    fn from_event(cx: &'e EventContext<'e>) -> Result<Self, Rejection> {
        Ok(cx)
    }
}
