//! The constant description of a processor: everything dispatch knows before an event arrives.

use std::{fmt, time::Duration};

use super::{ProcessorType, WebhookProcessor, field::Field};
use crate::{event::WebhookEvent, extract::Need, raw::Raw};

/// Describes a processor. The attribute writes it; by hand it is put together like this:
///
/// ```
/// use ocean_core::processor::ProcessorSpec;
///
/// const ISSUES: ProcessorSpec = ProcessorSpec::new("issues", "/webhook")
///     .kinds(&["issue"])
///     .event_prefix("jira:issue_")
///     .key(&["/issue/id"]);
/// assert_eq!(ISSUES.kinds, ["issue"]);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ProcessorSpec {
    /// Its name, unique in the integration.
    pub name: &'static str,
    /// The path of its source.
    pub path: &'static str,
    /// What it is for.
    pub processor_type: ProcessorType,
    /// The kinds it updates.
    pub kinds: &'static [&'static str],
    /// Which event names it is for.
    pub event: EventMatch,
    /// Further conditions, all of which must hold.
    pub conditions: &'static [Condition],
    /// Pointers into the payload that must lead to a value other than null; an event that matches
    /// otherwise but lacks one is rejected as invalid.
    pub requires: &'static [&'static str],
    /// A condition in code, besides the declared ones. A panic fails the attempt, as one of the
    /// handler does.
    pub guard: Option<fn(&WebhookEvent) -> bool>,
    /// Pointers to the values that make the ordering key; empty means that all its events are
    /// handled one after another.
    pub key: &'static [&'static str],
    /// Whether a newer waiting event of the same key replaces older ones, if it is not given up. An
    /// event that other processors of the key handle, too, ends a row of events that replace each
    /// other.
    pub coalesce: bool,
    /// Events that mean deletion, and what they delete.
    pub delete: Option<DeleteSpec>,
    /// What its items, updated or deleted, carry beside the tool's own fields.
    pub enrich: Option<fn(&WebhookEvent, Raw) -> Raw>,
    /// When failed attempts are repeated.
    pub retry: RetryPolicy,
    /// The time one attempt may take.
    pub timeout: Duration,
    /// What its arguments need from mapping and state.
    pub needs: &'static [Need],
    /// Its documentation, for operators.
    pub docs: &'static str,
    /// Where it is written.
    pub location: Location,
}

impl ProcessorSpec {
    /// The default time of one attempt.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(90);

    /// A processor with every default: all events of `path`, no kinds.
    #[track_caller]
    pub const fn new(name: &'static str, path: &'static str) -> Self {
        let caller = std::panic::Location::caller();
        Self {
            name,
            path,
            processor_type: ProcessorType::Webhook,
            kinds: &[],
            event: EventMatch::Any,
            conditions: &[],
            requires: &[],
            guard: None,
            key: &[],
            coalesce: false,
            delete: None,
            enrich: None,
            retry: RetryPolicy::DEFAULT,
            timeout: Self::DEFAULT_TIMEOUT,
            needs: &[],
            docs: "",
            location: Location {
                file: caller.file(),
                line: caller.line(),
            },
        }
    }

