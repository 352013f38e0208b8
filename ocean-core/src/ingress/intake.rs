//! From a request to events: everything the door checks, without the server around it.

use std::borrow::Cow;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;

use super::{
    Limits,
    body::{self, Coding, Form, Texts},
    reader::Buffered,
    refusal::Refusal,
};
use crate::{
    event::{EventParts, Headers, WebhookEvent, query_without_secrets},
    source::{Challenge, CheckedSource, Locator, RawRequest, Unverified},
};

/// A POST to a source, body read.
#[derive(Clone, Debug)]
pub(crate) struct Arrival<'a> {
    /// Names in lower case and values, secrets included.
    pub(crate) headers: &'a [(&'a str, &'a [u8])],
    /// The query string, without `?`, secrets included.
    pub(crate) query: &'a str,
    /// The body as received.
    pub(crate) body: Bytes,
    /// When it arrived.
    pub(crate) received_at: Timestamp,
}

impl Arrival<'_> {
    /// Checks the sender. Comes before everything that looks into the body: an impostor learns
    /// nothing else.
    ///
    /// # Errors
    /// Why the sender is not believed.
    pub(crate) async fn verify(&self, source: &CheckedSource) -> Result<(), Unverified> {
        let raw = RawRequest::new(self.headers, self.query, &self.body, self.received_at);
        source.verify(&raw).await
    }
}

/// What a request turns out to be.
#[derive(Debug)]
pub(crate) enum Intake {
    /// One event.
    Event(WebhookEvent),
    /// The events of an array; perhaps none.
    Batch(Vec<WebhookEvent>),
    /// The sender wants to see this JSON, to know that the address is ours.
    Challenge(String),
}

impl Intake {
    /// Decodes, parses and splits a request whose body is counted in `memory`; what comes out of it
    /// is counted there as well.
    ///
    /// # Errors
    /// Why it is refused.
    pub(crate) fn of(
        arrival: Arrival<'_>,
        source: &CheckedSource,
        limits: &Limits,
        memory: &mut Buffered<'_>,
    ) -> Result<Self, Refusal> {
        let declared = Declared::of(arrival.headers, source)?;
        let body = declared.coding.inflate(arrival.body.clone(), limits)?;
        let body = declared.form.json_text(body)?;
        memory.grow(body.len().saturating_sub(arrival.body.len()))?;
        // Before parsing: afterwards it would be too late to refuse.
        memory.grow(body::parsing_bytes(&body, limits)?)?;
        let texts = Texts::parse(body, source.source(), limits)?;
        let maker = EventMaker::new(&arrival, source);
        Ok(match texts {
            Texts::Batch(elements) => {
                let numbered = elements.into_iter().enumerate();
                let events = numbered
                    .map(|(index, (text, document))| maker.make(text, document, Some(index)));
                Self::Batch(events.collect())
            }
            Texts::One(text, document) => {
                let event = maker.make(text, document, None);
                match challenge_of(&event, source) {
                    Some(answer) => Self::Challenge(answer),
                    None => Self::Event(event),
                }
            }
        })
    }
}

fn challenge_of(event: &WebhookEvent, source: &CheckedSource) -> Option<String> {
    let Some(Challenge::PostPointer(pointer)) = source.source().challenge else {
        return None;
    };
    let challenge = Locator::Pointer(pointer).read(event.headers(), event.json().ok()?)?;
    Some(json!({ "challenge": challenge }).to_string())
}

// === Declared ===

/// What the headers say about the body; checked before the body is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declared {
    form: Form,
    coding: Coding,
}

impl Declared {
    pub(super) fn of(headers: &[(&str, &[u8])], source: &CheckedSource) -> Result<Self, Refusal> {
        let header = |wanted| {
            let (_, value) = headers.iter().find(|(name, _)| *name == wanted)?;
            // A value that is not text is not a type that we take.
            Some(std::str::from_utf8(value).unwrap_or("?"))
        };
        Ok(Self {
            form: Form::of(header("content-type"), source.source())?,
            coding: Coding::of(header("content-encoding"))?,
        })
    }
}

// === EventMaker ===

/// Makes the events of one request, which share headers and path.
struct EventMaker<'a> {
    arrival: &'a Arrival<'a>,
    source: &'a CheckedSource,
    headers: Headers,
    query: Cow<'a, str>,
}

impl<'a> EventMaker<'a> {
    fn new(arrival: &'a Arrival<'a>, source: &'a CheckedSource) -> Self {
        let public = arrival
            .headers
            .iter()
            .filter(|(name, _)| !source.is_secret_header(name))
            .map(|(name, value)| (name, String::from_utf8_lossy(value)));
        Self {
            arrival,
            source,
            headers: Headers::new(public),
            query: query_without_secrets(arrival.query),
        }
    }

    fn make(
        &self,
        body: Bytes,
        document: ocean_jq::Document,
        place: Option<usize>,
    ) -> WebhookEvent {
        let declared = self.source.source();
        let read = |locator: Option<Locator>| locator?.read(&self.headers, document.root());
        let name = read(declared.event_name);
        let mut delivery = read(declared.delivery);
        if let (Some(id), Some(Locator::Header(_)), Some(index)) =
            (&mut delivery, declared.delivery, place)
        {
            // One id in a header for many events: without their place all but the first would be
            // duplicates.
            *id = format!("{id}:{index}").into();
        }
        let parts = EventParts {
            path: self.source.path().clone(),
            name,
            delivery,
            received_at: self.arrival.received_at,
            headers: self.headers.clone(),
            query: self.query.as_ref().into(),
            body,
            ..EventParts::default()
        };
        WebhookEvent::with_document(parts, document)
    }
}
