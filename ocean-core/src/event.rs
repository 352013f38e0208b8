//! The event as it was received: what every room of the house works on.
//!
//! A [`WebhookEvent`] is immutable and cheap to clone; processors of one event share it, so that
//! none can change what the others see.

use std::{
    borrow::Cow,
    fmt,
    num::ParseIntError,
    str::FromStr,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use jiff::Timestamp;
use ocean_jq::{Document, ParseError, Value};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Identifies an accepted event; later events have larger ids.
///
/// The number is the time of acceptance in microseconds since 1970, made unique and strictly
/// increasing by the queue, so ids stay unique when a data folder is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(i64);

impl EventId {
    /// The id with this number.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number of the id.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for EventId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

// === Headers ===

/// Request headers: names in lower case, repeated names kept in the order received.
///
/// ```
/// use ocean_core::Headers;
///
/// let headers = Headers::new([("X-GitHub-Event", "push"), ("x-tag", "a"), ("x-tag", "b")]);
/// assert_eq!(headers.get("x-github-event"), Some("push"));
/// assert_eq!(headers.get("X-Tag"), Some("a"), "the first of a repeated header");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Option<Arc<Packed>>);

/// Headers in two allocations, however many there are: they are made on one thread and freed on
/// another, event by event.
#[derive(PartialEq, Eq)]
struct Packed {
    /// Names and values, one after the other.
    text: Box<str>,
    /// Where each name and its value end in it.
    ends: SmallVec<[(u32, u32); 16]>,
}

impl Headers {
    /// Headers of these names and values.
    pub fn new<N, V>(entries: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let mut text = String::with_capacity(512);
        let mut ends = SmallVec::new();
        for (name, value) in entries {
            let start = text.len();
            text.push_str(name.as_ref());
            text[start..].make_ascii_lowercase();
            let name_end = text.len();
            text.push_str(value.as_ref());
            let end = |end| u32::try_from(end).expect("a request's headers have less than 4 GiB");
            ends.push((end(name_end), end(text.len())));
        }
        if ends.is_empty() {
            return Self::default();
        }
        let text = text.into_boxed_str();
        Self(Some(Arc::new(Packed { text, ends })))
    }

    /// The first value of the header, whatever the case of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Names and values, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let packed = self.0.as_deref().into_iter();
        packed.flat_map(|Packed { text, ends }| {
            let mut start = 0;
            ends.iter().map(move |&(name_end, value_end)| {
                let (name_end, value_end) = (name_end as usize, value_end as usize);
                let header = (&text[start..name_end], &text[name_end..value_end]);
                start = value_end;
                header
            })
        })
    }

    /// The headers but those that [carry secrets](Self::carries_secret); they are removed rather
    /// than masked, so that no value of them can be mistaken for one that was sent.
    ///
    /// ```
    /// use ocean_core::Headers;
    ///
    /// let headers = Headers::new([("Authorization", "Basic eA=="), ("x-hub-signature", "sha256=0")]);
    /// assert_eq!(headers.without_secrets(), Headers::new([("x-hub-signature", "sha256=0")]));
    /// ```
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        if !self.iter().any(|(name, _)| Self::carries_secret(name)) {
            return self.clone();
        }
        Self::new(self.iter().filter(|(name, _)| !Self::carries_secret(name)))
    }

    /// Whether a header of this name, in lower case, carries a credential in clear: `authorization`
    /// and `cookie` in all their forms, and names that end in `token`, `secret`, `password`,
    /// `api-key` or `apikey`. A signature is no secret: it says nothing about the key it was made
    /// with.
    pub fn carries_secret(name: &str) -> bool {
        const ENDINGS: [&str; 9] = [
            "authorization",
            "cookie",
            "token",
            "secret",
            "password",
            "api-key",
            "apikey",
            "access-key",
            "credential",
        ];
        ENDINGS.iter().any(|ending| name.ends_with(ending))
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Headers {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<(String, String)>::deserialize(deserializer).map(Self::new)
    }
}

// === Query strings ===

/// The query string without the parameters that carry a credential. In a query even a signature is
/// one: whoever has the address can use it again.
///
/// Those are, whatever their case and with `_` for `-`, the names of
/// [`Headers::carries_secret`], `key`, `sig`, `auth`, `jwt`, `pwd`, `pass` and `passwd` as they
/// stand, and names that end in `signature`. The rest stays as it was sent.
pub(crate) fn query_without_secrets(query: &str) -> Cow<'_, str> {
    let is_secret = |pair: &&str| {
        let name = url::form_urlencoded::parse(pair.as_bytes()).next();
        name.is_some_and(|(name, _)| is_secret_parameter(&name))
    };
    if !query.split('&').any(|pair| is_secret(&pair)) {
        return query.into();
    }
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_secret(pair)).collect();
    kept.join("&").into()
}