    /// Updates entities of these kinds.
    #[must_use]
    pub const fn kinds(self, kinds: &'static [&'static str]) -> Self {
        Self { kinds, ..self }
    }

    /// Acts without kind and mapping.
    #[must_use]
    pub const fn action(self) -> Self {
        Self {
            processor_type: ProcessorType::Action,
            ..self
        }
    }

    /// Only events with one of these names.
    #[must_use]
    pub const fn events(self, names: &'static [&'static str]) -> Self {
        Self {
            event: EventMatch::OneOf(names),
            ..self
        }
    }

    /// Only events whose name starts like this.
    #[must_use]
    pub const fn event_prefix(self, prefix: &'static str) -> Self {
        Self {
            event: EventMatch::Prefix(prefix),
            ..self
        }
    }

    /// Only events that satisfy all of these.
    #[must_use]
    pub const fn when(self, conditions: &'static [Condition]) -> Self {
        Self { conditions, ..self }
    }

    /// Rejects events in which one of these pointers leads nowhere or to null.
    #[must_use]
    pub const fn requires(self, pointers: &'static [&'static str]) -> Self {
        Self {
            requires: pointers,
            ..self
        }
    }

    /// Only events for which `guard` says yes. An event for which it panics is kept, retried and
    /// ends as a dead letter.
    #[must_use]
    pub const fn guard(self, guard: fn(&WebhookEvent) -> bool) -> Self {
        Self {
            guard: Some(guard),
            ..self
        }
    }

    /// Events with equal values at these pointers take effect in order of arrival.
    #[must_use]
    pub const fn key(self, pointers: &'static [&'static str]) -> Self {
        Self {
            key: pointers,
            ..self
        }
    }

    /// A newer waiting event of the same key replaces older ones, if it is not given up.
    #[must_use]
    pub const fn coalesce(self) -> Self {
        Self {
            coalesce: true,
            ..self
        }
    }

    /// Events with these names delete the payload's object at `pointer`.
    #[must_use]
    pub const fn delete(self, on: &'static [&'static str], pointer: &'static str) -> Self {
        Self {
            delete: Some(DeleteSpec {
                on,
                when: &[],
                pointer,
            }),
            ..self
        }
    }

    /// Further conditions of [`delete`](Self::delete), which is said before: all of them must hold.
    #[must_use]
    pub const fn delete_when(self, conditions: &'static [Condition]) -> Self {
        let Some(delete) = self.delete else {
            return self;
        };
        Self {
            delete: Some(DeleteSpec {
                when: conditions,
                ..delete
            }),
            ..self
        }
    }

    /// Adds to each item, updated or deleted, what the mapping needs beside the tool's own fields.
    #[must_use]
    pub const fn enrich(self, enrich: fn(&WebhookEvent, Raw) -> Raw) -> Self {
        Self {
            enrich: Some(enrich),
            ..self
        }
    }

    /// When failed attempts are repeated.
    #[must_use]
    pub const fn retry(self, retry: RetryPolicy) -> Self {
        Self { retry, ..self }
    }

    /// The time one attempt may take.
    #[must_use]
    pub const fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// What the arguments need from mapping and state.
    #[must_use]
    pub const fn needs(self, needs: &'static [Need]) -> Self {
        Self { needs, ..self }
    }

    /// Documentation for operators.
    #[must_use]
    pub const fn docs(self, docs: &'static str) -> Self {
        Self { docs, ..self }
    }

    /// Where it is written, if not where `new` was called.
    #[must_use]
    pub const fn location(self, file: &'static str, line: u32) -> Self {
        Self {
            location: Location { file, line },
            ..self
        }
    }

    /// Whether the declared filter lets the event through: path, event name and conditions, but
    /// neither guard nor code.
    pub fn matches(&self, event: &WebhookEvent) -> bool {
        self.mismatch(event).is_none()
    }

    /// Why the declared filter does not let the event through, for people.
    pub fn mismatch(&self, event: &WebhookEvent) -> Option<Mismatch> {
        if self.path != &**event.path() {
            return Some(Mismatch::Path(self.path));
        }
        if !self.event.matches(event.name()) {
            return Some(Mismatch::Event(self.event));
        }
        self.conditions
            .iter()
            .find(|condition| !condition.holds(event))
            .map(|condition| Mismatch::Condition(*condition))
    }

    /// The first of the required pointers that leads nowhere or to null. An event that lacks one
    /// is rejected as invalid.
    pub fn missing_required(&self, event: &WebhookEvent) -> Option<&'static str> {
        let lacks = |pointer: &&&'static str| Field::at(event, pointer).is_none();
        self.requires.iter().find(lacks).copied()
    }

    /// Whether the event deletes by declaration, without running the handler.
    pub fn deletes(&self, event: &WebhookEvent) -> bool {
        self.delete
            .as_ref()
            .is_some_and(|delete| delete.is_meant_by(event))
    }

    /// Whether the processor runs once for each selector rather than once for the event.
    pub fn uses_selector(&self) -> bool {
        self.needs
            .iter()
            .any(|need| matches!(need, Need::Selector(_)))
    }
}

