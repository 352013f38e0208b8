//! The HTTP server around the API and the page.

use std::{net::SocketAddr, time::Duration};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpResponseBuilder, HttpServer,
    http::{
        Method, StatusCode,
        header::{self, CONTENT_TYPE},
    },
    web,
};
use serde_json::json;

use super::{
    AdminParts,
    api::{Api, Problem, Query},
    guard::{Denied, Guard},
};
use crate::{
    error::StartError,
    ingress::{percent_decoded, until_shutdown},
    supervisor::Supervisor,
};

pub(super) fn serve(parts: AdminParts, supervisor: &Supervisor) -> Result<SocketAddr, StartError> {
    let listen = parts.listen;
    let guard = Guard::new(listen, parts.token.as_deref())?;
    let admin = web::Data::new(Admin {
        guard,
        api: Api {
            queue: parts.queue,
            registry: parts.registry,
            mapping: parts.mapping,
            browser: parts.browser,
            checks: parts.checks,
            started_at: parts.clock.now(),
            clock: parts.clock,
        },
    });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(admin.clone())
            .default_service(web::to(serve_request))
    })
    .workers(1)
    .max_connections(256)
    .keep_alive(Duration::from_secs(30))
    .shutdown_timeout(1)
    .disable_signals()
    .bind(listen)
    .map_err(|error| {
        StartError::new(format_args!(
            "cannot listen on {listen}: {error}; choose another address with OCEAN__ADMIN__LISTEN"
        ))
    })?;
    let address = server.addrs()[0];
    supervisor.spawn("admin", until_shutdown(server.run(), supervisor.shutdown()));
    Ok(address)
}

struct Admin {
    guard: Guard,
    api: Api,
}

async fn serve_request(request: HttpRequest, admin: web::Data<Admin>) -> HttpResponse {
    let path = request.path();
    if let Some(call) = path.strip_prefix("/api/") {
        return match admin.guard.check(&request) {
            Ok(()) => call_api(&admin.api, &request, call).await,
            Err(denied) => refuse(denied),
        };
    }
    let page = match path {
        "/" => ("text/html; charset=utf-8", include_str!("page/index.html")),
        "/page.css" => ("text/css; charset=utf-8", include_str!("page/page.css")),
        "/page.js" => (
            "text/javascript; charset=utf-8",
            include_str!("page/page.js"),
        ),
        _ => return problem(&Problem::NotFound("such page; the dashboard is at /")),
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return problem(&Problem::Method("GET"));
    }
    // The page holds no data, so it needs no token: it asks for one.
    finish(&mut HttpResponse::Ok(), page.0, page.1.to_owned())
}

async fn call_api(api: &Api, request: &HttpRequest, call: &str) -> HttpResponse {
    let segments: Vec<String> = call
        .trim_end_matches('/')
        .split('/')
        .map(percent_decoded)
        .collect();
    let query = Query::parse(request.query_string());
    match api.answer(request.method(), &segments, &query).await {
        Ok(value) => finish(&mut HttpResponse::Ok(), JSON, value.to_string()),
        Err(error) => problem(&error),
    }
}

fn problem(problem: &Problem) -> HttpResponse {
    let status = StatusCode::from_u16(problem.status()).expect("a problem has a valid status");
    let mut builder = HttpResponse::build(status);
    if let Problem::Method(allowed) = problem {
        builder.insert_header((header::ALLOW, *allowed));
    }
    finish(
        &mut builder,
        JSON,
        error_body(problem.code(), &problem.to_string()),
    )
}

fn refuse(denied: Denied) -> HttpResponse {
    let status = StatusCode::from_u16(denied.status()).expect("a denial has a valid status");
    let mut builder = HttpResponse::build(status);
    if denied == Denied::Token {
        builder.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
    }
    finish(
        &mut builder,
        JSON,
        error_body(denied.code(), &denied.to_string()),
    )
}

fn error_body(code: &str, message: &str) -> String {
    json!({"status": "error", "error": code, "message": message}).to_string()
}

const JSON: &str = "application/json";

/// Nothing from elsewhere runs in the page, the page runs nowhere else, and nothing of it is kept.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

fn finish(
    builder: &mut HttpResponseBuilder,
    content_type: &'static str,
    body: String,
) -> HttpResponse {
    builder
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(body)
}
