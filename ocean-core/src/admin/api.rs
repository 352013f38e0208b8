//! The JSON API.

use std::sync::Arc;

use actix_web::{http::Method, web};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::view;
use crate::{
    catalog::{CatalogError, EntityBrowser},
    clock::Clock,
    event::EventId,
    ingress::Check,
    mapping::MappingHandle,
    processor::Registry,
    queue::{Action, ActionOutcome, EventState, Filter, Journal, Queue, QueueError},
};

/// The most events or entities of one answer.
const MAX_LIMIT: usize = 1_000;

/// What the API answers from.
pub(super) struct Api {
    pub(super) queue: Arc<dyn Queue>,
    pub(super) registry: Arc<Registry>,
    pub(super) mapping: MappingHandle,
    pub(super) browser: Option<Arc<dyn EntityBrowser>>,
    pub(super) checks: Vec<Check>,
    pub(super) clock: Clock,
    pub(super) started_at: Timestamp,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("there is no {0}")]
    NotFound(&'static str),
    #[error("use {0}")]
    Method(&'static str),
    #[error("{0}")]
    BadRequest(String),
    #[error("{0}")]
    NotAvailable(&'static str),
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    Queue(#[from] QueueError),
    #[error("{0}")]
    Catalog(#[from] CatalogError),
    #[error("internal error")]
    Internal,
}

impl Problem {
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::NotFound(_) => 404,
            Self::Method(_) => 405,
            Self::BadRequest(_) => 400,
            Self::NotAvailable(_) => 501,
            Self::Conflict(_) => 409,
            Self::Queue(_) | Self::Catalog(_) => 503,
            Self::Internal => 500,
        }
    }

    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not_found",
            Self::Method(_) => "method_not_allowed",
            Self::BadRequest(_) => "bad_request",
            Self::NotAvailable(_) => "not_available",
            Self::Conflict(_) => "refused",
            Self::Queue(_) => "queue_unavailable",
            Self::Catalog(_) => "catalog_unavailable",
            Self::Internal => "internal",
        }
    }
}

impl Api {
    /// Answers a call; `path` is what follows `/api/`, its segments decoded.
    pub(super) async fn answer(
        &self,
        method: &Method,
        path: &[String],
        query: &Query,
    ) -> Result<Value, Problem> {
        let segments: Vec<&str> = path.iter().map(String::as_str).collect();
        let posts = matches!(
            *segments,
            ["dead", _, "replay" | "discard"] | ["events", _, "replay"] | ["mapping", "refresh"]
        );
        let allowed = if posts { "POST" } else { "GET" };
        let fits = if posts {
            *method == Method::POST
        } else {
            *method == Method::GET || *method == Method::HEAD
        };
        if !fits {
            return Err(Problem::Method(allowed));
        }
        match *segments {
            ["status"] => Ok(self.status()),
            ["events"] => self.events(query.filter()?).await,
            ["events", id] => self.event(id.to_owned()).await,
            ["events", id, "replay"] => self.operate(Action::Replay(vec![parse_id(id)?])).await,
            ["dead"] => {
                let states = vec![EventState::Dead, EventState::Refused];
                let filter = query.filter()?;
                self.events(Filter { states, ..filter }).await
            }
            ["dead", id, "replay"] => {
                self.require_dead(id).await?;
                self.operate(Action::Replay(vec![parse_id(id)?])).await
            }
            ["dead", id, "discard"] => self.operate(Action::Discard(vec![parse_id(id)?])).await,
            ["entities"] => self.entities(query).await,
            ["entities", blueprint, identifier] => self.entity(blueprint, identifier).await,
            ["processors"] => {
                let processors: Vec<_> = self.registry.iter().map(view::processor).collect();
                Ok(json!({ "processors": processors }))
            }
            ["mapping"] => Ok(self.mapping()),
            ["mapping", "refresh"] => Ok(self.refresh_mapping()),
            _ => Err(Problem::NotFound("such call")),
        }
    }

    fn status(&self) -> Value {
        let uptime = self.clock.now().duration_since(self.started_at);
        let troubles = self.checks.iter().filter_map(|check| {
            let reason = check.run().err()?;
            Some(json!({"dependency": check.name(), "reason": reason}))
        });
        json!({
            "core_version": env!("CARGO_PKG_VERSION"),
            "started_at": self.started_at,
            "uptime_seconds": uptime.as_secs(),
            "queue": view::pressure(&self.queue.pressure()),
            "history": self.queue.journal().is_some(),
            "entities": self.browser.is_some(),
            "troubles": troubles.collect::<Vec<_>>(),
        })
    }

