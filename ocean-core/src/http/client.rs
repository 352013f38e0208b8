//! Sends requests: bounded, throttled, repeated.

use std::{fmt, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use reqwest::redirect::Policy;
use tokio::{sync::Semaphore, time::sleep};
use tracing::warn;
use url::Url;

use super::{
    HttpError, HttpOptions, Request, Response, Throttle,
    error::public_url,
    retry::{backoff, hint, is_worth_repeating},
};
use crate::clock::Clock;

// A limiter that asks for less than this makes no progress; each wait is at least this long.
const MIN_WAIT: Duration = Duration::from_millis(1);

/// A pooled HTTP client. Clones share connections, limits and throttle.
#[derive(Clone)]
pub struct HttpClient {
    inner: reqwest::Client,
    in_flight: Arc<Semaphore>,
    throttle: Option<Arc<dyn Throttle>>,
    options: Arc<HttpOptions>,
}

impl HttpClient {
    /// A client with these options.
    ///
    /// # Errors
    /// [`HttpError::Invalid`]: the options cannot be used, or TLS cannot be set up.
    pub fn new(options: HttpOptions) -> Result<Self, HttpError> {
        // The first caller in the process wins, which is fine: all of ours ask for the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            reqwest::Client::builder()
                .user_agent(&options.user_agent)
                .connect_timeout(options.connect_timeout)
                .tls_danger_accept_invalid_certs(!options.verify_tls)
                .redirect(Policy::limited(5))
        };
        let inner = builder().build().or_else(|error| {
            // A container without root certificates can still talk plain HTTP, so this is told
            // and not fatal; with no roots every certificate is refused.
            warn!(%error, "No root certificates found; HTTPS will fail until `SSL_CERT_FILE` names them.");
            builder().tls_certs_only([]).build()
        });
        Ok(Self {
            inner: inner.map_err(|error| {
                HttpError::invalid(format!("the HTTP client cannot be set up: {error}"))
            })?,
            in_flight: Arc::new(Semaphore::new(
                options.max_in_flight.clamp(1, Semaphore::MAX_PERMITS),
            )),
            throttle: None,
            options: Arc::new(options),
        })
    }

    /// The client with a tool's own rate limiter in front.
    #[must_use]
    pub fn with_throttle(self, throttle: Arc<dyn Throttle>) -> Self {
        Self {
            throttle: Some(throttle),
            ..self
        }
    }

    /// Sends `request` and reads the whole answer. What may be repeated is repeated while the
    /// delays are short; cancel-safe in that nothing is sent after the future is dropped.
    ///
    /// # Errors
    /// See [`HttpError`]; an answer of 400 or above is an error.
    pub async fn send(&self, request: Request) -> Result<Response, HttpError> {
        let url = request.url()?;
        let max_retries = match request.repeatable {
            true => request.max_retries.unwrap_or(self.options.max_retries),
            false => 0,
        };
        let mut repeats = 0;
        loop {
            self.wait_for_throttle(&request, url).await?;
            let (mut error, worthwhile) = match self.send_once(&request, url).await {
                Ok(response) => return Ok(response),
                Err(error) => {
                    let worthwhile = match error.status() {
                        Some(status) if matches!(error, HttpError::Status { .. }) => {
                            is_worth_repeating(status, repeats)
                        }
                        // A time-out has used up more time than repeats in place may take.
                        _ => error.is_retryable() && !matches!(error, HttpError::Timeout { .. }),
                    };
                    (error, worthwhile)
                }
            };
            if !worthwhile || repeats >= max_retries {
                return Err(error);
            }
            repeats += 1;
            let hinted = error.retry_after();
            let delay = hinted.unwrap_or_else(|| backoff(self.options.base_delay, repeats));
            if delay > self.options.max_delay {
                if let HttpError::Status { retry_after, .. } = &mut error {
                    *retry_after = Some(delay);
                }
                return Err(error);
            }
            warn!(%error, repeats, ?delay, "Request failed; it is sent again.");
            sleep(delay).await;
        }
    }

    async fn wait_for_throttle(&self, request: &Request, url: &Url) -> Result<(), HttpError> {
        let Some(throttle) = &self.throttle else {
            return Ok(());
        };
        let mut waited = Duration::ZERO;
        while let Some(wait) = throttle.before(url) {
            let wait = wait.max(MIN_WAIT);
            waited += wait;
            if waited > self.options.max_delay {
                return Err(HttpError::Throttled {
                    method: request.method.clone(),
                    url: public_url(url),
                    after: wait,
                    status: None,
                });
            }
            sleep(wait).await;
        }
        Ok(())
    }

    async fn send_once(&self, request: &Request, url: &Url) -> Result<Response, HttpError> {
        let _permit = self
            .in_flight
            .acquire()
            .await
            .expect("the semaphore is never closed");
        let limit = request.timeout.unwrap_or(self.options.timeout);
        let failed = |error| HttpError::of(&request.method, url, limit, error);

        let mut outgoing = reqwest::Request::new(request.method.clone(), url.clone());
        *outgoing.headers_mut() = request.headers.clone();
        *outgoing.timeout_mut() = Some(limit);
        if !request.body.is_empty() {
            *outgoing.body_mut() = Some(request.body.clone().into());
        }
        let mut answer = self.inner.execute(outgoing).await.map_err(failed)?;
        let status = answer.status();
        let throttled = self
            .throttle
            .as_ref()
            .and_then(|throttle| throttle.after(url, status, answer.headers()));
        let headers = std::mem::take(answer.headers_mut());
        let body = read_body(&mut answer, self.options.max_body_bytes)
            .await
            .map_err(|broken| match broken {
                BodyError::Broken(error) => failed(error),
                BodyError::TooLarge => HttpError::TooLarge {
                    url: public_url(url),
                    limit: self.options.max_body_bytes,
                },
            })?;

        if let Some(after) = throttled {
            return Err(HttpError::Throttled {
                method: request.method.clone(),
                url: public_url(url),
                after,
                status: Some(status),
            });
        }
        if status.is_client_error() || status.is_server_error() {
            return Err(HttpError::Status {
                method: request.method.clone(),
                url: public_url(url),
                status,
                body,
                retry_after: retry_hint(status, &headers),
            });
        }
        Ok(Response {
            url: public_url(url),
            status,
            headers,
            body,
        })
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

// Reset times also stand on answers that have nothing to do with the rate limit, such as a 404.
fn retry_hint(status: StatusCode, headers: &http::HeaderMap) -> Option<Duration> {
    let now = Clock::system().now();
    match status.as_u16() {
        408 | 429 | 500 | 502 | 503 | 504 => hint(headers, now),
        _ => None,
    }
}

enum BodyError {
    Broken(reqwest::Error),
    TooLarge,
}

async fn read_body(answer: &mut reqwest::Response, limit: usize) -> Result<Bytes, BodyError> {
    // Most answers are one chunk, which is handed on as it is.
    let first = answer.chunk().await.map_err(BodyError::Broken)?;
    let first = first.unwrap_or_default();
    if first.len() > limit {
        return Err(BodyError::TooLarge);
    }
    let Some(second) = answer.chunk().await.map_err(BodyError::Broken)? else {
        return Ok(first);
    };
    let mut body = BytesMut::from(&first[..]);
    let mut next = Some(second);
    while let Some(chunk) = next {
        if body.len() + chunk.len() > limit {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
        next = answer.chunk().await.map_err(BodyError::Broken)?;
    }
    Ok(body.freeze())
}

#[cfg(test)]
mod tests;
