//! Which handlers an event calls, and on whose behalf.
//!
//! A processor that takes a selector is called once for each distinct selector among the resources
//! of its kinds, any other once; its results count for every resource of the group. A run, one
//! processor and one resource, that is through is never repeated.

use std::{borrow::Cow, sync::Arc};

use smallvec::SmallVec;

use super::attempt::guarded;
use crate::{
    error::ProcessorError,
    event::{EventId, WebhookEvent},
    processor::{ProcessorType, registry::Registered},
    queue::{Attempt, RunState, Story},
    resource::Resource,
};

/// One call of a handler.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// The processor.
    pub(super) registered: &'a Registered,
    /// The resource whose selector the handler sees, if it wants one.
    pub(super) selector: Option<Arc<Resource>>,
    /// The resources that map the results; none for actions.
    pub(super) resources: SmallVec<[Arc<Resource>; 1]>,
    /// Which attempt this is, from 1: the most of any of its runs.
    pub(super) attempt: u32,
    /// Why the handler cannot even be called.
    pub(super) broken: Option<ProcessorError>,
}

impl Call<'_> {
    /// The names of its runs in the story.
    pub(super) fn run_names(&self) -> SmallVec<[Option<String>; 1]> {
        if self.resources.is_empty() {
            return SmallVec::from_elem(None, 1);
        }
        let name = |resource: &Arc<Resource>| Some(resource.to_string());
        self.resources.iter().map(name).collect()
    }
}

/// The calls of one processor that are still to be made for the event. What needs no call is
/// entered in the story.
pub(super) fn calls<'a, 'r>(
    registered: &'a Registered,
    event: &WebhookEvent,
    resources: impl Iterator<Item = &'r Arc<Resource>>,
    story: &mut Story,
) -> SmallVec<[Call<'a>; 1]> {
    let Registered { spec, processor } = registered;
    let action = [spec.processor_type, processor.processor_type()].contains(&ProcessorType::Action);
    if action {
        return single(registered, story, None);
    }
    let kinds = match guarded("matching_kinds", || processor.matching_kinds(event)) {
        Ok(Some(kinds)) => kinds,
        Ok(None) => spec.kinds.iter().map(|kind| Cow::Borrowed(*kind)).collect(),
        Err(error) => return single(registered, story, Some(error)),
    };
    // In the order of the mapping and each once, however often the processor names a kind.
    let concerned: SmallVec<[&Arc<Resource>; 4]> = resources
        .filter(|resource| kinds.iter().any(|kind| *kind == *resource.kind))
        .collect();
    end_vanished(spec.name, &concerned, story);
    if concerned.is_empty() {
        nothing_to_map(spec.name, &kinds, event, story);
        return SmallVec::new();
    }
    let mut calls: SmallVec<[Call<'a>; 1]> = SmallVec::new();
    for resource in concerned {
        let Some(tried) = tried(story, spec.name, Some(resource.as_ref())) else {
            continue;
        };
        let same = |call: &&mut Call<'_>| match &call.selector {
            Some(selector) => selector.selector.identity() == resource.selector.identity(),
            None => true,
        };
        match calls.iter_mut().find(same) {
            Some(call) => {
                call.resources.push(Arc::clone(resource));
                call.attempt = call.attempt.max(tried + 1);
            }
            None => calls.push(Call {
                registered,
                selector: spec.uses_selector().then(|| Arc::clone(resource)),
                resources: SmallVec::from_elem(Arc::clone(resource), 1),
                attempt: tried + 1,
                broken: None,
            }),
        }
    }
    calls
}

/// The one call of an action, or of a processor that cannot say what it is for.
fn single<'a>(
    registered: &'a Registered,
    story: &Story,
    broken: Option<ProcessorError>,
) -> SmallVec<[Call<'a>; 1]> {
    let Some(tried) = tried(story, registered.spec.name, None) else {
        return SmallVec::new();
    };
    SmallVec::from_iter([Call {
        registered,
        selector: None,
        resources: SmallVec::new(),
        attempt: tried + 1,
        broken,
    }])
}

/// How often the run was tried; `None` if it is through. A run without resource that is through
/// stands for all of its processor.
fn tried(story: &Story, processor: &str, resource: Option<&Resource>) -> Option<u32> {
    let mut tried = 0;
    for run in story.runs.iter().filter(|run| &*run.processor == processor) {
        let name = resource.map(ToString::to_string);
        let same = run.resource.as_deref() == name.as_deref();
        if run.state != RunState::Waiting && (same || run.resource.is_none()) {
            return None;
        }
        if same {
            tried = run.tried();
        }
    }
    Some(tried)
}

/// Ends runs for resources that the mapping no longer has.
fn end_vanished(processor: &str, concerned: &[&Arc<Resource>], story: &mut Story) {
    for run in &mut story.runs {
        let Some(resource) = run.resource.as_deref() else {
            continue;
        };
        let vanished = &*run.processor == processor
            && run.state == RunState::Waiting
            && !concerned.iter().any(|there| there.to_string() == resource);
        if vanished {
            run.state = RunState::Dropped;
            let note = format!("{processor}: `{resource}` is no longer in the mapping");
            story.notes.push(note);
        }
    }
}

