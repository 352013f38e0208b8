//! The HTTP server around the door.

use std::{
    io,
    net::SocketAddr,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    error::PayloadError,
    http::{
        Method, StatusCode,
        header::{CONTENT_LENGTH, HeaderName, HeaderValue},
    },
    web,
};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::json;
use smallvec::SmallVec;
use tracing::error;

use super::{
    Check, IngressParts, Limits, Router,
    answer::{self, Status},
    health,
    intake::{Arrival, Declared, Intake},
    refusal::Refusal,
    routes::{Endpoint, Routes, SourceEndpoint},
};
use crate::{
    clock::Clock,
    error::StartError,
    queue::{NewEvent, Queue},
    source::Challenge,
    supervisor::{Shutdown, Supervisor},
    telemetry::{Refused, Telemetry},
};

pub(super) fn serve(
    parts: IngressParts,
    supervisor: &Supervisor,
) -> Result<Vec<SocketAddr>, StartError> {
    let options = parts.options.clone();
    let door = web::Data::new(Door::new(parts));
    let mut server = HttpServer::new(move || {
        App::new()
            .app_data(door.clone())
            .default_service(web::to(serve_request))
    })
    .max_connections(options.max_connections)
    .client_request_timeout(options.head_timeout)
    .client_disconnect_timeout(Duration::from_secs(1))
    .keep_alive(options.keep_alive)
    .shutdown_timeout(options.shutdown_timeout.as_secs().max(1))
    // Signals are the runtime's: it stops all rooms in order.
    .disable_signals();
    if let Some(threads) = options.threads {
        server = server.workers(threads.get());
    }
    let server = server
        .bind((options.host.as_str(), options.port))
        .map_err(|error| cannot_listen(&options.host, options.port, &error))?;
    let addresses = server.addrs();
    supervisor.spawn(
        "ingress",
        until_shutdown(server.run(), supervisor.shutdown()),
    );
    Ok(addresses)
}

fn cannot_listen(host: &str, port: u16, error: &io::Error) -> StartError {
    StartError::new(format_args!(
        "cannot listen on {host}:{port}: {error}; choose others with APPLICATION__HOST and APPLICATION__PORT"
    ))
}

/// Runs `server` until shutdown is requested, then lets it answer what it has begun.
pub(crate) async fn until_shutdown(server: actix_web::dev::Server, mut shutdown: Shutdown) {
    let handle = server.handle();
    tokio::pin!(server);
    tokio::select! {
        ended = &mut server => {
            // Nobody asked it to: the process cannot do its work without a door.
            panic!("the server ended by itself: {ended:?}");
        }
        () = shutdown.requested() => {}
    }
    let stopping = handle.stop(true);
    let (ended, ()) = tokio::join!(server, stopping);
    if let Err(error) = ended {
        error!(%error, "The server did not stop cleanly.");
    }
}

// === Door ===

/// What all threads of the server share.
struct Door {
    routes: Routes,
    router: Arc<dyn Router>,
    queue: Arc<dyn Queue>,
    checks: Vec<Check>,
    clock: Clock,
    telemetry: Arc<Telemetry>,
    limits: Limits,
    body_timeout: Duration,
    buffered_bytes: AtomicUsize,
}

impl Door {
    fn new(parts: IngressParts) -> Self {
        let mut checks = vec![Check::queue(parts.queue.clone())];
        checks.extend(parts.checks);
        let metrics = &parts.telemetry.ingress;
        Self {
            routes: Routes::new(&parts.options.prefix, parts.sources, metrics),
            router: parts.router,
            queue: parts.queue,
            checks,
            clock: parts.clock,
            limits: parts.options.limits,
            body_timeout: parts.options.body_timeout,
            telemetry: parts.telemetry,
            buffered_bytes: AtomicUsize::new(0),
        }
    }

    async fn answer(
        &self,
        request: &HttpRequest,
        endpoint: Option<&Endpoint>,
        payload: web::Payload,
    ) -> Result<HttpResponse, Refusal> {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        match endpoint {
            None => Err(Refusal::NotFound),
            Some(Endpoint::Source(endpoint)) if request.method() == Method::POST => {
                self.receive(request, endpoint, payload).await
            }
            Some(Endpoint::Source(endpoint)) => challenge(request, endpoint),
            Some(_) if !reads => Err(Refusal::Method { allow: "GET, HEAD" }),
            Some(Endpoint::Live) => Ok(answer::json_body(StatusCode::OK, health::live())),
            Some(Endpoint::Ready) => {
                let (ready, body) = health::ready(&self.checks);
                let status = if ready {
                    StatusCode::OK
                } else {
                    StatusCode::SERVICE_UNAVAILABLE
                };
                Ok(answer::json_body(status, body))
            }
            Some(Endpoint::Metrics) => Ok(answer::text_body(
                // The type that prometheus-client's text format has.
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
                self.telemetry.encode(),
            )),
        }
    }

