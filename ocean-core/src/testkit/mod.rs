//! Events in memory, for unit tests of processors.
//!
//! It delivers an event to processors the way dispatch does (the same route, checks, attempts and
//! mapping), once, and says what came of it: who matched and who did not and why, what was
//! rejected, the raw results, and the entities the mapping makes of them. It opens no port, writes
//! no file and calls no catalog; handlers run for real, against the state the test gives. What they
//! ask a tool for can be answered by a [`Site`].
//!
//! ```
//! use ocean_core::{prelude::*, testkit::{TestEvent, Testkit}};
//!
//! #[webhook_processor(path = "/webhook", kinds = ["issue"], event_prefix = "issue_")]
//! async fn issue(payload: Payload<serde_json::Value>) -> Result<RawResults, ProcessorError> {
//!     Ok(RawResults::updated([Raw::new(&payload["issue"])]))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let event = TestEvent::json(r#"{"issue":{"key":"OPS-7"}}"#).named("issue_updated");
//! let report = Testkit::of(issue::SPEC, issue {}).deliver(&event).await;
//! assert_eq!(report.updated(), [r#"{"key":"OPS-7"}"#]);
//! # }
//! ```

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

mod event;
mod site;

pub use event::TestEvent;
pub use site::Site;

use crate::{
    catalog::{Catalog, CatalogError, ChangeSet, Entity, EntityKey, WriteOptions, Written},
    clock::Clock,
    dispatch::{Trial, TrialRun, trial_with_actions},
    error::ErrorClass,
    event::WebhookEvent,
    integration::Integration,
    mapping::{Mapping, MappingOptions, parse_text},
    processor::{ProcessorSpec, Registered, Registry, WebhookProcessor},
    source::Source,
    state::StateMap,
};

/// Processors, and what they need to run.
#[derive(Debug)]
pub struct Testkit {
    registry: Registry,
    sources: Vec<Source>,
    state: StateMap,
    selector: serde_json::Value,
    mapping: Option<serde_json::Value>,
    clock: Option<Clock>,
}

impl Testkit {
    /// One processor: `Testkit::of(issue::SPEC, issue {})`.
    pub fn of(spec: ProcessorSpec, processor: impl WebhookProcessor) -> Self {
        Self::with(vec![Registered::new(spec, processor)])
    }

    /// All processors of the linked crates, those of the test among them.
    pub fn discovered() -> Self {
        Self::with(Registry::discover())
    }

    /// All processors of the linked crates, with the integration's sources, by which events get
    /// their names, and its default mapping.
    ///
    /// # Panics
    /// If the default mapping is not YAML.
    pub fn integration<I: Integration>(config: &I::Config) -> Self {
        let mut kit = Self::discovered().mapping(I::assets().app_config);
        kit.sources = I::sources(config);
        kit
    }

    fn with(processors: Vec<Registered>) -> Self {
        Self {
            registry: Registry::unchecked(processors),
            sources: Vec::new(),
            state: StateMap::new(),
            selector: json!({}),
            mapping: None,
            clock: None,
        }
    }

