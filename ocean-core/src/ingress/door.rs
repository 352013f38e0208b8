//! What the door does with a request, once the server has its head.

use std::{
    sync::{Arc, atomic::AtomicUsize},
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode},
    web,
};
use serde_json::json;
use smallvec::SmallVec;

use super::{
    Check, IngressParts, Limits, Router,
    answer::{self, Status},
    health,
    intake::{Arrival, Declared, Intake},
    reader::{BodyReader, Buffered},
    refusal::Refusal,
    routes::{Endpoint, Routes, SourceEndpoint},
};
use crate::{
    clock::Clock,
    queue::{NewEvent, Queue},
    source::Challenge,
    telemetry::Telemetry,
};

/// What all threads of the server share.
pub(super) struct Door {
    pub(super) routes: Routes,
    router: Arc<dyn Router>,
    queue: Arc<dyn Queue>,
    checks: Vec<Check>,
    clock: Clock,
    pub(super) telemetry: Arc<Telemetry>,
    limits: Limits,
    body_timeout: Duration,
    // Of all requests that are in memory now.
    buffered_bytes: AtomicUsize,
}

impl Door {
    pub(super) fn new(parts: IngressParts) -> Self {
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

    pub(super) async fn answer(
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
        let mut buffered = Buffered::new(&self.buffered_bytes, self.limits.max_buffered_bytes);
        let reader = BodyReader {
            limit: self.limits.max_body_bytes,
            timeout: self.body_timeout,
        };
        let body = reader.read(request, payload, &mut buffered).await?;
        metrics.received(body.len());
        let started = Instant::now();
        let arrival = Arrival {
            headers: &headers,
            query: request.query_string(),
            body,
            received_at: self.clock.now(),
        };
        arrival.verify(source).await?;
        let intake = Intake::of(arrival, source, &self.limits, &mut buffered)?;
        let (events, batch) = match intake {
            Intake::Event(event) => (vec![event], false),
            Intake::Batch(events) => (events, true),
            Intake::Challenge(body) => {
                metrics.challenge();
                return Ok(answer::json_body(StatusCode::OK, body));
            }
        };
        let events = events.into_iter().map(|event| {
            let lanes = self.router.lanes_of(&event);
            NewEvent::new(event, lanes)
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
