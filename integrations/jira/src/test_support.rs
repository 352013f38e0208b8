//! A Jira site in the test process, and what the tests need to talk to it.

use std::{ops::Deref, path::PathBuf};

use ocean_core::{
    Clock, EventParts, Raw, StartContext, StateMap, WebhookEvent,
    dev::{ApiRequest, ApiResponse},
    dispatch::{self, Trial},
    http::HttpOptions,
    mapping::{Mapping, MappingOptions},
    processor::Registry,
    testkit,
};
use serde_json::{Value, json};
use url::Url;

use crate::{JiraClient, JiraConfig};

/// A site, and what talks to it.
pub(crate) struct Site(testkit::Site);

impl Deref for Site {
    type Target = testkit::Site;

    fn deref(&self) -> &testkit::Site {
        &self.0
    }
}

impl Site {
    /// The stand-in that `dev` uses.
    pub(crate) fn sample() -> Self {
        Self::answering(crate::dev::KIT.api)
    }

    /// A site that answers every call like this.
    pub(crate) fn always(status: u16, body: &'static str) -> Self {
        Self(testkit::Site::always(status, body))
    }

    pub(crate) fn answering(
        answer: impl Fn(&ApiRequest) -> ApiResponse + Send + Sync + 'static,
    ) -> Self {
        Self(testkit::Site::answering(answer))
    }

    /// A client of the site.
    pub(crate) fn client(&self) -> JiraClient {
        JiraClient::new(&self.context(json!({}))).unwrap()
    }

    /// What the integration starts with, with these settings beside the usual ones.
    pub(crate) fn context(&self, settings: Value) -> StartContext<JiraConfig> {
        let mut config = json!({
            "jira_host": self.url,
            "atlassian_user_email": "ann@example.com",
            "atlassian_user_token": "t0ken",
        });
        for (name, value) in settings.as_object().unwrap() {
            config[name] = value.clone();
        }
        StartContext {
            config: serde_json::from_value(config).unwrap(),
            identifier: "my-jira".to_owned(),
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

    /// As [`context`](Self::context), with an OAuth token in this file.
    pub(crate) fn oauth_context(&self, file: PathBuf) -> StartContext<JiraConfig> {
        StartContext {
            oauth_token_file: Some(file),
            ..self.context(json!({}))
        }
    }
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

/// The body of the sample with this file name.
pub(crate) fn sample(name: &str) -> Value {
    let file = format!("{}/dev/samples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// The event with this body, as the door makes it.
pub(crate) fn event(body: &Value) -> WebhookEvent {
    WebhookEvent::new(EventParts {
        name: body["webhookEvent"].as_str().map(Into::into),
        body: body.to_string().into(),
        ..EventParts::default()
    })
}

/// What all processors make of `body`, for a mapping of one resource with this kind and selector.
pub(crate) async fn run(kind: &str, site: &Site, body: &Value, mut selector: Value) -> Run {
    let registry = Registry::unchecked(Registry::discover());
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
    let report = dispatch::trial(&trial, &event(body)).await;
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