    async fn receive(
        &self,
        request: &HttpRequest,
        endpoint: &SourceEndpoint,
        payload: web::Payload,
    ) -> Result<HttpResponse, Refusal> {
        let SourceEndpoint { source, metrics } = endpoint;
        let mut headers: SmallVec<[(&str, &[u8]); 24]> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        // The server keeps them in a hash map, whose order changes from run to run.
        headers.sort_by_key(|(name, _)| *name);
        // Before the body is read: there is no use in receiving what will not be taken.
        Declared::of(&headers, source)?;
        let mut buffered = Buffered::new(self);
        let body = self.read_body(request, payload, &mut buffered).await?;
        metrics.received(body.len());
        let started = Instant::now();
        let arrival = Arrival {
            headers: &headers,
            query: request.query_string(),
            body,
            received_at: self.clock.now(),
        };
        arrival.verify(source).await?;
        let intake = Intake::of(arrival, source, &self.limits)?;
        let (events, batch) = match intake {
            Intake::Event(event) => (vec![event], false),
            Intake::Batch(events) => (events, true),
            Intake::Challenge(body) => {
                metrics.challenge();
                return Ok(answer::json_body(StatusCode::OK, body));
            }
        };
        let events = events.into_iter().map(|event| NewEvent {
            lanes: self.router.lanes_of(&event),
            event,
            replay_of: None,
        });
        let receipts = match events.collect::<Vec<_>>() {
            none if none.is_empty() => Vec::new(),
            events => self.queue.accept(events).await?,
        };
        let status = Status::of(&receipts);
        let took = started.elapsed();
        match status {
            Status::Ok => metrics.accepted(took),
            Status::Duplicate => metrics.duplicate(took),
            Status::Ignored => metrics.ignored(took),
        }
        Ok(answer::accepted(status, &receipts, batch))
    }

    async fn read_body(
        &self,
        request: &HttpRequest,
        payload: web::Payload,
        buffered: &mut Buffered<'_>,
    ) -> Result<Bytes, Refusal> {
        let limit = self.limits.max_body_bytes;
        let declared = request.headers().get(CONTENT_LENGTH);
        let declared = declared.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if declared.is_some_and(|length| length > limit) {
            return Err(Refusal::TooLarge { limit });
        }
        // A promise of megabytes does not get them before they come.
        let mut body = Vec::with_capacity(declared.unwrap_or(0).min(64 * 1024));
        let mut payload = payload.into_inner();
        let read = async {
            while let Some(chunk) = payload.next().await {
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
            Ok(())
        };
        match tokio::time::timeout(self.body_timeout, read).await {
            Ok(outcome) => outcome?,
            Err(_) => return Err(Refusal::TooSlow(self.body_timeout)),
        }
        // Exactly as large as it must be: events may wait in memory.
        Ok(body.into_boxed_slice().into())
    }
}

fn challenge(request: &HttpRequest, endpoint: &SourceEndpoint) -> Result<HttpResponse, Refusal> {
    let challenge = endpoint.source.source().challenge;
    let answer = match (request.method(), challenge) {
        (&Method::GET, Some(Challenge::GetHeader(name))) => {
            let value = request.headers().get(name);
            let value = value.and_then(|value| value.to_str().ok());
            value.map(|text| {
                let body = json!({ "verification": text }).to_string();
                answer::json_body(StatusCode::OK, body)
            })
        }
        (&Method::GET, Some(Challenge::GetQuery(name))) => {
            url::form_urlencoded::parse(request.query_string().as_bytes())
                .find(|(key, _)| key == name)
                .map(|(_, text)| answer::text_body("text/plain; charset=utf-8", text.into()))
        }
        _ => None,
    };
    let answer = answer.ok_or(Refusal::Method { allow: "POST" })?;
    endpoint.metrics.challenge();
    Ok(answer)
}

// === Buffered ===

/// The bytes that one request holds in memory, counted against what all may hold together.
struct Buffered<'a> {
    door: &'a Door,
    bytes: usize,
}

impl<'a> Buffered<'a> {
    fn new(door: &'a Door) -> Self {
        Self { door, bytes: 0 }
    }

    fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.bytes += bytes;
        let before = self.door.buffered_bytes.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > self.door.limits.max_buffered_bytes {
            return Err(Refusal::Busy);
        }
        Ok(())
    }
}

impl Drop for Buffered<'_> {
    fn drop(&mut self) {
        self.door
            .buffered_bytes
            .fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

// === The handler ===

async fn serve_request(
    request: HttpRequest,
    payload: web::Payload,
    door: web::Data<Door>,
) -> HttpResponse {
    let request_id = RequestId::new();
    let endpoint = door.routes.find(request.path());
    // A panic of a processor's filter must not take the thread and its other connections along.
    let answer = AssertUnwindSafe(door.answer(&request, endpoint, payload))
        .catch_unwind()
        .await
        .unwrap_or(Err(Refusal::Internal));
    let mut response = answer.unwrap_or_else(|refusal| {
        let path = match endpoint {
            Some(Endpoint::Source(endpoint)) => endpoint.source.path(),
            _ => "other",
        };
        let peer = request.peer_addr();
        let remote = peer.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
        door.telemetry.ingress.refused(&Refused {
            path,
            code: refusal.code(),
            reason: &refusal,
            remote: &remote,
            request_id: request_id.as_str(),
        });
        answer::refused(&refusal)
    });
    let name = HeaderName::from_static("x-request-id");
    response.headers_mut().insert(name, request_id.into());
    response
}

/// Names one request in its answer and in the log; random, in the form of a UUID.
struct RequestId(String);

impl RequestId {
    fn new() -> Self {
        let random = fastrand::u128(..);
        // Version 4, variant 1 of RFC 9562.
        let bits = random & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
        let digits = format!("{bits:032x}");
        Self(format!(
            "{}-{}-{}-{}-{}",
            &digits[..8],
            &digits[8..12],
            &digits[12..16],
            &digits[16..20],
            &digits[20..]
        ))
    }

    fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<RequestId> for HeaderValue {
    fn from(id: RequestId) -> Self {
        Self::from_maybe_shared(Bytes::from(id.0)).expect("hexadecimal digits and dashes")
    }
}