    fn mapping(&self) -> Value {
        let current = self.mapping.current();
        let resources: Vec<_> = current
            .iter()
            .flat_map(|mapping| {
                let resources = mapping.resources();
                resources.map(|resource| {
                    let query = mapping.query(resource.index);
                    json!({"index": resource.index, "kind": &*resource.kind, "query": &*query})
                })
            })
            .collect();
        let mut status =
            serde_json::to_value(self.mapping.status()).expect("a status serializes to JSON");
        status["resources"] = resources.into();
        status
    }

    fn refresh_mapping(&self) -> Value {
        self.mapping.refresh_now();
        json!({"status": "asked"})
    }

    async fn events(&self, filter: Filter) -> Result<Value, Problem> {
        let journal = self.journal()?;
        let limit = filter.limit;
        let events = blocking(move || journal.list(&filter)).await??;
        // A full page may have a next one.
        let next = events.last().filter(|_| events.len() == limit);
        let next = next.map(|last| last.id.to_string());
        let events: Vec<_> = events.iter().map(view::summary).collect();
        Ok(json!({"events": events, "next": next}))
    }

    async fn event(&self, id: String) -> Result<Value, Problem> {
        let journal = self.journal()?;
        let found = blocking(move || journal.show(&id)).await??;
        let (summary, stored) = found.ok_or(Problem::NotFound("such event"))?;
        Ok(view::event(&summary, &stored))
    }

    async fn require_dead(&self, id: &str) -> Result<(), Problem> {
        let Some(journal) = self.queue.journal() else {
            return Ok(());
        };
        let id = parse_id(id)?.to_string();
        match blocking(move || journal.show(&id)).await?? {
            Some((summary, _)) if summary.state == EventState::Dead => Ok(()),
            Some(_) => Err(Problem::Conflict("it is not a dead letter".into())),
            None => Err(Problem::NotFound("such event")),
        }
    }

    async fn operate(&self, action: Action) -> Result<Value, Problem> {
        let results = self.queue.operate(action).await?;
        let result = results.into_iter().next().ok_or(Problem::Internal)?;
        let id = result.id.to_string();
        match result.outcome {
            ActionOutcome::Replayed(replay) => {
                Ok(json!({"status": "replayed", "id": id, "replay": replay.to_string()}))
            }
            ActionOutcome::Discarded => Ok(json!({"status": "discarded", "id": id})),
            ActionOutcome::Refused(reason) => Err(Problem::Conflict(reason)),
        }
    }

    async fn entities(&self, query: &Query) -> Result<Value, Problem> {
        let entities = self
            .browser()?
            .list(query.get("blueprint"), query.limit()?)
            .await?;
        Ok(json!({ "entities": entities }))
    }

    async fn entity(&self, blueprint: &str, identifier: &str) -> Result<Value, Problem> {
        let entity = self.browser()?.get(blueprint, identifier).await?;
        entity.ok_or(Problem::NotFound("such entity"))
    }

    fn journal(&self) -> Result<Arc<dyn Journal>, Problem> {
        let journal = self.queue.journal();
        journal.ok_or(Problem::NotAvailable("this queue keeps no history"))
    }

    fn browser(&self) -> Result<&dyn EntityBrowser, Problem> {
        self.browser.as_deref().ok_or(Problem::NotAvailable(
            "entities can be looked into only where the catalog is the local one; they are at Port",
        ))
    }
}

fn parse_id(text: &str) -> Result<EventId, Problem> {
    text.parse()
        .map_err(|_| Problem::BadRequest(format!("`{text}` is not the id of an event")))
}

/// Runs what reads a file where it holds up nobody.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    web::block(read).await.map_err(|_| Problem::Internal)
}

// === Query ===

/// The query of a call: names and values.
#[derive(Clone, Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        let pairs = url::form_urlencoded::parse(text.as_bytes());
        // An empty filter field of a form is none.
        let given = pairs.into_owned().filter(|(_, value)| !value.is_empty());
        Self(given.collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    fn limit(&self) -> Result<usize, Problem> {
        let Some(text) = self.get("limit") else {
            return Ok(100);
        };
        match text.parse() {
            Ok(limit @ 1..=MAX_LIMIT) => Ok(limit),
            _ => Err(Problem::BadRequest(format!(
                "`limit` is a number from 1 to {MAX_LIMIT}"
            ))),
        }
    }

    fn filter(&self) -> Result<Filter, Problem> {
        let states = self.get("state").unwrap_or_default().split(',');
        let states = states.filter(|state| !state.is_empty()).map(|state| {
            serde_json::from_value(state.into())
                .map_err(|_| Problem::BadRequest(format!("there is no state `{state}`")))
        });
        Ok(Filter {
            states: states.collect::<Result<_, _>>()?,
            path: self.get("path").map(str::to_owned),
            name: self.get("name").map(str::to_owned),
            before: self.get("before").map(parse_id).transpose()?,
            limit: self.limit()?,
            ..Filter::default()
        })
    }
}
