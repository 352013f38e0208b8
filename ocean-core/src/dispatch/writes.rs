//! From raw results to confirmed writes, and whose run each failure is.
//!
//! All results of a turn are planned together, as upstream does: what one processor removes and
//! another upserts is upserted. An item whose mapping fails yields nothing; since trying again
//! cannot change that, its run is done with a note, and only a run for which every item failed is
//! given up. Upstream ignores both.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures_util::FutureExt as _;

use super::{attempt::panicked, gate::Seen};
use crate::{
    catalog::{
        Catalog, CatalogError, ChangeSet, EntityKey, Processing, RawPart, RawShipment, Written,
    },
    error::ProcessorError,
    event::WebhookEvent,
    mapping::{Mapping, Note, Origin, Plan, PlanInput},
    outcome::RawResults,
    queue::{Write, WriteKind},
    resource::Resource,
    telemetry::Telemetry,
};

/// What a handler brought, and the resources that map it.
#[derive(Debug)]
pub(super) struct Input<'a> {
    /// The resources.
    pub(super) resources: &'a [Arc<Resource>],
    /// The raw items.
    pub(super) results: Arc<RawResults>,
}

/// What became of the results of one run.
#[derive(Debug, Default)]
pub(super) struct Landed {
    /// The writes and their answers; long lists are cut.
    pub(super) writes: Vec<Write>,
    /// What the mapping complained about; long lists are cut.
    pub(super) notes: Vec<String>,
    /// Why the run is not done. Of several faults the one that is waited for longest: an outage
    /// before a fault that passes, that before one that stays.
    pub(super) error: Option<ProcessorError>,
}

/// What became of the results of a turn.
#[derive(Debug)]
pub(super) struct Answers {
    /// By run; runs of which nothing is to be told are left out.
    pub(super) landed: HashMap<Origin, Landed>,
    /// What this says about the catalog.
    pub(super) seen: Seen,
}

/// Who takes part in landing results.
#[derive(Clone, Copy, Debug)]
pub(super) struct Landing<'a> {
    pub(super) event: &'a WebhookEvent,
    pub(super) mapping: &'a Arc<Mapping>,
    pub(super) catalog: &'a dyn Catalog,
    pub(super) telemetry: &'a Telemetry,
}