fn is_secret_parameter(name: &str) -> bool {
    const NAMES: [&str; 7] = ["key", "sig", "auth", "jwt", "pwd", "pass", "passwd"];
    let name = name.to_ascii_lowercase().replace('_', "-");
    NAMES.contains(&&*name) || name.ends_with("signature") || Headers::carries_secret(&name)
}

// === WebhookEvent ===

/// One live event: an accepted request of a third-party tool, or one element of its JSON array.
#[derive(Clone)]
pub struct WebhookEvent(Arc<Inner>);

struct Inner {
    parts: EventParts,
    // Parsed on first use: an event that is only stored or shown is never parsed twice.
    document: OnceLock<Result<Document, ParseError>>,
}

/// What a [`WebhookEvent`] is made of.
#[derive(Clone, Debug)]
pub struct EventParts {
    /// The id the queue gave it; `EventId::new(0)` before it was accepted.
    pub id: EventId,
    /// The registered path of its source, such as `/webhook`.
    pub path: Arc<str>,
    /// The event's name as its source reads it, such as `jira:issue_updated`.
    pub name: Option<Box<str>>,
    /// The sender's own id of this delivery.
    pub delivery: Option<Box<str>>,
    /// When the request arrived.
    pub received_at: Timestamp,
    /// The request's headers, without those that carry secrets.
    pub headers: Headers,
    /// The request's query string, without `?` and without parameters that carry secrets: those
    /// named as a secret header would be (`token`, `access_token`, ..), `key`, `sig`, `auth`, and
    /// signatures. Empty if there was none.
    pub query: Box<str>,
    /// The JSON text of the event.
    pub body: Bytes,
}

impl Default for EventParts {
    fn default() -> Self {
        Self {
            id: EventId::new(0),
            path: "/webhook".into(),
            name: None,
            delivery: None,
            received_at: Timestamp::UNIX_EPOCH,
            headers: Headers::default(),
            query: "".into(),
            body: Bytes::from_static(b"{}"),
        }
    }
}

impl WebhookEvent {
    /// The event of these parts.
    pub fn new(parts: EventParts) -> Self {
        Self(Arc::new(Inner {
            parts,
            document: OnceLock::new(),
        }))
    }

    /// The event of these parts, whose body was parsed already: `document` is that of `parts.body`.
    pub fn with_document(parts: EventParts, document: Document) -> Self {
        Self(Arc::new(Inner {
            parts,
            document: OnceLock::from(Ok(document)),
        }))
    }

    /// The same event under the id that the queue gives it. Costs nothing while nobody else holds
    /// the event, and keeps what was parsed.
    #[must_use]
    pub(crate) fn with_id(self, id: EventId) -> Self {
        self.with(|parts| parts.id = id)
    }

    /// The same event with this id of its delivery. Costs nothing while nobody else holds the event,
    /// and keeps what was parsed.
    #[must_use]
    pub(crate) fn with_delivery(self, delivery: Box<str>) -> Self {
        self.with(|parts| parts.delivery = Some(delivery))
    }