    /// The clock that tells when events arrive, such as [`Clock::starting_at`] under paused time.
    /// Without one they arrive at the beginning of 1970.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Adds a value of the integration's state, replacing an earlier one of its type.
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.state = self.state.with(value);
        self
    }

    /// The selector that processors see, for tests without a mapping; `query` may be left out.
    ///
    /// # Panics
    /// If `selector` does not serialize to JSON.
    #[must_use]
    pub fn selector(mut self, selector: &impl Serialize) -> Self {
        self.selector = serde_json::to_value(selector).expect("a selector serializes to JSON");
        self
    }

    /// Maps results with this app config, in YAML or JSON. Without one there are no entities.
    ///
    /// # Panics
    /// If `text` is neither.
    #[must_use]
    pub fn mapping(mut self, text: &str) -> Self {
        match parse_text(text) {
            Ok(mapping) => self.mapping = Some(mapping),
            Err(error) => panic!("{error}"),
        }
        self
    }

    /// Delivers `event` to all processors it is for, actions included.
    ///
    /// # Panics
    /// If the mapping or the selector cannot be used; says why.
    pub async fn deliver(&self, event: &TestEvent) -> Report {
        let now = self
            .clock
            .map_or(Timestamp::UNIX_EPOCH, |clock| clock.now());
        let event = event.build(self.default_path(), &self.sources, now);
        let mapping = self.compile();
        let trial = Trial {
            registry: &self.registry,
            mapping: &mapping,
            state: &self.state,
        };
        let outcome = trial_with_actions(&trial, &event).await;
        let mapped = self.mapping.is_some();
        Report {
            unmatched: self.unmatched(&event, &outcome.matched),
            matched: outcome.matched,
            runs: outcome.runs,
            upserts: if mapped { outcome.upserts } else { Vec::new() },
            deletes: if mapped { outcome.deletes } else { Vec::new() },
            notes: if mapped { outcome.notes } else { Vec::new() },
        }
    }

    fn default_path(&self) -> &'static str {
        let first = self.registry.iter().next();
        first.map_or("/webhook", |registered| registered.spec.path)
    }

    fn unmatched(&self, event: &WebhookEvent, matched: &[&str]) -> Vec<(&'static str, String)> {
        let specs = self.registry.iter().map(|registered| registered.spec);
        specs
            .filter(|spec| !matched.contains(&spec.name))
            .map(|spec| {
                let reason = spec.mismatch(event).map_or_else(
                    || "its guard or `should_process_event` said no".to_owned(),
                    |mismatch| mismatch.to_string(),
                );
                (spec.name, reason)
            })
            .collect()
    }

    fn compile(&self) -> Mapping {
        let config = self.mapping.clone().unwrap_or_else(|| self.stand_in());
        let kinds = self
            .registry
            .iter()
            .flat_map(|registered| registered.spec.kinds);
        let selectors: HashMap<_, _> = kinds
            .map(|kind| ((*kind).to_owned(), self.registry.selector_types(kind)))
            .collect();
        let options = MappingOptions {
            env: Arc::default(),
            selectors,
            kinds: Vec::new(),
        };
        match Mapping::compile(&config, &options) {
            Ok(mapping) => mapping,
            Err(error) => panic!("{error}"),
        }
    }

    /// A mapping in which every kind has a resource, so that processors run as with a real one;
    /// what it would make of their results is left out of the report.
    fn stand_in(&self) -> serde_json::Value {
        let mut selector = json!({ "query": "true" });
        if let (Some(all), Some(given)) = (selector.as_object_mut(), self.selector.as_object()) {
            all.extend(given.clone());
        }
        let mut kinds: Vec<_> = self
            .registry
            .iter()
            .flat_map(|registered| registered.spec.kinds)
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        let resource = |kind| {
            json!({
                "kind": kind,
                "selector": selector,
                "port": { "entity": { "mappings": { "identifier": "\"-\"", "blueprint": "\"-\"" } } },
            })
        };
        json!({ "resources": kinds.into_iter().map(resource).collect::<Vec<_>>() })
    }
}

// === Report ===

/// What came of an event.
#[derive(Debug)]
pub struct Report {
    /// The processors the event is for, in order of name within each lane.
    pub matched: Vec<&'static str>,
    /// The other processors, and what keeps the event from them.
    pub unmatched: Vec<(&'static str, String)>,
    /// What each call of a handler brought.
    pub runs: Vec<TrialRun>,
    /// Entities to upsert, in order.
    pub upserts: Vec<Entity>,
    /// Entities to delete.
    pub deletes: Vec<EntityKey>,
    /// What an operator would be told: fields without value, kinds that the mapping lacks.
    pub notes: Vec<String>,
}

impl Report {
    /// The JSON of all items reported as existing.
    pub fn updated(&self) -> Vec<&str> {
        self.runs
            .iter()
            .flat_map(|run| &run.updated)
            .map(|raw| raw.text())
            .collect()
    }

    /// The JSON of all items reported as gone.
    pub fn deleted(&self) -> Vec<&str> {
        self.runs
            .iter()
            .flat_map(|run| &run.deleted)
            .map(|raw| raw.text())
            .collect()
    }

    /// Processors that turned the event away as not authenticated or invalid, and why.
    pub fn rejected(&self) -> Vec<(&'static str, String)> {
        self.failures(|class| class == ErrorClass::Rejected)
    }

    /// Processors that failed in another way, and why.
    pub fn failed(&self) -> Vec<(&'static str, String)> {
        self.failures(|class| class != ErrorClass::Rejected)
    }

    /// Writes what the event changes to `catalog`, as dispatch would; a fake one is
    /// [`LocalCatalog::in_memory`](crate::catalog::LocalCatalog::in_memory). The answers come in the
    /// order of [`upserts`](Self::upserts), then [`deletes`](Self::deletes).
    pub async fn write(&self, catalog: &dyn Catalog) -> Vec<Result<Written, CatalogError>> {
        let changes = ChangeSet {
            upserts: self.upserts.clone(),
            deletes: self.deletes.clone(),
            options: WriteOptions::default(),
        };
        catalog.apply(changes).await
    }