// === Location ===

/// Where a processor is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// The source file, as the compiler names it.
    pub file: &'static str,
    /// The line, from 1.
    pub line: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

// === EventMatch ===

/// Which event names a processor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventMatch {
    /// All, also events without a name.
    Any,
    /// These.
    OneOf(&'static [&'static str]),
    /// Those that start like this.
    Prefix(&'static str),
}

impl EventMatch {
    fn matches(&self, name: Option<&str>) -> bool {
        match (self, name) {
            (Self::Any, _) => true,
            (Self::OneOf(names), Some(name)) => names.contains(&name),
            (Self::Prefix(prefix), Some(name)) => name.starts_with(prefix),
            (Self::OneOf(_) | Self::Prefix(_), None) => false,
        }
    }
}

impl fmt::Display for EventMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any event"),
            Self::OneOf([name]) => write!(f, "event `{name}`"),
            Self::OneOf(names) => write!(f, "one of the events `{}`", names.join("`, `")),
            Self::Prefix(prefix) => write!(f, "events that start with `{prefix}`"),
        }
    }
}

// === Mismatch ===

/// What of its declared filter keeps an event from a processor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mismatch {
    /// It is for this path.
    Path(&'static str),
    /// It is for these events.
    Event(EventMatch),
    /// This condition does not hold.
    Condition(Condition),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "it is for the path `{path}`"),
            Self::Event(event) => write!(f, "it is for {event}"),
            Self::Condition(condition) => write!(f, "the condition `{condition}` does not hold"),
        }
    }
}

// === DeleteSpec ===

/// What events delete by declaration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeleteSpec {
    /// The event names that mean deletion; may be empty where conditions or only "not found"
    /// delete.
    pub on: &'static [&'static str],
    /// Conditions that mean deletion, all of them together, and together with the name if names
    /// are given.
    pub when: &'static [Condition],
    /// The payload's object that is the deleted raw item.
    pub pointer: &'static str,
}

impl DeleteSpec {
    fn is_meant_by(&self, event: &WebhookEvent) -> bool {
        let is_declared = !(self.on.is_empty() && self.when.is_empty());
        let is_named = |name| self.on.contains(&name);
        is_declared
            && (self.on.is_empty() || event.name().is_some_and(is_named))
            && self.when.iter().all(|condition| condition.holds(event))
    }
}

// === Condition ===

/// A condition on a payload value or a header.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    /// What is looked at.
    pub subject: Subject,
    /// What must hold of it.
    pub test: Test,
}

impl Condition {
    /// Whether it holds of the event.
    pub fn holds(&self, event: &WebhookEvent) -> bool {
        self.test.holds(Field::read(event, self.subject).as_ref())
    }
}

impl fmt::Display for Condition {
    // As it is written in `when(..)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subject {
            Subject::Pointer(pointer) => write!(f, "pointer = {pointer:?}, ")?,
            Subject::Header(name) => write!(f, "header = {name:?}, ")?,
        }
        match self.test {
            Test::Eq(literal) => write!(f, "eq = {literal}"),
            Test::Ne(literal) => write!(f, "ne = {literal}"),
            Test::In(literals) => {
                let literals: Vec<_> = literals.iter().map(Literal::to_string).collect();
                write!(f, "in = [{}]", literals.join(", "))
            }
            Test::Prefix(text) => write!(f, "prefix = {text:?}"),
            Test::Suffix(text) => write!(f, "suffix = {text:?}"),
        }
    }
}

