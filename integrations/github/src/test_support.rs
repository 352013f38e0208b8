//! GitHub in the test process, and what the tests need to talk to it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use ocean_core::{
    Clock, EventParts, Headers, Raw, StartContext, StateMap, WebhookEvent,
    dev::{ApiRequest, ApiResponse, Sample},
    dispatch::{self, Trial},
    http::HttpOptions,
    mapping::{Mapping, MappingOptions},
    processor::Registry,
};
use serde_json::{Value, json};
use url::Url;

use crate::{GitHubClient, GitHubConfig};

type Answer = dyn Fn(&ApiRequest) -> ApiResponse + Send + Sync;

/// A site on a port of its own. It answers from a function and remembers every call.
pub(crate) struct Site {
    pub(crate) url: String,
    calls: Arc<Mutex<Vec<ApiRequest>>>,
}

impl Site {
    /// The stand-in that `dev` uses.
    pub(crate) fn sample() -> Self {
        Self::answering(crate::dev::KIT.api)
    }

    /// A site that answers every call like this.
    pub(crate) fn always(status: u16, body: &'static str) -> Self {
        Self::answering(move |_| ApiResponse {
            status,
            headers: Vec::new(),
            body: body.into(),
        })
    }

    pub(crate) fn answering(
        answer: impl Fn(&ApiRequest) -> ApiResponse + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (answer, seen): (Arc<Answer>, _) = (Arc::new(answer), Arc::clone(&calls));
        // The threads end with the test process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                std::thread::spawn(move || serve(stream, &*answer, &seen));
            }
        });
        Self { url, calls }
    }

    /// The calls so far, such as `GET /repos/acme/shop/issues/7`.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.requests().iter().map(line_of).collect()
    }

    /// The calls so far.
    pub(crate) fn requests(&self) -> Vec<ApiRequest> {
        self.calls.lock().unwrap().clone()
    }

    /// A client of the site.
    pub(crate) fn client(&self) -> GitHubClient {
        GitHubClient::new(&self.context(json!({}))).unwrap()
    }

    /// What the integration starts with, with these settings beside the usual ones.
    pub(crate) fn context(&self, settings: Value) -> StartContext<GitHubConfig> {
        let mut config = json!({
            "github_host": self.url,
            "github_token": "t0ken",
            "github_organization": "acme",
        });
        for (name, value) in settings.as_object().unwrap() {
            config[name] = value.clone();
        }
        StartContext {
            config: serde_json::from_value(config).unwrap(),
            identifier: "my-github".to_owned(),
            base_url: Some(Url::parse("https://ocean.example.com/prefix").unwrap()),
            live_events: true,
            oauth_token_file: None,
            http: HttpOptions {
                max_retries: 0,
                ..HttpOptions::default()
            },
            clock: Clock::system(),
        }
    }
}

fn line_of(call: &ApiRequest) -> String {
    let query: Vec<_> = call.query.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let query = match query.is_empty() {
        true => String::new(),
        false => format!("?{}", query.join("&")),
    };
    format!("{} {}{query}", call.method, call.path)
}

fn serve(stream: TcpStream, answer: &Answer, seen: &Mutex<Vec<ApiRequest>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some(request) = read_request(&mut reader) {
        let response = answer(&request);
        seen.lock().unwrap().push(request);
        let mut head = format!(
            "HTTP/1.1 {} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            response.status,
            response.body.len()
        );
        for (name, value) in &response.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let sent = stream
            .write_all((head + "\r\n").as_bytes())
            .and_then(|()| stream.write_all(&response.body));
        if sent.is_err() {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<ApiRequest> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let url = Url::parse(&format!("http://site{target}")).ok()?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
            None => break,
        }
    }
    let headers = Headers::new(headers);
    let length = headers
        .get("content-length")
        .map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(ApiRequest {
        method,
        // The only escape that the tests need: the slash in the name of a branch.
        path: url.path().replace("%2F", "/"),
        query: url.query_pairs().into_owned().collect(),
        headers,
        body: body.into(),
    })
}

// === Runs ===

/// What the processors make of an event.
#[derive(Debug, PartialEq)]
pub(crate) enum Run {
    /// No processor is for the event.
    Ignored,
    /// These items exist, those are gone.
    Done {
        updated: Vec<Value>,
        deleted: Vec<Value>,
    },
    /// The event has not the shape that a processor needs.
    Invalid(String),
    /// Something else went wrong.
    Failed(String),
}

impl Run {
    /// One item that exists.
    #[track_caller]
    pub(crate) fn updated(self) -> Value {
        match self {
            Self::Done {
                mut updated,
                deleted,
            } if updated.len() == 1 && deleted.is_empty() => updated.remove(0),
            other => panic!("one updated item expected, not {other:?}"),
        }
    }

    /// One item that is gone.
    #[track_caller]
    pub(crate) fn deleted(self) -> Value {
        match self {
            Self::Done {
                updated,
                mut deleted,
            } if deleted.len() == 1 && updated.is_empty() => deleted.remove(0),
            other => panic!("one deleted item expected, not {other:?}"),
        }
    }
}

/// The sample with this file name: the event's name and its body.
pub(crate) fn sample(name: &str) -> (&'static str, Value) {
    let file = format!("{}/dev/samples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let body = std::fs::read_to_string(file).unwrap();
    let is_it = |sample: &&Sample| sample.body == body;
    let sample = crate::dev::KIT.samples.iter().find(is_it).unwrap();
    (sample.headers[0].1, serde_json::from_str(&body).unwrap())
}

/// The event with this name and body, as the door makes it.
pub(crate) fn event(name: &str, body: &Value) -> WebhookEvent {
    WebhookEvent::new(EventParts {
        name: Some(name.into()),
        body: body.to_string().into(),
        ..EventParts::default()
    })
}

/// What the processors of a kind make of an event, for a mapping of one resource with this kind
/// and selector.
pub(crate) async fn run(
    kind: &str,
    site: &Site,
    (name, body): &(&str, Value),
    mut selector: Value,
) -> Run {
    let processors = Registry::discover();
    let of_kind = processors
        .into_iter()
        .filter(|it| it.spec.kinds.contains(&kind));
    let registry = Registry::unchecked(of_kind.collect());
    selector["query"] = json!("true");
    let config = json!({ "resources": [{
        "kind": kind,
        "selector": selector,
        "port": { "entity": { "mappings": { "identifier": ".id", "blueprint": "'any'" } } },
    }] });
    let options = MappingOptions {
        selectors: [(kind.to_owned(), registry.selector_types(kind))].into(),
        ..MappingOptions::default()
    };
    let trial = Trial {
        registry: &registry,
        mapping: &Mapping::compile(&config, &options).unwrap(),
        state: &StateMap::new().with(site.client()),
    };
    let report = dispatch::trial(&trial, &event(name, body)).await;
    if report.matched.is_empty() {
        return Run::Ignored;
    }
    let (mut updated, mut deleted) = (Vec::new(), Vec::new());
    let values =
        |items: &[Raw]| -> Vec<Value> { items.iter().map(|item| item.read().unwrap()).collect() };
    for run in &report.runs {
        match run.error.join(": ") {
            fine if fine.is_empty() => {}
            error if error.contains("invalid payload") => return Run::Invalid(error),
            error => return Run::Failed(error),
        }
        updated.extend(values(&run.updated));
        deleted.extend(values(&run.deleted));
    }
    Run::Done { updated, deleted }
}
