//! An answer that was read to its end.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use super::HttpError;
use crate::raw::Raw;

/// An answer below 400, with its whole body.
#[derive(Clone, Debug)]
pub struct Response {
    pub(super) url: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Response {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A header as text, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body.
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// The body as a typed value.
    ///
    /// # Errors
    /// [`HttpError::Decode`]: the body is not JSON of that shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, HttpError> {
        serde_json::from_slice(&self.body).map_err(|error| HttpError::decode(&self.url, &error))
    }

    /// The body as a raw item, without a copy.
    ///
    /// # Errors
    /// [`HttpError::Decode`]: the body is not JSON.
    pub fn raw(&self) -> Result<Raw, HttpError> {
        Raw::parse(self.body.clone()).map_err(|error| HttpError::decode(&self.url, &error))
    }
}
