//! The HTTP server around the door.

use std::{io, net::SocketAddr, panic::AssertUnwindSafe, time::Duration};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    http::header::{HeaderName, HeaderValue},
    web,
};
use bytes::Bytes;
use futures_util::FutureExt as _;
use tracing::error;

use super::{IngressParts, answer, door::Door, refusal::Refusal, routes::Endpoint};
use crate::{
    error::StartError,
    supervisor::{Shutdown, Supervisor},
    telemetry::Refused,
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
        let source = match endpoint {
            Some(Endpoint::Source(endpoint)) => Some(&**endpoint.source.path()),
            _ => None,
        };
        let peer = request.peer_addr();
        let remote = peer.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
        door.telemetry.ingress.refused(&Refused {
            source,
            path: request.path(),
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
        let mut id = hex::encode(bits.to_be_bytes());
        for dash in [8, 13, 18, 23] {
            id.insert(dash, '-');
        }
        Self(id)
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
