//! An HTTP server in the test process that plays a third party: answers from a function, fails on
//! command, and remembers every call.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, http::StatusCode, web,
};
use ocean_core::{
    Headers,
    dev::{ApiRequest, ApiResponse},
};
use tokio::sync::{Notify, watch};

type Answer = dyn Fn(&ApiRequest) -> ApiResponse + Send + Sync;

/// A running server; ends with the value.
pub struct StandIn {
    address: SocketAddr,
    shared: Arc<Shared>,
    handle: ServerHandle,
}

struct Shared {
    answer: Box<Answer>,
    calls: Mutex<Vec<ApiRequest>>,
    faults: Mutex<Vec<Fault>>,
    called: Notify,
    // Changes whenever all faults end.
    healed: watch::Sender<()>,
}

/// A failure on command.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The method, or empty for any.
    pub method: &'static str,
    /// What the path contains.
    pub path: &'static str,
    /// How many calls fail; the ones after that are answered as usual.
    pub times: u32,
    /// How they fail.
    pub effect: Effect,
}

/// What a call meets instead of an answer.
#[derive(Clone, Debug)]
pub enum Effect {
    /// This status, headers and body.
    Status(u16, Vec<(&'static str, String)>, String),
    /// The usual effect at once, the answer so much later. An effect that comes late could overtake
    /// what the caller's next life does after a kill, which no caller can prevent.
    Slow(Duration),
    /// No answer, ever.
    Hang,
    /// The usual effect and answer, once all faults end.
    Held,
    /// The usual effect, but the connection breaks before the answer.
    LostAnswer,
}

impl Fault {
    /// The next `times` calls of `path` get this status.
    pub fn status(path: &'static str, times: u32, status: u16) -> Self {
        let effect = Effect::Status(status, Vec::new(), r#"{"ok":false}"#.to_owned());
        Self {
            method: "",
            path,
            times,
            effect,
        }
    }

    /// The next `times` calls of `path` meet this effect.
    pub fn effect(path: &'static str, times: u32, effect: Effect) -> Self {
        Self {
            method: "",
            path,
            times,
            effect,
        }
    }

    /// Only calls with this method.
    #[must_use]
    pub fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }
}

impl StandIn {
    /// Starts a server on a free port of the loopback interface.
    pub async fn start(
        answer: impl Fn(&ApiRequest) -> ApiResponse + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            answer: Box::new(answer),
            calls: Mutex::default(),
            faults: Mutex::default(),
            called: Notify::new(),
            healed: watch::Sender::new(()),
        });
        let data = web::Data::from(Arc::clone(&shared));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .app_data(web::PayloadConfig::new(64 << 20))
                .default_service(web::to(respond))
        })
        .workers(1)
        .disable_signals()
        .shutdown_timeout(0)
        .bind(("127.0.0.1", 0))?;
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self {
            address,
            shared,
            handle,
        })
    }

    /// Its base URL, without trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, calls meet this fault first.
    pub fn fail(&self, fault: Fault) {
        self.shared
            .faults
            .lock()
            .expect("no panic while held")
            .push(fault);
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.shared
            .faults
            .lock()
            .expect("no panic while held")
            .clear();
        self.shared.healed.send_replace(());
    }

    /// All calls so far that `path` is part of.
    pub fn calls(&self, path: &str) -> Vec<ApiRequest> {
        let calls = self.shared.calls.lock().expect("no panic while held");
        calls
            .iter()
            .filter(|call| call.path.contains(path))
            .cloned()
            .collect()
    }

    /// Waits until `condition` holds, looking again after each call; fails after 30 seconds.
    pub async fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let limit = Duration::from_secs(30);
        let wait = async {
            loop {
                let called = self.shared.called.notified();
                if condition() {
                    return;
                }
                // Conditions may also look at what follows an answer, so look again soon.
                let _ = tokio::time::timeout(Duration::from_millis(20), called).await;
            }
        };
        if tokio::time::timeout(limit, wait).await.is_err() {
            panic!("after {limit:?} still not so: {what}");
        }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // The server's own task ends it; nobody needs to wait.
        drop(self.handle.stop(false));
    }
}

async fn respond(
    request: HttpRequest,
    body: web::Bytes,
    shared: web::Data<Shared>,
) -> actix_web::Result<HttpResponse> {
    let query = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
    let call = ApiRequest {
        method: request.method().to_string(),
        path: percent_decoded(request.path()),
        headers: Headers::new(request.headers().iter().map(|(name, value)| {
            (
                name.as_str(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })),
        query: query.map(web::Query::into_inner).unwrap_or_default(),
        body,
    };
    let mut healed = shared.healed.subscribe();
    let effect = shared.take_fault(&call);
    shared
        .calls
        .lock()
        .expect("no panic while held")
        .push(call.clone());
    let answer = match effect {
        None => (shared.answer)(&call),
        Some(Effect::Slow(time)) => {
            let answer = (shared.answer)(&call);
            tokio::time::sleep(time).await;
            answer
        }
        Some(Effect::Hang) => {
            shared.called.notify_waiters();
            std::future::pending().await
        }
        Some(Effect::Held) => {
            shared.called.notify_waiters();
            // The sender lives as long as the stand-in.
            let _ = healed.changed().await;
            (shared.answer)(&call)
        }
        Some(Effect::LostAnswer) => {
            (shared.answer)(&call);
            shared.called.notify_waiters();
            // A body shorter than announced: the client sees the connection break.
            return Ok(HttpResponse::Ok().no_chunking(1 << 20).body(BrokenBody));
        }
        Some(Effect::Status(status, headers, body)) => ApiResponse {
            status,
            headers: headers
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            body: body.into(),
        },
    };
    shared.called.notify_waiters();
    let status = StatusCode::from_u16(answer.status).expect("stand-ins use valid statuses");
    let mut response = HttpResponse::build(status);
    response.content_type("application/json");
    for (name, value) in answer.headers {
        response.insert_header((name, value));
    }
    Ok(response.body(answer.body))
}

impl Shared {
    fn take_fault(&self, call: &ApiRequest) -> Option<Effect> {
        let mut faults = self.faults.lock().expect("no panic while held");
        let index = faults.iter().position(|fault| {
            call.path.contains(fault.path)
                && (fault.method.is_empty() || fault.method == call.method)
        })?;
        let effect = faults[index].effect.clone();
        faults[index].times -= 1;
        if faults[index].times == 0 {
            faults.remove(index);
        }
        Some(effect)
    }
}

fn percent_decoded(path: &str) -> String {
    let url = format!("http://h/?{}", path.replace('+', "%2B").replace('&', "%26"));
    let url = reqwest::Url::parse(&url).expect("a path makes a query");
    url.query_pairs()
        .next()
        .map(|(path, _)| path.into_owned())
        .unwrap_or_default()
}

struct BrokenBody;

impl actix_web::body::MessageBody for BrokenBody {
    type Error = std::io::Error;

    fn size(&self) -> actix_web::body::BodySize {
        actix_web::body::BodySize::Sized(1 << 20)
    }

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<web::Bytes, Self::Error>>> {
        std::task::Poll::Ready(Some(Err(std::io::Error::other("broken on command"))))
    }
}
