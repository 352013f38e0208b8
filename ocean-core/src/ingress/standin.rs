//! A stand-in of a tool's API on a loopback port, for `dev` and tests.

use std::{net::SocketAddr, time::Duration};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, http::StatusCode, web};

use super::{percent_decoded, server::until_shutdown};
use crate::{
    dev::{ApiRequest, ApiResponse},
    error::StartError,
    event::Headers,
    supervisor::Supervisor,
};

/// A [`DevKit::api`](crate::dev::DevKit::api) function that is served over HTTP.
#[derive(Clone, Copy, Debug)]
pub struct StandIn {
    address: SocketAddr,
}

impl StandIn {
    /// Serves `api` on a free loopback port until `supervisor` stops. Must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    /// There is no port to listen on.
    pub fn serve(
        api: fn(&ApiRequest) -> ApiResponse,
        supervisor: &Supervisor,
    ) -> Result<Self, StartError> {
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::PayloadConfig::new(16 * 1024 * 1024))
                .default_service(web::to(
                    move |request: HttpRequest, body: web::Bytes| async move {
                        respond(&api(&api_request(&request, body)))
                    },
                ))
        })
        .workers(1)
        .shutdown_timeout(1)
        .keep_alive(Duration::from_secs(30))
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .map_err(|error| StartError::new(format_args!("cannot listen on 127.0.0.1: {error}")))?;
        let address = server.addrs()[0];
        supervisor.spawn(
            "stand-in",
            until_shutdown(server.run(), supervisor.shutdown()),
        );
        Ok(Self { address })
    }

    /// Its address, as `{api}` in a dev kit's settings.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn api_request(request: &HttpRequest, body: web::Bytes) -> ApiRequest {
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())));
    let query = url::form_urlencoded::parse(request.query_string().as_bytes());
    ApiRequest {
        method: request.method().as_str().to_owned(),
        path: percent_decoded(request.path()),
        query: query.into_owned().collect(),
        headers: Headers::new(headers),
        body,
    }
}

fn respond(response: &ApiResponse) -> HttpResponse {
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::IM_A_TEAPOT);
    let mut builder = HttpResponse::build(status);
    builder.insert_header(("content-type", "application/json"));
    for (name, value) in &response.headers {
        builder.append_header((name.as_str(), value.as_str()));
    }
    builder.body(response.body.clone())
}
