//! A trial: what an event would do, without queue, retries and catalog.
//!
//! It runs the code of the real thing (the same route, calls, attempts and plan), once, and writes
//! nothing. Handlers are called for real: they ask the tool. Those of actions, whose effects are
//! their purpose, are left out unless asked for.

use std::{fmt, panic::AssertUnwindSafe};

use futures_util::future::join_all;
use serde::{Serialize, ser::SerializeStruct as _};

use super::{
    attempt::{self, Brought},
    calls::{Call, calls},
};
use crate::{
    catalog::{Entity, EntityKey, Identifier},
    error::{ErrorClass, ProcessorError},
    event::WebhookEvent,
    extract::EventContext,
    mapping::{Mapping, Plan, PlanInput},
    outcome::RawResults,
    processor::{ProcessorType, Registry},
    queue::Story,
    raw::Raw,
    state::StateMap,
};

/// What a trial works with.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// The processors.
    pub registry: &'a Registry,
    /// The mapping.
    pub mapping: &'a Mapping,
    /// The integration's state.
    pub state: &'a StateMap,
}

/// What an event would do.
#[derive(Debug, Default, Serialize)]
pub struct TrialReport {
    /// The processors the event is for.
    pub matched: Vec<&'static str>,
    /// What each call of a handler brought.
    pub runs: Vec<TrialRun>,
    /// Entities that would be upserted, in order.
    pub upserts: Vec<Entity>,
    /// Entities that would be deleted after that, if they exist and are ours.
    #[serde(serialize_with = "keys")]
    pub deletes: Vec<EntityKey>,
    /// What an operator should know: fields without value, kinds that the mapping lacks.
    pub notes: Vec<String>,
}

/// What one call of a handler brought.
#[derive(Debug, Serialize)]
pub struct TrialRun {
    /// The processor's name.
    pub processor: &'static str,
    /// The resources that map the results, such as `issue-0`; none for actions.
    pub resources: Vec<String>,
    /// The error and its sources, outermost first, if it failed.
    pub error: Vec<String>,
    /// What dispatch would do about the error, if it failed.
    #[serde(skip)]
    pub class: Option<ErrorClass>,
    /// Items reported as existing.
    pub updated: Vec<Raw>,
    /// Items reported as gone.
    pub deleted: Vec<Raw>,
}

/// Tries `event`, without the processors that are actions.
pub async fn trial(trial: &Trial<'_>, event: &WebhookEvent) -> TrialReport {
    trial.run(event, false).await
}

/// Tries `event`, actions included.
pub async fn trial_with_actions(trial: &Trial<'_>, event: &WebhookEvent) -> TrialReport {
    trial.run(event, true).await
}