/// What a condition looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The payload's value at an RFC 6901 pointer.
    Pointer(&'static str),
    /// The first value of a header, its name in lower case.
    Header(&'static str),
}

/// What must hold of a condition's subject. An absent subject equals nothing: it satisfies only
/// [`Test::Ne`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Test {
    /// Equals the literal.
    Eq(Literal),
    /// Does not equal the literal.
    Ne(Literal),
    /// Equals one of the literals.
    In(&'static [Literal]),
    /// Is text that starts like this.
    Prefix(&'static str),
    /// Is text that ends like this.
    Suffix(&'static str),
}

/// A constant to compare with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Literal {
    /// Text; the only literal a header can equal.
    Str(&'static str),
    /// A whole number.
    Int(i64),
    /// A truth value.
    Bool(bool),
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Str(text) => write!(f, "{text:?}"),
            Self::Int(number) => number.fmt(f),
            Self::Bool(value) => value.fmt(f),
        }
    }
}

// === RetryPolicy ===

/// When failed attempts are repeated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Retries after the first attempt.
    pub max_retries: u32,
    /// The delay before the first retry.
    pub initial_delay: Duration,
    /// The longest delay.
    pub max_delay: Duration,
    /// The factor by which the delay grows.
    pub exponential_base: f64,
}

impl RetryPolicy {
    /// Upstream's constants: 3 retries after 1, 2 and 4 seconds, never more than 30.
    pub const DEFAULT: Self = Self {
        max_retries: 3,
        initial_delay: Duration::from_secs(1),
        max_delay: Duration::from_secs(30),
        exponential_base: 2.0,
    };

    /// The constants of the processor type `T`.
    pub const fn of<T: WebhookProcessor + ?Sized>() -> Self {
        Self {
            max_retries: T::MAX_RETRIES,
            initial_delay: T::INITIAL_RETRY_DELAY,
            max_delay: T::MAX_RETRY_DELAY,
            exponential_base: T::EXPONENTIAL_BASE,
        }
    }

    /// The delay before retry number `retry`, from 1, before jitter.
    pub fn delay(&self, retry: u32) -> Duration {
        let exponent = i32::try_from(retry.saturating_sub(1)).unwrap_or(i32::MAX);
        let factor = self.exponential_base.powi(exponent);
        let seconds = self.initial_delay.as_secs_f64() * factor;
        // Also false for NaN, which a base of 0 or infinity can lead to.
        if seconds < self.max_delay.as_secs_f64() {
            Duration::from_secs_f64(seconds.max(0.0))
        } else {
            self.max_delay
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventParts;

    #[test]
    fn three_retries_wait_one_two_and_four_seconds() {
        let delays: Vec<_> = (1..=3)
            .map(|retry| RetryPolicy::DEFAULT.delay(retry).as_secs())
            .collect();
        assert_eq!(delays, [1, 2, 4]);
    }

    #[test]
    fn names_and_conditions_of_a_delete_must_agree() {
        const DELETED: &[Condition] = &[Condition {
            subject: Subject::Pointer("/action"),
            test: Test::In(&[Literal::Str("deleted"), Literal::Str("moved")]),
        }];
        const SPEC: ProcessorSpec = ProcessorSpec::new("any", "/webhook");
        let not_found_only = SPEC.delete(&[], "/issue").delete;
        let by_condition = SPEC.delete(&[], "/issue").delete_when(DELETED).delete;
        let by_both = SPEC.delete(&["issues"], "").delete_when(DELETED).delete;
        for (delete, name, action, expected) in [
            (not_found_only, "issues", "deleted", false),
            (by_condition, "issues", "deleted", true),
            (by_condition, "other", "moved", true),
            (by_condition, "issues", "opened", false),
            (by_both, "issues", "moved", true),
            (by_both, "other", "moved", false),
            (by_both, "issues", "opened", false),
        ] {
            let event = WebhookEvent::new(EventParts {
                name: Some(name.into()),
                body: format!(r#"{{"action":"{action}"}}"#).into(),
                ..EventParts::default()
            });
            let spec = ProcessorSpec { delete, ..SPEC };
            assert_eq!(spec.deletes(&event), expected, "{delete:?} {name} {action}");
        }
        assert!(SPEC.delete_when(DELETED).delete.is_none());
    }

    #[test]
    fn delays_never_exceed_the_cap() {
        for retry in [6, 60, 6_000, u32::MAX] {
            assert_eq!(RetryPolicy::DEFAULT.delay(retry), Duration::from_secs(30));
        }
    }
}
