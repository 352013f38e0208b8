//! Events as tests write them.

use jiff::Timestamp;

use crate::{
    event::{EventId, EventParts, Headers, WebhookEvent},
    source::Source,
};

/// An event that a test makes up.
///
/// ```
/// use ocean_core::testkit::TestEvent;
///
/// let push = TestEvent::json(r#"{"ref":"refs/heads/main"}"#)
///     .named("push")
///     .header("X-GitHub-Delivery", "1");
/// ```
#[derive(Clone, Debug)]
pub struct TestEvent {
    body: String,
    path: Option<String>,
    name: Option<String>,
    query: String,
    headers: Vec<(String, String)>,
}

impl TestEvent {
    /// The event with this JSON as its body.
    pub fn json(body: impl Into<String>) -> Self {
        Self {
            body: body.into(),
            path: None,
            name: None,
            query: String::new(),
            headers: Vec::new(),
        }
    }

    /// Its name. By default the source says where it stands, if the kit knows the source.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The path it arrives on; by default that of the kit's first processor.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Adds a request header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Its query string, without `?`.
    #[must_use]
    pub fn query(mut self, query: impl Into<String>) -> Self {
        self.query = query.into();
        self
    }

    pub(super) fn build(
        &self,
        default_path: &str,
        sources: &[Source],
        received_at: Timestamp,
    ) -> WebhookEvent {
        let path = self.path.as_deref().unwrap_or(default_path);
        let headers = Headers::new(
            self.headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        let parts = EventParts {
            id: EventId::new(1),
            path: path.into(),
            name: self.name.as_deref().map(Into::into),
            received_at,
            headers,
            query: self.query.as_str().into(),
            body: self.body.clone().into(),
            ..EventParts::default()
        };
        let event = WebhookEvent::new(parts);
        let locator = sources
            .iter()
            .find(|source| source.path == path)
            .and_then(|source| source.event_name);
        let name = match (event.name(), locator, event.json()) {
            (None, Some(locator), Ok(body)) => locator.read(event.headers(), body),
            _ => return event.clone(),
        };
        let parts = event.parts().clone();
        WebhookEvent::new(EventParts { name, ..parts })
    }
}
