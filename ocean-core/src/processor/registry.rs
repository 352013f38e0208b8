//! The registry: all processors of the process, found through `inventory` and checked as a whole.

use std::{
    collections::HashMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use smallvec::SmallVec;
use tracing::warn;

pub use super::index::ProcessorIndex;
use super::{
    DynProcessor, ProcessorSpec, ProcessorType, RetryPolicy, WebhookProcessor,
    index::{Index, Route},
    lanes,
};
use crate::{
    error::StartError,
    event::WebhookEvent,
    extract::Need,
    lane::{Lane, Lanes},
    nearest::nearest,
    resource::SelectorType,
    source::Source,
    state::StateMap,
};

/// What the attribute registers.
#[derive(Debug)]
pub struct Registration {
    /// The processor's description.
    pub spec: &'static ProcessorSpec,
    /// Makes the processor.
    pub make: fn() -> Arc<dyn DynProcessor>,
}

inventory::collect!(Registration);

/// One processor of the registry.
#[derive(Clone)]
pub struct Registered {
    /// Its description.
    pub spec: ProcessorSpec,
    /// The processor.
    pub processor: Arc<dyn DynProcessor>,
}

impl Registered {
    /// A processor without the attribute. What the description leaves at its default is taken from
    /// the trait: the type and the retry constants.
    pub fn new(spec: ProcessorSpec, processor: impl WebhookProcessor) -> Self {
        Self::from_parts(spec, Arc::new(processor))
    }

    fn from_parts(mut spec: ProcessorSpec, processor: Arc<dyn DynProcessor>) -> Self {
        if processor.processor_type() != ProcessorType::default() {
            spec.processor_type = processor.processor_type();
        }
        if spec.retry == RetryPolicy::DEFAULT {
            spec.retry = processor.retry_policy();
        }
        Self { spec, processor }
    }

    /// Whether the event is for it: guard and `should_process_event` say yes, or one of them
    /// panics. A fault must not pass for "no", or an event that was answered with "ok" would be
    /// lost; the panic comes again in the attempt, where it is repeated as any other.
    fn accepts(&self, event: &WebhookEvent) -> bool {
        catch_unwind(AssertUnwindSafe(|| self.wants(event))).unwrap_or_else(|_| {
            warn!(
                processor = self.spec.name,
                event = %event.id(),
                "A processor panicked when asked whether an event concerns it; its attempts will fail."
            );
            true
        })
    }

    /// Whether guard and `should_process_event` say yes. The declared filter is not asked again.
    ///
    /// # Panics
    /// If one of them does.
    pub(crate) fn wants(&self, event: &WebhookEvent) -> bool {
        self.spec.guard.is_none_or(|guard| guard(event))
            && self.processor.should_process_event(event)
    }
}

/// All processors, in order of name, and the index that finds those an event is for.
pub struct Registry {
    processors: Vec<Registered>,
    index: Index,
}

impl Registry {
    /// The processors of all linked crates. The only reader of `inventory`.
    pub fn discover() -> Vec<Registered> {
        let mut processors: Vec<_> = inventory::iter::<Registration>
            .into_iter()
            .map(|registration| Registered::from_parts(*registration.spec, (registration.make)()))
            .collect();
        // The linker decides on the order of registrations; names do not depend on it.
        sort(&mut processors);
        processors
    }

    /// Checks `processors` as a whole against what the integration declares, and builds the index.
    ///
    /// # Errors
    /// All problems at once, each with file and line: no processor at all, duplicate names, a path
    /// without source, a kind that `kinds` does not hold, missing state, a selector where there is
    /// no resource.
    pub fn build(
        mut processors: Vec<Registered>,
        sources: &[Source],
        kinds: &[String],
        state: &StateMap,
    ) -> Result<Self, StartError> {
        sort(&mut processors);
        let mut problems = StartError::default();
        if processors.is_empty() {
            problems.add(
                "no webhook processor is registered; annotate one with `#[webhook_processor(..)]`, \
                 and name the integration's type in `main`, as in `ocean_core::run::<Jira>()`, so \
                 that the crate with the processors is linked",
            );
        }
        check_names(&processors, &mut problems);
        for registered in &processors {
            check_path(&registered.spec, sources, &mut problems);
            check_kinds(registered, kinds, &mut problems);
            check_needs(&registered.spec, state, &mut problems);
        }
        let index = Index::new(processors.iter().map(|registered| &registered.spec));
        problems.into_result(Self { processors, index })
    }

    /// A registry of `processors` as they are, for what needs neither sources nor state: lists of
    /// processors, mappings, tests.
    pub fn unchecked(mut processors: Vec<Registered>) -> Self {
        sort(&mut processors);
        let index = Index::new(processors.iter().map(|registered| &registered.spec));
        Self { processors, index }
    }

    /// The processors the event is for, by declared filter, guard and `should_process_event`; one
    /// that panics when asked is among them.
    pub fn route(&self, event: &WebhookEvent) -> Route {
        let mut route = self.index.matches(event);
        route.retain(|place| self.processors[*place].accepts(event));
        route
    }

    /// The event's lanes, given the processors it is for.
    pub fn lanes(&self, event: &WebhookEvent, route: &[ProcessorIndex]) -> Lanes {
        lanes::lanes(
            event,
            route.iter().map(|place| &self.processors[*place].spec),
        )
    }

    /// Those of `route` that run in `lane`, for an event that was stored with the lanes `stored`. A
    /// processor whose lane is not among them, because the code changed since, runs in the first.
    pub fn in_lane(
        &self,
        event: &WebhookEvent,
        route: &[ProcessorIndex],
        lane: Lane,
        stored: &Lanes,
    ) -> SmallVec<[ProcessorIndex; 4]> {
        let first = match &stored[..] {
            [] => return SmallVec::new(),
            // Nearly every event: all of its processors run in its only lane.
            [only] if only.lane == lane => return route.into(),
            [first, ..] => first,
        };
        let runs_here = |place: &ProcessorIndex| {
            let own = lanes::lane(event, &self.processors[*place].spec);
            let is_stored = stored.iter().any(|entry| entry.lane == own);
            lane == if is_stored { own } else { first.lane }
        };
        route.iter().copied().filter(runs_here).collect()
    }

    /// Whether each processor of `route` runs in a lane of its own choice, so that an empty lane
    /// among `stored` is that of a processor that is gone, not of one that moved.
    pub(crate) fn keeps_lanes(
        &self,
        event: &WebhookEvent,
        route: &[ProcessorIndex],
        stored: &Lanes,
    ) -> bool {
        route.iter().all(|place| {
            let own = lanes::lane(event, &self.processors[*place].spec);
            stored.iter().any(|entry| entry.lane == own)
        })
    }

    /// The processor at this place.
    ///
    /// # Panics
    /// If there is none: places come from this registry.
    pub fn get(&self, index: ProcessorIndex) -> &Registered {
        &self.processors[index]
    }

    /// All processors, in order of name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Registered> {
        self.processors.iter()
    }

    /// The selector types that processors of this kind ask for, each once. A processor that
    /// computes its kinds asks for its types in every kind.
    pub fn selector_types(&self, kind: &str) -> Vec<SelectorType> {
        let mut types: Vec<SelectorType> = Vec::new();
        let asking = self.processors.iter().filter(|registered| {
            registered.spec.kinds.is_empty() || registered.spec.kinds.contains(&kind)
        });
        for need in asking.flat_map(|registered| registered.spec.needs) {
            if let Need::Selector(selector) = need
                && types
                    .iter()
                    .all(|known| known.key.id() != selector.key.id())
            {
                types.push(*selector);
            }
        }
        types
    }
}