impl Landing<'_> {
    /// Maps and writes everything, or ships it raw.
    pub(super) async fn land(&self, inputs: &[Input<'_>]) -> Answers {
        if inputs.iter().all(|input| input.results.is_empty()) {
            return Answers::none();
        }
        // A fault of the mapping or the catalog must cost this event no more than an attempt.
        let landed = AssertUnwindSafe(self.land_unguarded(inputs))
            .catch_unwind()
            .await;
        landed.unwrap_or_else(|panic| {
            let error = || panicked("mapping or catalog ", &*panic);
            Answers::all_failed(inputs, error, Seen::Nothing)
        })
    }

    async fn land_unguarded(&self, inputs: &[Input<'_>]) -> Answers {
        match self.catalog.processing() {
            Processing::Raw => match self.ship(inputs).await {
                Ok(seen) => Answers {
                    seen,
                    ..Answers::none()
                },
                Err(error) => Answers::all_failed(inputs, || error.clone().into(), seen(&error)),
            },
            Processing::Entities => self.map_and_write(inputs).await,
            Processing::EntitiesAndRaw => {
                let (answers, shipped) =
                    tokio::join!(self.map_and_write(inputs), self.ship(inputs));
                if let Err(error) = shipped {
                    self.telemetry
                        .dispatch
                        .not_shipped(self.event.id(), &error.into());
                }
                answers
            }
        }
    }

    async fn ship(&self, inputs: &[Input<'_>]) -> Result<Seen, CatalogError> {
        let part = |(input, resource): (&Input<'_>, &Arc<Resource>)| RawPart {
            kind: Arc::clone(&resource.kind),
            resource_index: resource.index,
            query: self.mapping.query(resource.index),
            results: Arc::clone(&input.results),
        };
        let parts: Vec<_> = origins(inputs)
            .map(|(origin, resource)| (&inputs[origin.input], resource))
            .filter(|(input, _)| !input.results.is_empty())
            .map(part)
            .collect();
        // What actions bring belongs to no resource.
        if parts.is_empty() {
            return Ok(Seen::Nothing);
        }
        let shipment = RawShipment {
            event_id: self.event.id().to_string(),
            received_at: self.event.received_at(),
            parts,
        };
        self.catalog.ship(shipment).await.map(|()| Seen::Answer)
    }

    async fn map_and_write(&self, inputs: &[Input<'_>]) -> Answers {
        let started = Instant::now();
        let plan = self.plan(inputs).await;
        self.telemetry.mapping.planned(&plan, started.elapsed());
        let mut answered = Answers {
            landed: self.read_notes(inputs, &plan),
            seen: Seen::Nothing,
        };
        let (changes, names) = changes(plan, self.mapping);
        if names.is_empty() {
            return answered;
        }
        let mut answers = self.catalog.apply(changes).await.into_iter();
        for (origin, kind, key) in names {
            let answer = answers.next().unwrap_or_else(|| Err(unanswered()));
            answered.saw(answer.as_ref().map_or_else(seen, |_| Seen::Answer));
            let landed = answered.landed.entry(origin).or_default();
            landed.wrote(kind, key, answer);
        }
        answered
    }

    /// Maps all items; many or large ones on a thread of their own, since mapping never yields and
    /// would hold up whatever else shares the worker's thread.
    async fn plan(&self, inputs: &[Input<'_>]) -> Plan {
        let mapping = Arc::clone(self.mapping);
        let inputs: Vec<_> = inputs.iter().map(ToMap::from).collect();
        if !inputs.iter().any(ToMap::is_large) {
            return plan(&mapping, &inputs);
        }
        let planned = tokio::task::spawn_blocking(move || plan(&mapping, &inputs)).await;
        // A panic goes on here, where it costs the event an attempt.
        planned.unwrap_or_else(|fault| std::panic::resume_unwind(fault.into_panic()))
    }

    fn read_notes(&self, inputs: &[Input<'_>], plan: &Plan) -> HashMap<Origin, Landed> {
        let mut landed: HashMap<Origin, Landed> = HashMap::new();
        let mut failures: HashMap<Origin, usize> = HashMap::new();
        for (origin, note) in &plan.notes {
            if note.finding.is_error() {
                *failures.entry(*origin).or_default() += 1;
            }
            landed.entry(*origin).or_default().note(note);
        }
        for (origin, count) in &failures {
            self.telemetry
                .dispatch
                .mapping_failed(self.event.id(), *count);
            let results = &inputs[origin.input].results;
            let items = results.updated.len() + results.deleted.len();
            let yields = plan.upserts.iter().any(|(from, _)| from == origin)
                || plan.deletes.iter().any(|(from, _)| from == origin);
            if *count >= items && !yields {
                let landed = landed.entry(*origin).or_default();
                let first = landed.notes.first().cloned().unwrap_or_default();
                landed.error = Some(ProcessorError::permanent(format!(
                    "the mapping failed for every item: {first}"
                )));
            }
        }
        landed
    }
}

// === ToMap ===

/// An input of a plan that can go to another thread.
#[derive(Debug)]
struct ToMap {
    /// Places of the resources in the mapping.
    resources: Vec<usize>,
    results: Arc<RawResults>,
}

/// The most items that are mapped on the worker's thread.
const FEW_ITEMS: usize = 64;

/// The most bytes of raw items that are mapped on the worker's thread.
const FEW_BYTES: usize = 1 << 20;

impl ToMap {
    fn is_large(&self) -> bool {
        let items = || self.results.updated.iter().chain(&self.results.deleted);
        items().count() > FEW_ITEMS
            || items().map(|raw| raw.as_bytes().len()).sum::<usize>() > FEW_BYTES
    }
}

impl From<&Input<'_>> for ToMap {
    fn from(input: &Input<'_>) -> Self {
        Self {
            resources: input.resources.iter().map(|it| it.index).collect(),
            results: Arc::clone(&input.results),
        }
    }
}

fn plan(mapping: &Mapping, inputs: &[ToMap]) -> Plan {
    let inputs: Vec<_> = inputs
        .iter()
        .map(|input| PlanInput {
            resources: &input.resources,
            results: &input.results,
        })
        .collect();
    mapping.plan(&inputs)
}

/// The changes for the catalog and, in the order of its answers, what each is about.
fn changes(plan: Plan, mapping: &Mapping) -> (ChangeSet, Vec<(Origin, WriteKind, EntityKey)>) {
    let upserted = |(origin, entity): &(Origin, crate::catalog::Entity)| {
        (*origin, WriteKind::Upsert, entity.key.clone())
    };
    let deleted = |(origin, key): &(Origin, EntityKey)| (*origin, WriteKind::Delete, key.clone());
    let names = plan.upserts.iter().map(upserted);
    let names = names.chain(plan.deletes.iter().map(deleted)).collect();
    let changes = ChangeSet {
        upserts: plan.upserts.into_iter().map(|(_, entity)| entity).collect(),
        deletes: plan.deletes.into_iter().map(|(_, key)| key).collect(),
        options: mapping.write_options(),
    };
    (changes, names)
}

fn origins<'a>(inputs: &'a [Input<'_>]) -> impl Iterator<Item = (Origin, &'a Arc<Resource>)> {
    inputs.iter().enumerate().flat_map(|(input, it)| {
        it.resources.iter().map(move |resource| {
            let origin = Origin {
                input,
                resource: resource.index,
            };
            (origin, resource)
        })
    })
}

fn failed(error: ProcessorError) -> Landed {
    Landed {
        error: Some(error),
        ..Landed::default()
    }
}

fn unanswered() -> CatalogError {
    CatalogError::Retry {
        message: "the catalog gave no answer".into(),
        after: None,
    }
}

/// What an error says about the catalog. A fault that passes may be one of the way to it.
fn seen(error: &CatalogError) -> Seen {
    match error {
        CatalogError::Unavailable { after, .. } => Seen::Outage(*after),
        CatalogError::Permanent { .. } => Seen::Answer,
        CatalogError::Retry { .. } => Seen::Nothing,
    }
}

// === impl Answers ===

impl Answers {
    fn none() -> Self {
        Self {
            landed: HashMap::new(),
            seen: Seen::Nothing,
        }
    }

    fn all_failed(inputs: &[Input<'_>], error: impl Fn() -> ProcessorError, seen: Seen) -> Self {
        let landed = origins(inputs)
            .map(|(origin, _)| (origin, failed(error())))
            .collect();
        Self { landed, seen }
    }

    /// Of several answers an outage counts most, and of several outages the shortest.
    fn saw(&mut self, seen: Seen) {
        self.seen = match (self.seen, seen) {
            (Seen::Outage(one), Seen::Outage(other)) => Seen::Outage(one.min(other)),
            (outage @ Seen::Outage(_), _) | (_, outage @ Seen::Outage(_)) => outage,
            (Seen::Answer, _) | (_, Seen::Answer) => Seen::Answer,
            (Seen::Nothing, Seen::Nothing) => Seen::Nothing,
        };
    }
}

// === impl Landed ===

/// The most writes and notes that an attempt keeps in the story.
const LISTED: usize = 50;

impl Landed {
    fn note(&mut self, note: &Note) {
        match self.notes.len() {
            kept if kept < LISTED => self.notes.push(note.to_string()),
            LISTED => self.notes.push("further notes are left out".into()),
            _ => {}
        }
    }

    fn wrote(&mut self, kind: WriteKind, key: EntityKey, answer: Result<Written, CatalogError>) {
        let text: Box<str> = match &answer {
            Ok(written) => written.to_string().into(),
            Err(error) => error.to_string().into(),
        };
        let named = answer
            .err()
            .map(|error| ProcessorError::from(name(error, kind, &key)));
        // A failed write is listed in any case: it is what the reader looks for.
        if self.writes.len() < LISTED || named.is_some() && self.writes.len() < 2 * LISTED {
            self.writes.push(Write {
                kind,
                blueprint: (*key.blueprint).into(),
                identifier: key.identifier.to_string().into(),
                answer: text,
            });
        }
        if let Some(error) = named
            && self
                .error
                .as_ref()
                .is_none_or(|worst| weight(worst) < weight(&error))
        {
            self.error = Some(error);
        }
    }
}

fn weight(error: &ProcessorError) -> u8 {
    u8::from(error.is_retryable()) + u8::from(error.is_outage())
}

/// Says of which write the error speaks.
fn name(error: CatalogError, kind: WriteKind, key: &EntityKey) -> CatalogError {
    let verb = match kind {
        WriteKind::Upsert => "upsert",
        WriteKind::Delete => "delete",
    };
    let named = |message: Arc<str>| format!("{verb} {key}: {message}").into();
    match error {
        CatalogError::Retry { message, after } => CatalogError::Retry {
            message: named(message),
            after,
        },
        CatalogError::Unavailable { message, after } => CatalogError::Unavailable {
            message: named(message),
            after,
        },
        CatalogError::Permanent { message } => CatalogError::Permanent {
            message: named(message),
        },
    }
}
