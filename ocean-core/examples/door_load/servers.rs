//! What is measured. Each server prints its address and serves until it is killed.

use std::{
    future::ready,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use hmac::{Hmac, KeyInit as _, Mac as _};
use ocean_core::{
    BoxFuture, Clock, EventId, StateMap,
    ingress::{self, IngressOptions, IngressParts},
    prelude::*,
    processor::Registry,
    queue::{
        Action, ActionResult, Change, Journal, NewEvent, Pressure, Queue, QueueError, Receipt,
        Stored, Story,
        embedded::{self, EmbeddedOptions},
    },
    source::{CheckedSource, Locator, Source, SourceSettings, Verification, check_sources},
    supervisor::Supervisor,
    telemetry::Telemetry,
};
use sha2::Sha256;

pub(super) const SECRET: &str = "a secret that nobody has guessed so far";
pub(super) const SIGNATURE: &str = "x-hub-signature-256";

/// Serves under one of the names in `SERVERS`; what it stores goes into `folder`.
pub(super) async fn serve(name: &str, folder: &Path) {
    match name {
        "bare" => bare().await,
        "no store" => no_store().await,
        "door" => door(folder).await,
        _ => panic!("there is no server `{name}`"),
    }
}

/// Reads the body, verifies its HMAC-SHA256 and answers.
async fn bare() {
    let key = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    let server = HttpServer::new(move || {
        let key = key.clone();
        let handler = move |request: HttpRequest, body: web::Bytes| {
            let mut mac = key.clone();
            async move {
                let signature = request.headers().get(SIGNATURE).unwrap();
                let digits = signature.to_str().unwrap().strip_prefix("sha256=").unwrap();
                mac.update(&body);
                mac.verify_slice(&hex::decode(digits).unwrap()).unwrap();
                HttpResponse::Ok().body(r#"{"status":"ok"}"#)
            }
        };
        App::new()
            .app_data(web::PayloadConfig::new(25 << 20))
            .default_service(web::to(handler))
    })
    .bind("127.0.0.1:0")
    .unwrap();
    println!("{}", server.addrs()[0]);
    server.run().await.unwrap();
}

/// The real door in front of a queue that keeps nothing.
async fn no_store() {
    let _supervisor = open_door(Arc::new(NoStore::default()), Arc::default());
    std::future::pending::<()>().await;
}

/// The real door with the embedded store, whose events are finished as soon as it hands them out.
async fn door(folder: &Path) {
    let telemetry = Arc::new(Telemetry::default());
    let options = EmbeddedOptions::new(folder);
    let (queue, mut feed) = embedded::open(options, Arc::clone(&telemetry)).unwrap();
    let queue: Arc<dyn Queue> = Arc::new(queue);
    let _supervisor = open_door(Arc::clone(&queue), telemetry);
    while let Some(pending) = feed.recv().await {
        queue.record(pending.id, Change::Done(Story::default()));
    }
}

// === The door ===

/// Keeps issues in step.
#[webhook_processor(path = "/webhook", kinds = ["issue"], event_prefix = "jira:issue_", key = "/issue/id")]
async fn issue(_event: &WebhookEvent) -> Result<(), ProcessorError> {
    Ok(())
}

/// Serves as an integration does: verifies, parses and routes. Ends with the supervisor returned.
fn open_door(queue: Arc<dyn Queue>, telemetry: Arc<Telemetry>) -> Supervisor {
    let source = Source::new("/webhook")
        .event_name(Locator::pointer("/webhookEvent"))
        .delivery(Locator::header("x-delivery"))
        .verify(
            Verification::hmac_sha256(SIGNATURE)
                .prefix("sha256=")
                .secret("secret"),
        );
    let kinds = ["issue".to_owned()];
    let sources = [source.clone()];
    let registry = Registry::build(Registry::discover(), &sources, &kinds, &StateMap::new());
    let parts = IngressParts {
        sources: checked(source),
        router: Arc::new(registry.unwrap()),
        queue,
        checks: Vec::new(),
        clock: Clock::system(),
        telemetry,
        options: IngressOptions {
            host: "127.0.0.1".to_owned(),
            port: 0,
            ..IngressOptions::default()
        },
    };
    let supervisor = Supervisor::default();
    println!("{}", ingress::serve(parts, &supervisor).unwrap()[0]);
    supervisor
}

fn checked(source: Source) -> Vec<CheckedSource> {
    let config = serde_json::json!({ "secret": SECRET });
    let settings = SourceSettings {
        config: config.as_object().unwrap(),
        allow_unverified: false,
    };
    check_sources(vec![source], &settings).unwrap()
}

// === NoStore ===

/// Gives each event an id and forgets it.
#[derive(Debug, Default)]
struct NoStore(AtomicI64);

impl Queue for NoStore {
    fn accept(&self, events: Vec<NewEvent>) -> BoxFuture<'_, Result<Vec<Receipt>, QueueError>> {
        let next = || EventId::new(self.0.fetch_add(1, Ordering::Relaxed));
        let receipts = events.iter().map(|_| Receipt::Stored(next())).collect();
        Box::pin(ready(Ok(receipts)))
    }

    fn load(&self, _: EventId) -> BoxFuture<'_, Result<Option<Stored>, QueueError>> {
        Box::pin(ready(Ok(None)))
    }

    fn record(&self, _: EventId, _: Change) {}

    fn flushed(&self) -> BoxFuture<'_, ()> {
        Box::pin(ready(()))
    }

    fn pressure(&self) -> Pressure {
        Pressure::default()
    }

    fn journal(&self) -> Option<Arc<dyn Journal>> {
        None
    }

    fn operate(&self, _: Action) -> BoxFuture<'_, Result<Vec<ActionResult>, QueueError>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(ready(()))
    }
}
