//! Where this mapping differs from upstream's on purpose. The conformance tests hold the mapping
//! to upstream's results everywhere else, and to exactly these here.

/// A deliberate difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// A short name.
    pub name: &'static str,
    /// What upstream does.
    pub upstream: &'static str,
    /// What happens here.
    pub here: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// All deliberate differences.
pub const DIFFERENCES: &[Difference] = &[
    Difference {
        name: "exact-integers",
        upstream: "integers beyond 2^53 are rounded to a double when they leave jq",
        here: "integers that pass through a program untouched keep all their digits",
        reason: "a rounded id names another thing",
    },
    Difference {
        name: "selector-error-once",
        upstream: "the error of a selector is reported twice when the mapping has properties, \
                   relations or a search object",
        here: "it is reported once",
        reason: "the second report is an accident of evaluating in two passes",
    },
    Difference {
        name: "bad-icon-fails-its-item",
        upstream: "an icon that is a list or an object aborts the whole call, with all its items",
        here: "the item fails with an error that names the field; the others go on",
        reason: "one bad item must not take others down",
    },
    Difference {
        name: "deletes-ignore-the-selector",
        upstream: "a deleted item is removed only if it passes its selector",
        here: "it is removed if it has an identifier and a blueprint",
        reason: "what a tool sends about something that is gone is often but a part of it, and \
                 an entity that stays behind is wrong for ever",
    },
    Difference {
        name: "environment-is-closed",
        upstream: "`env` and `$ENV` hold the environment unless access is switched off",
        here: "they are empty unless access is switched on",
        reason: "the environment holds the credentials for Port, and whoever may edit the mapping \
                 could read them",
    },
    Difference {
        name: "mappings-as-a-list-of-one",
        upstream: "`mappings` as a list makes the config unusable",
        here: "a list of one object is that object",
        reason: "Port's API and editor store it so",
    },
    Difference {
        name: "unknown-kind-is-a-problem",
        upstream: "a resource of a kind that the integration does not know makes the config \
                   unusable",
        here: "it is reported, and the other resources work",
        reason: "one mapping may serve integrations of several versions",
    },
    Difference {
        name: "bounded-programs",
        upstream: "a program may run for 120 seconds or for ever, take all memory or overflow the \
                   stack",
        here: "steps, memory and depth are bounded, for each program and for all of an event \
               together; a program beyond a bound yields null, or fails its item if it is the \
               selector, and is reported by resource, field and limit",
        reason: "one program must not stop the others",
    },
    Difference {
        name: "null-fields-are-in-the-story",
        upstream: "each field that comes out null is logged for each event, as an error if a look \
                   at the blueprint shows that the field is required",
        here: "it is counted and kept with the event, with its program and error",
        reason: "most such fields are meant to be null at times, and a log of them hides the rest",
    },
    Difference {
        name: "only-used-fields-of-removals",
        upstream: "all fields of an entity that will be removed are evaluated and reported",
        here: "its identifier and blueprint are",
        reason: "nothing else about it matters",
    },
];
