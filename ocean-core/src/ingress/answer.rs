//! What the sender of an event hears.

use std::fmt::Write as _;

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS},
    },
};
use serde_json::json;

use super::refusal::Refusal;
use crate::queue::Receipt;

/// What became of the events of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// At least one will be dispatched.
    Ok,
    /// All were accepted before.
    Duplicate,
    /// None concerns a processor.
    Ignored,
}

impl Status {
    pub(super) fn of(receipts: &[Receipt]) -> Self {
        let stored = receipts.iter().any(|r| matches!(r, Receipt::Stored(_)));
        let ignored = receipts.iter().any(|r| matches!(r, Receipt::Ignored(_)));
        match (stored, ignored, receipts.is_empty()) {
            (true, _, _) => Self::Ok,
            (_, true, _) | (_, _, true) => Self::Ignored,
            _ => Self::Duplicate,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
        }
    }
}

/// 200 for events that are durable. Ids are digits, so that nothing needs escaping.
pub(super) fn accepted(status: Status, receipts: &[Receipt], batch: bool) -> HttpResponse {
    let mut body = String::with_capacity(64);
    let _ = write!(body, r#"{{"status":"{}""#, status.text());
    if let Some(first) = receipts.first() {
        let _ = write!(body, r#","id":"{}""#, first.id());
    }
    if batch {
        body.push_str(r#","ids":["#);
        for (index, receipt) in receipts.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(body, r#"{comma}"{}""#, receipt.id());
        }
        body.push(']');
    }
    body.push('}');
    json_body(StatusCode::OK, body)
}

/// The error answer of a refusal.
pub(super) fn refused(refusal: &Refusal) -> HttpResponse {
    let body = json!({
        "status": "error",
        "error": refusal.code(),
        "message": refusal.to_string(),
    });
    let status = StatusCode::from_u16(refusal.status()).expect("a refusal has a valid status");
    let mut builder = HttpResponse::build(status);
    if let Refusal::Method { allow } = refusal {
        builder.insert_header((ALLOW, *allow));
    }
    if let Some(delay) = refusal.retry_after() {
        // Rounded up: a sender that comes back too early is refused again.
        let seconds = delay.as_millis().div_ceil(1000).max(1);
        builder.insert_header((RETRY_AFTER, seconds.to_string()));
    }
    if refusal.ends_connection() {
        builder.force_close();
    }
    finish(&mut builder, JSON, body.to_string())
}

pub(super) fn json_body(status: StatusCode, body: String) -> HttpResponse {
    finish(&mut HttpResponse::build(status), JSON, body)
}

pub(super) fn text_body(content_type: &'static str, body: String) -> HttpResponse {
    finish(&mut HttpResponse::Ok(), content_type, body)
}

const JSON: &str = "application/json";

fn finish(
    builder: &mut HttpResponseBuilder,
    content_type: &'static str,
    body: String,
) -> HttpResponse {
    builder
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(body)
}
