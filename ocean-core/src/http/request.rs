//! A request as data: it can be sent again.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde::Serialize;
use url::Url;

use super::HttpError;

/// A request that can be sent again. Mistakes in its parts surface when it is sent.
#[derive(Clone)]
pub struct Request {
    pub(super) method: Method,
    pub(super) url: Result<Url, HttpError>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) timeout: Option<Duration>,
    pub(super) repeatable: bool,
    pub(super) max_retries: Option<u32>,
}

impl Request {
    /// A request with this method to this absolute URL.
    pub fn new(method: Method, url: &str) -> Self {
        Self {
            url: Url::parse(url)
                .map_err(|error| HttpError::invalid(format!("`{url}` is not a URL: {error}"))),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: None,
            // Upstream repeats what HTTP calls idempotent, and TRACE.
            repeatable: method.is_idempotent(),
            max_retries: None,
            method,
        }
    }

    /// A GET request.
    pub fn get(url: &str) -> Self {
        Self::new(Method::GET, url)
    }

    /// A POST request. It is not repeated unless [`repeatable`](Self::repeatable) says so.
    pub fn post(url: &str) -> Self {
        Self::new(Method::POST, url)
    }

    /// A PUT request.
    pub fn put(url: &str) -> Self {
        Self::new(Method::PUT, url)
    }

    /// A PATCH request. It is not repeated unless [`repeatable`](Self::repeatable) says so.
    pub fn patch(url: &str) -> Self {
        Self::new(Method::PATCH, url)
    }

    /// A DELETE request.
    pub fn delete(url: &str) -> Self {
        Self::new(Method::DELETE, url)
    }

    /// Adds a parameter to the query.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl AsRef<str>) -> Self {
        if let Ok(url) = &mut self.url {
            url.query_pairs_mut().append_pair(name, value.as_ref());
        }
        self
    }

    /// Sets a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let parsed = HeaderName::try_from(name)
            .ok()
            .zip(HeaderValue::try_from(value.as_ref()).ok());
        match parsed {
            Some((name, value)) => {
                self.headers.insert(name, value);
            }
            None => {
                // The value may be a secret, so only the name is told.
                self.url = Err(HttpError::invalid(format!(
                    "header `{name}` has a character that headers cannot carry"
                )));
            }
        }
        self
    }

    /// Authorizes with a bearer token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header(header::AUTHORIZATION.as_str(), format!("Bearer {token}"))
    }

    /// Authorizes with name and password.
    #[must_use]
    pub fn basic(self, user: &str, password: &str) -> Self {
        let credentials = STANDARD.encode(format!("{user}:{password}"));
        self.header(
            header::AUTHORIZATION.as_str(),
            format!("Basic {credentials}"),
        )
    }

    /// Sets the body to the JSON of `value`.
    #[must_use]
    pub fn json(mut self, value: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self.json_body(body.into()),
            Err(error) => {
                self.url = Err(HttpError::invalid(format!(
                    "the body does not serialize to JSON: {error}"
                )));
                self
            }
        }
    }

    /// Sets the body to this JSON text.
    #[must_use]
    pub fn json_body(mut self, body: Bytes) -> Self {
        self.headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        self.body = body;
        self
    }

    /// Says whether sending it twice does no harm, where the method alone does not tell.
    #[must_use]
    pub fn repeatable(mut self, repeatable: bool) -> Self {
        self.repeatable = repeatable;
        self
    }

    /// Another time limit than the client's, body included.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Another limit of repeats than the client's.
    #[must_use]
    pub fn max_retries(mut self, max_retries: u32) -> Self {
        self.max_retries = Some(max_retries);
        self
    }

    /// Whether sending it twice does no harm.
    pub fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    /// The URL it goes to.
    ///
    /// # Errors
    /// The URL or another part of the request is not valid.
    pub fn url(&self) -> Result<&Url, HttpError> {
        self.url.as_ref().map_err(HttpError::clone)
    }
}

impl std::fmt::Debug for Request {
    // Headers, query and body may carry secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let url = self.url.as_ref().map(super::error::public_url);
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &url)
            .finish_non_exhaustive()
    }
}