fn sort(processors: &mut [Registered]) {
    processors.sort_by_key(|registered| {
        let ProcessorSpec { name, location, .. } = registered.spec;
        (name, location.file, location.line)
    });
}

// === Checks ===

fn check_names(processors: &[Registered], problems: &mut StartError) {
    let mut first_of: HashMap<&str, &ProcessorSpec> = HashMap::new();
    for Registered { spec, .. } in processors {
        if let Some(first) = first_of.get(spec.name) {
            problems.add(format_args!(
                "two processors are named `{}` ({} and {}); give one another with `name = \"..\"`",
                spec.name, first.location, spec.location
            ));
        } else {
            first_of.insert(spec.name, spec);
        }
    }
}

fn check_path(spec: &ProcessorSpec, sources: &[Source], problems: &mut StartError) {
    let ProcessorSpec {
        name,
        path,
        location,
        ..
    } = spec;
    if sources.iter().any(|source| source.path == *path) {
        return;
    }
    let meant = meant(path, sources.iter().map(|source| &*source.path));
    problems.add(format_args!(
        "no source has the path `{path}` of processor `{name}`; {meant}add it in \
         `Integration::sources` ({location})"
    ));
}

fn check_kinds(registered: &Registered, kinds: &[String], problems: &mut StartError) {
    let ProcessorSpec { name, location, .. } = registered.spec;
    for kind in registered.spec.kinds {
        if kinds.iter().any(|known| known == kind) {
            continue;
        }
        let meant = meant(kind, kinds.iter().map(String::as_str));
        problems.add(format_args!(
            "the integration has no kind `{kind}`, which processor `{name}` updates; {meant}declare \
             it under `features` in `.port/spec.yaml` ({location})"
        ));
    }
}