fn nothing_to_map(
    processor: &str,
    kinds: &[Cow<'static, str>],
    event: &WebhookEvent,
    story: &mut Story,
) {
    let run = story.run_mut(processor, None);
    run.state = RunState::Done;
    run.push(Attempt {
        notes: vec![format!(
            "no resource of kind {} in the mapping",
            kinds.join(", ")
        )],
        ..untried(event)
    });
}

/// Marks a run as superseded by the event `by`, unless it is through; one without resource stands
/// for all of its processor.
pub(super) fn supersede(
    processor: &str,
    resource: Option<&str>,
    event: &WebhookEvent,
    by: EventId,
    story: &mut Story,
) {
    let run = story.run_mut(processor, resource);
    if run.state != RunState::Waiting {
        return;
    }
    run.state = RunState::Dropped;
    run.push(Attempt {
        notes: vec![format!("superseded by {by}")],
        ..untried(event)
    });
}

fn untried(event: &WebhookEvent) -> Attempt {
    Attempt {
        at: event.received_at(),
        took_ms: 0,
        error: Vec::new(),
        outage: false,
        repeats: 0,
        updated: 0,
        deleted: 0,
        writes: Vec::new(),
        notes: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processor::ProcessorSpec;
    use crate::{Need, SelectorSet, SelectorType, event::EventParts, prelude::*};

    #[derive(Default)]
    struct Kinds(Option<Vec<Cow<'static, str>>>);

    impl WebhookProcessor for Kinds {
        async fn handle_event(&self, _: &EventContext<'_>) -> Result<Outcome, ProcessorError> {
            Ok(Outcome::NotFound)
        }

        fn matching_kinds(&self, _: &WebhookEvent) -> Option<Vec<Cow<'static, str>>> {
            self.0.clone()
        }
    }

    #[derive(serde::Deserialize)]
    struct Board {}

    const PLAIN: ProcessorSpec = ProcessorSpec::new("plain", "/webhook").kinds(&["issue"]);
    const SELECTING: ProcessorSpec = PLAIN.needs(&[Need::Selector(SelectorType::of::<Board>())]);

    fn resource(index: usize, kind: &str, board: u32) -> Arc<Resource> {
        let selector = serde_json::json!({"query": format!("{index} > 0"), "board": board});
        Arc::new(Resource {
            index,
            kind: kind.into(),
            selector: SelectorSet::parse(&selector, []).unwrap(),
        })
    }

    /// The calls as `selector resource, resources`, for three issues and a user.
    fn check(spec: ProcessorSpec, processor: Kinds, story: &mut Story, expected: &[&str]) {
        let resources = [
            resource(0, "issue", 1),
            resource(1, "user", 1),
            resource(2, "issue", 2),
            resource(3, "issue", 1),
        ];
        let registered = Registered {
            spec,
            processor: Arc::new(processor),
        };
        let event = WebhookEvent::new(EventParts::default());
        let calls = calls(&registered, &event, resources.iter(), story);
        let texts: Vec<_> = calls
            .iter()
            .map(|call| {
                let selector = call.selector.as_ref().map_or("-".into(), |r| r.to_string());
                let names: Vec<_> = call.run_names().into_iter().flatten().collect();
                format!("{selector} {}", names.join(","))
            })
            .collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_processor_without_selector_is_called_once() {
        let all = ["- issue-0,issue-2,issue-3"];
        check(PLAIN, Kinds::default(), &mut Story::default(), &all);
    }

    #[test]
    fn a_processor_with_selector_is_called_once_for_each() {
        let groups = ["issue-0 issue-0,issue-3", "issue-2 issue-2"];
        check(SELECTING, Kinds::default(), &mut Story::default(), &groups);
    }

    #[test]
    fn what_is_through_is_not_repeated() {
        let mut story = Story::default();
        story.run_mut("plain", Some("issue-2")).state = RunState::Done;
        story.run_mut("other", Some("issue-3")).state = RunState::Done;
        check(PLAIN, Kinds::default(), &mut story, &["- issue-0,issue-3"]);
        check(
            SELECTING,
            Kinds::default(),
            &mut story,
            &["issue-0 issue-0,issue-3"],
        );
        for resource in ["issue-0", "issue-3"] {
            story.run_mut("plain", Some(resource)).state = RunState::Dead;
        }
        check(PLAIN, Kinds::default(), &mut story, &[]);
    }

    #[test]
    fn kinds_named_twice_count_once() {
        let twice = Kinds(Some(vec!["user".into(), "issue".into(), "user".into()]));
        let all = ["- issue-0,user-1,issue-2,issue-3"];
        check(PLAIN, twice, &mut Story::default(), &all);
    }

    #[test]
    fn an_action_is_called_once_without_resource() {
        check(
            PLAIN.action(),
            Kinds::default(),
            &mut Story::default(),
            &["- "],
        );
    }

    #[test]
    fn a_kind_that_the_mapping_lacks_ends_with_a_note() {
        let mut story = Story::default();
        check(PLAIN, Kinds(Some(vec!["board".into()])), &mut story, &[]);
        let run = &story.runs[0];
        assert_eq!(run.state, RunState::Done);
        assert_eq!(
            run.attempts[0].notes,
            ["no resource of kind board in the mapping"]
        );
    }

    #[test]
    fn a_resource_that_vanished_ends_its_run() {
        let mut story = Story::default();
        story.run_mut("plain", Some("issue-9"));
        check(
            PLAIN,
            Kinds::default(),
            &mut story,
            &["- issue-0,issue-2,issue-3"],
        );
        assert_eq!(story.runs[0].state, RunState::Dropped);
        assert_eq!(
            story.notes,
            ["plain: `issue-9` is no longer in the mapping"]
        );
    }
}