impl Trial<'_> {
    async fn run(&self, event: &WebhookEvent, actions: bool) -> TrialReport {
        let route = self.registry.route(event);
        let names = route
            .iter()
            .map(|place| self.registry.get(*place).spec.name);
        let mut report = TrialReport {
            matched: names.collect(),
            ..TrialReport::default()
        };
        // Turn by turn, as it would be: results of different lanes are planned apart.
        let lanes = self.registry.lanes(event, &route);
        for entry in &lanes {
            let turn = self.registry.in_lane(event, &route, entry.lane, &lanes);
            self.turn(event, &turn, actions, &mut report).await;
        }
        report
    }

    async fn turn(
        &self,
        event: &WebhookEvent,
        turn: &[usize],
        actions: bool,
        report: &mut TrialReport,
    ) {
        let mut story = Story::default();
        let mut to_call = Vec::new();
        for place in turn {
            let registered = self.registry.get(*place);
            if !actions && registered.spec.processor_type == ProcessorType::Action {
                let name = registered.spec.name;
                report
                    .notes
                    .push(format!("{name}: an action, left out of the trial"));
                continue;
            }
            to_call.extend(calls(
                registered,
                event,
                self.mapping.resources(),
                &mut story,
            ));
        }
        let attempts = story.runs.into_iter().flat_map(|run| {
            let named = move |note| format!("{}: {note}", run.processor);
            let notes = run.attempts.into_iter().flat_map(|attempt| attempt.notes);
            notes.map(named).collect::<Vec<_>>()
        });
        report.notes.extend(attempts);
        let tried = to_call.into_iter().map(|call| self.call(call, event));
        let tried = join_all(tried).await;
        self.plan(&tried, report);
        report.runs.extend(tried.into_iter().map(TrialRun::from));
    }

    async fn call<'a>(&self, mut call: Call<'a>, event: &WebhookEvent) -> Tried<'a> {
        let context = EventContext::new(event, self.state);
        let result = match call.broken.take() {
            Some(error) => Err(error),
            None => {
                let context = context.with_resource(call.selector.as_deref());
                let limit = call.registered.spec.timeout;
                attempt::attempt(call.registered, &context, limit).await
            }
        };
        Tried { call, result }
    }

    fn plan(&self, tried: &[Tried<'_>], report: &mut TrialReport) {
        let nothing = RawResults::none();
        let places: Vec<Vec<usize>> = tried
            .iter()
            .map(|tried| tried.call.resources.iter().map(|it| it.index).collect())
            .collect();
        let inputs: Vec<_> = tried
            .iter()
            .zip(&places)
            .map(|(tried, resources)| PlanInput {
                resources,
                results: tried.result.as_ref().map_or(&nothing, |it| &it.results),
            })
            .collect();
        let plan = std::panic::catch_unwind(AssertUnwindSafe(|| self.mapping.plan(&inputs)));
        let Plan {
            upserts,
            deletes,
            notes,
        } = plan.unwrap_or_else(|panic| {
            let fault = attempt::panicked("mapping ", &*panic);
            report.notes.push(fault.to_string());
            Plan::default()
        });
        report
            .upserts
            .extend(upserts.into_iter().map(|(_, entity)| entity));
        report
            .deletes
            .extend(deletes.into_iter().map(|(_, key)| key));
        report
            .notes
            .extend(notes.iter().map(|(_, note)| note.to_string()));
        let remarks = tried.iter().filter_map(|tried| {
            let note = tried.result.as_ref().ok()?.note?;
            Some(format!("{}: {note}", tried.call.registered.spec.name))
        });
        report.notes.extend(remarks);
    }
}

/// A call that was made.
struct Tried<'a> {
    call: Call<'a>,
    result: Result<Brought, ProcessorError>,
}

impl From<Tried<'_>> for TrialRun {
    fn from(tried: Tried<'_>) -> Self {
        let class = tried.result.as_ref().err().map(ProcessorError::class);
        let (results, error) = match tried.result {
            Ok(brought) => (brought.results, Vec::new()),
            Err(error) => (RawResults::none(), error.chain()),
        };
        Self {
            processor: tried.call.registered.spec.name,
            resources: tried
                .call
                .resources
                .iter()
                .map(|it| it.to_string())
                .collect(),
            error,
            class,
            updated: results.updated,
            deleted: results.deleted,
        }
    }
}

// === impl TrialReport ===

impl TrialReport {
    /// Writes which processors the event is for and what their calls brought.
    pub(super) fn fmt_runs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.matched.is_empty() {
            return f.write_str("no processor is for this event\n");
        }
        writeln!(f, "matched: {}", self.matched.join(", "))?;
        for run in &self.runs {
            write!(f, "{}", run.processor)?;
            if !run.resources.is_empty() {
                write!(f, " ({})", run.resources.join(", "))?;
            }
            if run.error.is_empty() {
                let (updated, deleted) = (run.updated.len(), run.deleted.len());
                writeln!(f, ": {updated} updated, {deleted} deleted")?;
            } else {
                writeln!(f, ": failed: {}", run.error.join(": "))?;
            }
        }
        Ok(())
    }

    pub(super) fn fmt_notes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

impl fmt::Display for TrialReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_runs(f)?;
        for entity in &self.upserts {
            let json = String::from_utf8_lossy(&entity.json);
            writeln!(f, "+ {}  {json}", entity.key)?;
        }
        for key in &self.deletes {
            writeln!(f, "- {key}")?;
        }
        self.fmt_notes(f)
    }
}

fn keys<S: serde::Serializer>(keys: &[EntityKey], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(keys.iter().map(Key))
}

/// A key as the catalog's API writes it.
struct Key<'a>(&'a EntityKey);

impl Serialize for Key<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut key = serializer.serialize_struct("EntityKey", 2)?;
        match &self.0.identifier {
            Identifier::Text(text) => key.serialize_field("identifier", text)?,
            Identifier::Json(json) => {
                let json: &serde_json::value::RawValue =
                    serde_json::from_str(json).map_err(serde::ser::Error::custom)?;
                key.serialize_field("identifier", json)?;
            }
        }
        key.serialize_field("blueprint", &self.0.blueprint)?;
        key.end()
    }
}