fn check_needs(spec: &ProcessorSpec, state: &StateMap, problems: &mut StartError) {
    let ProcessorSpec { name, location, .. } = spec;
    for need in spec.needs {
        match need {
            Need::State(wanted) if !state.has(wanted.id()) => problems.add(format_args!(
                "no state `{}`, which processor `{name}` takes; add it in `Integration::state` \
                 ({location})",
                wanted.name()
            )),
            Need::Selector(selector) if spec.processor_type == ProcessorType::Action => {
                problems.add(format_args!(
                    "processor `{name}` takes the selector `{}`, but an action processor runs \
                     without a resource; remove the argument or `action` ({location})",
                    selector.key.name()
                ));
            }
            _ => {}
        }
    }
}

/// "did you mean `x`, or ", if there is something near.
fn meant<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(name, known)
        .map(|near| format!("did you mean `{near}`? if not, "))
        .unwrap_or_default()
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registered").field(&self.spec.name).finish()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.processors).finish()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::{
        error::ProcessorError,
        event::EventParts,
        extract::EventContext,
        outcome::{IntoOutcome as _, Outcome, RawResults},
        resource::TypeKey,
    };

    struct Nothing;

    impl WebhookProcessor for Nothing {
        async fn handle_event(&self, _: &EventContext<'_>) -> Result<Outcome, ProcessorError> {
            Ok(RawResults::none().into_outcome())
        }
    }

    struct Client;
    #[derive(serde::Deserialize)]
    struct IssueSelector {}

    const fn spec(name: &'static str) -> ProcessorSpec {
        ProcessorSpec::new(name, "/webhook")
            .kinds(&["issue"])
            .location("src/issue.rs", 7)
    }

    fn registry(specs: &[ProcessorSpec]) -> Result<Registry, StartError> {
        let processors = specs.iter().map(|spec| Registered::new(*spec, Nothing));
        let sources = [Source::new("/webhook")];
        let kinds = ["issue".to_owned(), "project".to_owned()];
        Registry::build(processors.collect(), &sources, &kinds, &StateMap::new())
    }

    fn check_problems(specs: &[ProcessorSpec], expected: Expect) {
        let problems = registry(specs).unwrap_err();
        expected.assert_eq(&problems.problems().join("\n"));
    }

    #[test]
    fn a_registry_without_processors_says_how_they_are_linked() {
        check_problems(
            &[],
            expect![
                "no webhook processor is registered; annotate one with `#[webhook_processor(..)]`, and name the integration's type in `main`, as in `ocean_core::run::<Jira>()`, so that the crate with the processors is linked"
            ],
        );
    }

    #[test]
    fn two_processors_of_one_name_are_refused_with_both_places() {
        let other = spec("issue").location("src/other.rs", 30);
        check_problems(
            &[spec("issue"), other],
            expect![[
                r#"two processors are named `issue` (src/issue.rs:7 and src/other.rs:30); give one another with `name = ".."`"#
            ]],
        );
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        const NEEDS: &[Need] = &[
            Need::State(TypeKey::of::<Client>()),
            Need::Selector(SelectorType::of::<IssueSelector>()),
        ];
        let mut mistaken = spec("issue").kinds(&["isue", "sprint"]).needs(NEEDS);
        mistaken.path = "/webhok";
        check_problems(
            &[mistaken],
            expect![[r#"
            no source has the path `/webhok` of processor `issue`; did you mean `/webhook`? if not, add it in `Integration::sources` (src/issue.rs:7)
            the integration has no kind `isue`, which processor `issue` updates; did you mean `issue`? if not, declare it under `features` in `.port/spec.yaml` (src/issue.rs:7)
            the integration has no kind `sprint`, which processor `issue` updates; declare it under `features` in `.port/spec.yaml` (src/issue.rs:7)
            no state `Client`, which processor `issue` takes; add it in `Integration::state` (src/issue.rs:7)"#]],
        );
    }

    #[test]
    fn an_action_processor_has_no_selector() {
        const SELECTOR: &[Need] = &[Need::Selector(SelectorType::of::<IssueSelector>())];
        let action = ProcessorSpec::new("act", "/webhook")
            .action()
            .needs(SELECTOR);
        check_problems(
            &[action.location("src/act.rs", 3)],
            expect![
                "processor `act` takes the selector `IssueSelector`, but an action processor runs without a resource; remove the argument or `action` (src/act.rs:3)"
            ],
        );
    }

    #[test]
    fn state_that_is_there_is_no_problem() {
        const NEEDS: &[Need] = &[Need::State(TypeKey::of::<Client>())];
        let processors = vec![Registered::new(spec("issue").needs(NEEDS), Nothing)];
        let sources = [Source::new("/webhook")];
        let state = StateMap::new().with(Client);
        assert!(Registry::build(processors, &sources, &["issue".into()], &state).is_ok());
    }

    #[test]
    fn processors_stand_in_order_of_name() {
        let registry = registry(&[spec("b"), spec("c"), spec("a")]).unwrap();
        let names: Vec<_> = registry
            .iter()
            .map(|registered| registered.spec.name)
            .collect();
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    fn what_a_description_leaves_open_the_trait_says() {
        struct Patient;
        impl WebhookProcessor for Patient {
            const MAX_RETRIES: u32 = 9;
            fn processor_type(&self) -> ProcessorType {
                ProcessorType::Action
            }
            async fn handle_event(&self, _: &EventContext<'_>) -> Result<Outcome, ProcessorError> {
                Ok(RawResults::none().into_outcome())
            }
        }
        let registered = Registered::new(ProcessorSpec::new("patient", "/webhook"), Patient);
        assert_eq!(registered.spec.retry.max_retries, 9);
        assert_eq!(registered.spec.processor_type, ProcessorType::Action);
    }

    // === Routes ===

    fn event(name: &str, body: &'static str) -> WebhookEvent {
        WebhookEvent::new(EventParts {
            name: Some(name.into()),
            body: body.into(),
            ..EventParts::default()
        })
    }

    fn route(registry: &Registry, event: &WebhookEvent) -> Vec<&'static str> {
        let route = registry.route(event);
        route
            .iter()
            .map(|place| registry.get(*place).spec.name)
            .collect()
    }

    #[test]
    fn the_declared_filter_and_the_guard_must_agree() {
        let registry = registry(&[
            spec("any"),
            spec("created").events(&["created"]),
            spec("guarded").guard(|event| event.name() == Some("updated")),
        ])
        .unwrap();
        assert_eq!(
            route(&registry, &event("created", "{}")),
            ["any", "created"]
        );
        assert_eq!(
            route(&registry, &event("updated", "{}")),
            ["any", "guarded"]
        );
    }

    #[test]
    fn a_panic_when_asked_counts_as_yes_for_that_processor_alone() {
        let registry = registry(&[
            spec("calm").guard(|_| false),
            spec("nervous").guard(|_| panic!("as the test wants")),
        ])
        .unwrap();
        assert_eq!(route(&registry, &event("created", "{}")), ["nervous"]);
    }

    // === Lanes ===

    fn lanes(specs: &[ProcessorSpec], body: &'static str) -> (Registry, WebhookEvent, Lanes) {
        let registry = registry(specs).unwrap();
        let event = event("created", body);
        let lanes = registry.lanes(&event, &registry.route(&event));
        (registry, event, lanes)
    }

    const BODY: &str = r#"{"issue":{"id":7},"project":{"id":"p"}}"#;

    #[test]
    fn processors_with_equal_keys_share_a_lane() {
        let (registry, event, lanes) = lanes(
            &[
                spec("a").key(&["/issue/id"]),
                spec("b").key(&["/project/id"]),
                spec("c").key(&["/issue/id"]),
                spec("d"),
            ],
            BODY,
        );
        let route = registry.route(&event);
        let members: Vec<_> = lanes
            .iter()
            .map(|entry| {
                registry
                    .in_lane(&event, &route, entry.lane, &lanes)
                    .to_vec()
            })
            .collect();
        assert_eq!(members, [vec![0, 2], vec![1], vec![3]]);
    }

    #[test]
    fn a_processor_whose_lane_was_not_stored_runs_in_the_first() {
        let (registry, event, lanes) = lanes(
            &[
                spec("a").key(&["/issue/id"]),
                spec("b").key(&["/project/id"]),
            ],
            BODY,
        );
        let route = registry.route(&event);
        let gone = crate::lane::LaneEntry {
            lane: Lane::new(1),
            coalesce: None,
        };
        let stored = Lanes::from_slice(&[gone, lanes[1]]);
        let members = |lane| registry.in_lane(&event, &route, lane, &stored).to_vec();
        assert_eq!(members(Lane::new(1)), [0]);
        assert_eq!(members(lanes[1].lane), [1]);
        assert_eq!(members(lanes[0].lane), [0; 0]);
    }

    #[test]
    fn an_event_nobody_is_for_has_no_lanes() {
        let (.., lanes) = lanes(&[spec("a").events(&["other"])], "{}");
        assert!(lanes.is_empty());
    }

    #[test]
    fn selector_types_are_asked_for_once_a_kind() {
        const NEEDS: &[Need] = &[Need::Selector(SelectorType::of::<IssueSelector>())];
        let registry = registry(&[spec("a").needs(NEEDS), spec("b").needs(NEEDS)]).unwrap();
        assert_eq!(registry.selector_types("issue").len(), 1);
        assert_eq!(registry.selector_types("project").len(), 0);
    }
}