    fn failures(&self, of: impl Fn(ErrorClass) -> bool) -> Vec<(&'static str, String)> {
        let failed = self.runs.iter().filter(|run| run.class.is_some_and(&of));
        failed
            .map(|run| (run.processor, run.error.join(": ")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::{ProcessorError, Rejection},
        extract::{EventContext, FromEvent as _, Payload, Selector},
        outcome::{IntoOutcome as _, Outcome, RawResults},
        raw::Raw,
        resource::SelectorType,
        source::Locator,
    };

    #[derive(serde::Deserialize)]
    struct Issue {
        key: String,
    }

    #[derive(serde::Deserialize)]
    struct Board {
        board: u32,
    }

    struct Issues;

    impl WebhookProcessor for Issues {
        async fn authenticate(&self, event: &WebhookEvent) -> Result<(), Rejection> {
            match event.headers().get("x-forged") {
                Some(_) => Err(Rejection::unauthenticated("forged")),
                None => Ok(()),
            }
        }

        async fn handle_event(&self, cx: &EventContext<'_>) -> Result<Outcome, ProcessorError> {
            let issue = Payload::<Issue>::from_event(cx)?;
            let selector = Selector::<Board>::from_event(cx)?;
            if issue.key == "broken" {
                return Err(ProcessorError::permanent("as the test wants"));
            }
            let raw = Raw::new(&json!({ "key": issue.key, "board": selector.board }));
            Ok(RawResults::updated([raw]).into_outcome())
        }
    }

    const NEEDS: &[crate::extract::Need] =
        &[crate::extract::Need::Selector(SelectorType::of::<Board>())];
    const SPEC: ProcessorSpec = ProcessorSpec::new("issues", "/hook")
        .kinds(&["issue"])
        .event_prefix("issue_")
        .needs(NEEDS);

    fn kit() -> Testkit {
        Testkit::of(SPEC, Issues).selector(&json!({ "board": 5 }))
    }

    fn event(body: &str) -> TestEvent {
        TestEvent::json(body).named("issue_updated")
    }

    #[tokio::test]
    async fn results_are_reported_without_a_mapping() {
        let report = kit().deliver(&event(r#"{"key":"A-1"}"#)).await;
        assert_eq!(report.matched, ["issues"]);
        assert_eq!(report.updated(), [r#"{"key":"A-1","board":5}"#]);
        assert!(report.upserts.is_empty() && report.notes.is_empty());
    }

    #[tokio::test]
    async fn an_event_that_does_not_match_says_why() {
        let report = kit()
            .deliver(&TestEvent::json("{}").named("user_created"))
            .await;
        let reason = "it is for events that start with `issue_`".to_owned();
        assert_eq!(report.unmatched, [("issues", reason)]);
        assert!(report.runs.is_empty());
    }

    #[tokio::test]
    async fn rejections_and_failures_are_told_apart() {
        let forged = event(r#"{"key":"A-1"}"#).header("X-Forged", "yes");
        let report = kit().deliver(&forged).await;
        assert_eq!(
            report.rejected(),
            [("issues", "not authenticated: forged".to_owned())]
        );
        let report = kit().deliver(&event(r#"{"key":"broken"}"#)).await;
        assert_eq!(
            report.failed(),
            [("issues", "as the test wants".to_owned())]
        );
        assert!(report.rejected().is_empty());
    }

    #[tokio::test]
    async fn a_mapping_makes_entities() {
        let kit = kit().mapping(
            "resources:
  - kind: issue
    selector: { query: 'true', board: 7 }
    port:
      entity:
        mappings:
          identifier: .key
          blueprint: '\"issue\"'
          title: '\"board \" + (.board | tostring)'
",
        );
        let report = kit.deliver(&event(r#"{"key":"A-1"}"#)).await;
        assert_eq!(report.upserts.len(), 1);
        let entity: serde_json::Value = serde_json::from_slice(&report.upserts[0].json).unwrap();
        assert_eq!(entity["title"], "board 7");
    }

    #[tokio::test]
    async fn names_are_read_as_the_source_says() {
        let mut kit = kit();
        kit.sources = vec![Source::new("/hook").event_name(Locator::pointer("/event"))];
        let named = TestEvent::json(r#"{"key":"A-1","event":"issue_created"}"#);
        assert_eq!(kit.deliver(&named).await.matched, ["issues"]);
        let other = TestEvent::json(r#"{"key":"A-1","event":"user_created"}"#);
        assert_eq!(kit.deliver(&other).await.matched, [""; 0]);
    }
}
