//! What an integration brings so that `dev` and tests run without the tool.

use bytes::Bytes;

use crate::event::Headers;

/// A stand-in of the tool's API and sample events.
#[derive(Clone, Copy, Debug)]
pub struct DevKit {
    /// The settings `dev` starts with; `{api}` in a value is the stand-in's address.
    pub config: &'static [(&'static str, &'static str)],
    /// Answers one call of the tool's API from sample data.
    pub api: fn(&ApiRequest) -> ApiResponse,
    /// Events in the tool's own shape.
    pub samples: &'static [Sample],
}

/// One sample event.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// What happened, in a few words.
    pub name: &'static str,
    /// The path of its source.
    pub path: &'static str,
    /// Headers beside the content type.
    pub headers: &'static [(&'static str, &'static str)],
    /// Its JSON.
    pub body: &'static str,
}

/// A call of the tool's API.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// The method in upper case.
    pub method: String,
    /// The path, percent-decoded, without query.
    pub path: String,
    /// The query's names and values, decoded.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
}

/// The answer to an [`ApiRequest`].
#[derive(Clone, Debug)]
pub struct ApiResponse {
    /// The status.
    pub status: u16,
    /// Headers beside the content type, which is JSON.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl ApiResponse {
    /// 200 with this JSON.
    pub fn json(value: &impl serde::Serialize) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: crate::Raw::new(value).as_bytes().to_vec().into(),
        }
    }

    /// This status with an empty object.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::from_static(b"{}"),
        }
    }
}
