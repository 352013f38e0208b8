//! The registry: all processors of the process, found through `inventory` and checked as a whole.

use std::{fmt, sync::Arc};

use smallvec::SmallVec;

use super::{DynProcessor, ProcessorSpec, index::Index};
use crate::{
    error::StartError, event::WebhookEvent, lane::Lanes, resource::SelectorType, source::Source,
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

/// A processor's place in the registry.
pub type ProcessorIndex = usize;

/// All processors, in order of name, and the index that finds those an event is for.
pub struct Registry {
    processors: Vec<Registered>,
    index: Index,
}

impl Registry {
    /// The processors of all linked crates. The only reader of `inventory`.
    pub fn discover() -> Vec<Registered> {
        unimplemented!("the registry room")
    }

    /// Checks `processors` as a whole against what the integration declares, and builds the index.
    ///
    /// # Errors
    /// All problems at once, each with file and line: no processor at all, duplicate names, a path
    /// without source, an unknown kind, missing state.
    pub fn build(
        processors: Vec<Registered>,
        sources: &[Source],
        kinds: &[String],
        state: &StateMap,
    ) -> Result<Self, StartError> {
        let _ = (processors, sources, kinds, state, |index| Self {
            processors: vec![],
            index,
        });
        unimplemented!("the registry room")
    }

    /// The processors the event is for, by declared filter, guard and `should_process_event`.
    pub fn route(&self, event: &WebhookEvent) -> SmallVec<[ProcessorIndex; 4]> {
        let _ = (event, &self.index);
        unimplemented!("the registry room")
    }

    /// The event's lanes, given the processors it is for.
    pub fn lanes(&self, event: &WebhookEvent, route: &[ProcessorIndex]) -> Lanes {
        let _ = (event, route);
        unimplemented!("the registry room")
    }

    /// Those of `route` that run in `lane`, for an event that was stored with the lanes `stored`. A
    /// processor whose lane is not among them, because the code changed since, runs in the first.
    pub fn in_lane(
        &self,
        event: &WebhookEvent,
        route: &[ProcessorIndex],
        lane: crate::lane::Lane,
        stored: &Lanes,
    ) -> SmallVec<[ProcessorIndex; 4]> {
        let _ = (event, route, lane, stored);
        unimplemented!("the registry room")
    }

    /// The processor at this place.
    pub fn get(&self, index: ProcessorIndex) -> &Registered {
        &self.processors[index]
    }

    /// All processors, in order of name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Registered> {
        self.processors.iter()
    }

    /// The selector types that processors of this kind ask for.
    pub fn selector_types(&self, kind: &str) -> Vec<SelectorType> {
        let _ = kind;
        unimplemented!("the registry room")
    }
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