    /// The same event, changed. `change` must leave the body as it is: what was parsed is kept where
    /// nobody else holds the event.
    fn with(mut self, change: impl FnOnce(&mut EventParts)) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            change(&mut inner.parts);
            return self;
        }
        let mut parts = self.0.parts.clone();
        change(&mut parts);
        Self::new(parts)
    }

    /// The id under which the queue keeps it.
    pub fn id(&self) -> EventId {
        self.0.parts.id
    }

    /// The registered path of its source, such as `/webhook`.
    pub fn path(&self) -> &Arc<str> {
        &self.0.parts.path
    }

    /// The event's name as its source reads it, such as `jira:issue_updated`.
    pub fn name(&self) -> Option<&str> {
        self.0.parts.name.as_deref()
    }

    /// The sender's own id of this delivery.
    pub fn delivery(&self) -> Option<&str> {
        self.0.parts.delivery.as_deref()
    }

    /// When the request arrived.
    pub fn received_at(&self) -> Timestamp {
        self.0.parts.received_at
    }

    /// The request's headers, without those that carry secrets.
    pub fn headers(&self) -> &Headers {
        &self.0.parts.headers
    }

    /// The request's query string, without `?` and without parameters that carry secrets.
    pub fn query(&self) -> &str {
        &self.0.parts.query
    }

    /// The JSON text of the event.
    pub fn body(&self) -> &Bytes {
        &self.0.parts.body
    }

    /// The parsed body.
    ///
    /// # Errors
    /// The body is not JSON. The door refuses such requests, so this is seen only for events
    /// that were put together by hand or damaged on disk.
    pub fn json(&self) -> Result<Value<'_>, &ParseError> {
        match self.0.document.get_or_init(|| Document::parse(self.body())) {
            Ok(document) => Ok(document.root()),
            Err(error) => Err(error),
        }
    }

    /// The value at an RFC 6901 pointer into the body; `None` when absent or `null`.
    pub fn pointer(&self, pointer: &str) -> Option<Value<'_>> {
        self.json()
            .ok()?
            .pointer(pointer)
            .filter(|value| !value.is_null())
    }

    /// The memory that the parsed body takes, in bytes; 0 as long as nobody parsed it.
    pub(crate) fn parsed_bytes(&self) -> u64 {
        match self.0.document.get() {
            Some(Ok(document)) => document.heap_bytes() as u64,
            _ => 0,
        }
    }

    /// Gives up the parsed body, which is parsed again when somebody asks for it, and returns the
    /// bytes that it took. Nothing happens while somebody else holds the event.
    pub(crate) fn forget_parsed(&mut self) -> u64 {
        let bytes = self.parsed_bytes();
        match Arc::get_mut(&mut self.0) {
            Some(inner) => {
                inner.document.take();
                bytes
            }
            None => 0,
        }
    }

    /// All its parts.
    pub fn parts(&self) -> &EventParts {
        &self.0.parts
    }
}

impl fmt::Debug for WebhookEvent {
    // Bodies and headers never reach a log by way of `Debug`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookEvent")
            .field("id", &self.id())
            .field("path", self.path())
            .field("name", &self.name())
            .field("delivery", &self.delivery())
            .field("body_bytes", &self.body().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, kept: &str) {
        assert_eq!(query_without_secrets(query), kept, "{query}");
    }

    #[test]
    fn queries_lose_their_secrets_and_nothing_else() {
        check("", "");
        check("a=1&b=%20&&c", "a=1&b=%20&&c");
        check("token=x", "");
        check("a=1&access_token=x&b=2", "a=1&b=2");
        check("Api_Key=x&projectKey=OPS&key=x", "projectKey=OPS");
        check("X-Amz-Signature=x&sig=y&signed=1", "signed=1");
        check("%74oken=x&client%5Fsecret=y&tokens=2", "tokens=2");
        check("a=token=x", "a=token=x");
    }
}
