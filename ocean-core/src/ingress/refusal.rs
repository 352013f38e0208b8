//! Why a request is not accepted, and what its sender is told.

use std::{borrow::Cow, time::Duration};

use crate::{queue::QueueError, source::Unverified};

/// Why a request is not accepted.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No source has this path.
    #[error("nothing is served at this path")]
    NotFound,
    /// The path is known, the method is not for it.
    #[error("use {allow}")]
    Method {
        /// The methods that are.
        allow: &'static str,
    },
    /// The body, or what it inflates to, exceeds `OCEAN__MAX_BODY_BYTES`.
    #[error("the body exceeds {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The batch has too many events.
    #[error("the array has more than {limit} elements")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The body has too many JSON values.
    #[error("the body has more than {limit} JSON values")]
    TooManyValues {
        /// The limit.
        limit: usize,
    },
    /// The body is declared to be something that the source does not take.
    #[error("the content type is not {expected}")]
    MediaType {
        /// What it should be.
        expected: &'static str,
    },
    /// The body is compressed in a way that is not supported.
    #[error("the content encoding is neither gzip nor identity")]
    ContentEncoding,
    /// The sender is not believed, or cannot be verified at the moment.
    #[error("{0}")]
    Unverified(#[from] Unverified),
    /// The body is not JSON.
    #[error("the body is not JSON: {0}")]
    Json(String),
    /// The body is JSON of a type that the source does not take.
    #[error("{0}")]
    Shape(Cow<'static, str>),
    /// The body is declared as gzip or as a form, and is neither.
    #[error("{0}")]
    Undecodable(&'static str),
    /// The body did not arrive in time.
    #[error("the body did not arrive within {} s", .0.as_secs())]
    TooSlow(Duration),
    /// The connection ended within the body.
    #[error("the body is incomplete")]
    Incomplete,
    /// The door holds as many bytes in memory as it may.
    #[error("too many large requests at once")]
    Busy,
    /// The queue does not take events at the moment.
    #[error("{0}")]
    Queue(#[from] QueueError),
    /// A defect of the integration or of this crate.
    #[error("internal error")]
    Internal,
}

impl Refusal {
    /// The status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::Method { .. } => 405,
            Self::TooLarge { .. }
            | Self::TooMany { .. }
            | Self::TooManyValues { .. }
            | Self::Queue(QueueError::TooLarge { .. }) => 413,
            Self::MediaType { .. } | Self::ContentEncoding => 415,
            Self::Unverified(Unverified::Unavailable(_)) | Self::Queue(_) => 503,
            Self::Unverified(_) => 401,
            Self::Json(_) | Self::Shape(_) | Self::Undecodable(_) | Self::Incomplete => 400,
            Self::TooSlow(_) => 408,
            Self::Busy => 429,
            Self::Internal => 500,
        }
    }

    /// The stable name of the reason, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Method { .. } => "method_not_allowed",
            Self::TooLarge { .. } | Self::Queue(QueueError::TooLarge { .. }) => "too_large",
            Self::TooMany { .. } => "too_many_events",
            Self::TooManyValues { .. } => "too_many_values",
            Self::MediaType { .. } => "unsupported_media_type",
            Self::ContentEncoding => "unsupported_encoding",
            Self::Unverified(Unverified::Unavailable(_)) => "verifier_unavailable",
            Self::Unverified(_) => "unauthenticated",
            Self::Json(_) => "bad_json",
            Self::Shape(_) => "not_an_object",
            Self::Undecodable(_) => "bad_encoding",
            Self::TooSlow(_) => "request_timeout",
            Self::Incomplete => "incomplete_body",
            Self::Busy => "busy",
            Self::Queue(QueueError::Full { .. }) => "queue_full",
            Self::Queue(QueueError::Closed) => "shutting_down",
            Self::Queue(_) => "store_failing",
            Self::Internal => "internal",
        }
    }

    /// When the sender may try again, if waiting helps.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Queue(
                QueueError::Full { retry_after, .. } | QueueError::Failing { retry_after, .. },
            ) => Some(*retry_after),
            Self::Queue(QueueError::TooLarge { .. }) => None,
            // Long enough for a restart, short enough not to look like an outage.
            Self::Queue(_) => Some(Duration::from_secs(5)),
            Self::Unverified(Unverified::Unavailable(_)) => Some(Duration::from_secs(10)),
            Self::Busy => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// Whether the connection must be closed: its next bytes may still belong to this request.
    pub(super) fn ends_connection(&self) -> bool {
        matches!(
            self,
            Self::TooLarge { .. }
                | Self::TooSlow(_)
                | Self::Incomplete
                | Self::Busy
                | Self::Queue(QueueError::Closed)
        )
    }
}
