//! Reading a body: bounded in size, in time, and together with all others in memory.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use actix_web::{HttpRequest, error::PayloadError, http::header::CONTENT_LENGTH, web};
use bytes::Bytes;
use futures_util::StreamExt as _;

use super::refusal::Refusal;

/// How bodies are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyReader {
    /// The size of one body.
    pub(super) limit: usize,
    /// The time it may take at least.
    pub(super) timeout: Duration,
}

impl BodyReader {
    pub(super) async fn read(
        &self,
        request: &HttpRequest,
        payload: web::Payload,
        buffered: &mut Buffered<'_>,
    ) -> Result<Bytes, Refusal> {
        let limit = self.limit;
        let declared = request.headers().get(CONTENT_LENGTH);
        let declared = declared.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if declared.is_some_and(|length| length > limit) {
            return Err(Refusal::TooLarge { limit });
        }
        // A promise of megabytes does not get them before they come.
        let mut body = Vec::with_capacity(declared.unwrap_or(0).min(64 * 1024));
        let mut payload = payload.into_inner();
        let started = tokio::time::Instant::now();
        loop {
            let time = body_time(self.timeout, body.len());
            let chunk = match tokio::time::timeout_at(started + time, payload.next()).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(_) => return Err(Refusal::TooSlow(time)),
            };
            let chunk = chunk.map_err(|error| match error {
                PayloadError::Overflow => Refusal::TooLarge { limit },
                _ => Refusal::Incomplete,
            })?;
            if body.len() + chunk.len() > limit {
                return Err(Refusal::TooLarge { limit });
            }
            buffered.grow(chunk.len())?;
            body.extend_from_slice(&chunk);
        }
        // Exactly as large as it must be: events may wait in memory.
        Ok(body.into_boxed_slice().into())
    }
}

/// The time that a body may take of which so much has come: a large one over a slow line is welcome,
/// one that only keeps the connection busy is not.
fn body_time(timeout: Duration, received_bytes: usize) -> Duration {
    const LEAST_BYTES_PER_SECOND: usize = 32 * 1024;
    timeout + Duration::from_secs((received_bytes / LEAST_BYTES_PER_SECOND) as u64)
}

// === Buffered ===

/// The bytes that one request holds in memory, counted against what all may hold together.
pub(super) struct Buffered<'a> {
    total: &'a AtomicUsize,
    limit: usize,
    bytes: usize,
}

impl<'a> Buffered<'a> {
    /// Counts against `total`, which must not exceed `limit`.
    pub(super) fn new(total: &'a AtomicUsize, limit: usize) -> Self {
        Self {
            total,
            limit,
            bytes: 0,
        }
    }

    /// Counts so many bytes more, until this is dropped.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.bytes += bytes;
        let before = self.total.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > self.limit {
            return Err(Refusal::Busy);
        }
        Ok(())
    }
}

impl Drop for Buffered<'_> {
    fn drop(&mut self) {
        self.total.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_gets_time_as_it_comes() {
        let timeout = Duration::from_secs(30);
        for (received, seconds) in [(0, 30), (5_000, 30), (64 * 1024, 32), (25 << 20, 830)] {
            let time = body_time(timeout, received);
            assert_eq!(time, Duration::from_secs(seconds), "{received} bytes");
        }
    }
}
