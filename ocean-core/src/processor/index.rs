//! The filter index: finds the processors an event is for without asking each.
//!
//! Processors are sorted by path, then by event name (exact names in a map, prefixes by their
//! lengths), then by the one of their conditions that tells most of them apart. What is left are
//! candidates, of which nearly all are hits; the other conditions are checked one by one.

use std::collections::{HashMap, HashSet};

use smallvec::SmallVec;

use super::{Condition, EventMatch, Literal, ProcessorSpec, Subject, Test, field::Field};
use crate::event::WebhookEvent;

/// A processor's place in the registry.
pub type ProcessorIndex = usize;

/// The places of the processors an event is for, in order.
pub type Route = SmallVec<[ProcessorIndex; 4]>;

/// Finds the processors an event is for without asking each.
#[derive(Debug, Default)]
pub struct Index {
    paths: HashMap<&'static str, PathIndex>,
}

impl Index {
    /// The index of these descriptions, each known by its place.
    pub fn new<'a>(specs: impl IntoIterator<Item = &'a ProcessorSpec>) -> Self {
        let mut by_path: HashMap<_, Vec<Entry>> = HashMap::new();
        for (place, spec) in specs.into_iter().enumerate() {
            let entry = Entry {
                place,
                event: spec.event,
                conditions: spec.conditions,
            };
            by_path.entry(spec.path).or_default().push(entry);
        }
        let paths = by_path
            .into_iter()
            .map(|(path, entries)| (path, PathIndex::new(&entries)))
            .collect();
        Self { paths }
    }

    /// The places of the processors whose declared filter lets the event through, in order.
    pub fn matches(&self, event: &WebhookEvent) -> Route {
        let mut route = Route::new();
        if let Some(path) = self.paths.get(&**event.path()) {
            path.collect(event, &mut route);
        }
        route.sort_unstable();
        route
    }
}

#[derive(Clone, Copy)]
struct Entry {
    place: ProcessorIndex,
    event: EventMatch,
    conditions: &'static [Condition],
}

// === PathIndex ===

/// The processors of one path by event name.
#[derive(Debug, Default)]
struct PathIndex {
    any: Node,
    exact: HashMap<&'static str, Node>,
    prefixes: Prefixes<Node>,
}

impl PathIndex {
    fn new(entries: &[Entry]) -> Self {
        let mut any = Vec::new();
        let mut exact: HashMap<_, Vec<Entry>> = HashMap::new();
        let mut prefixes: HashMap<_, Vec<Entry>> = HashMap::new();
        for entry in entries {
            match entry.event {
                EventMatch::Any => any.push(*entry),
                EventMatch::Prefix(prefix) => prefixes.entry(prefix).or_default().push(*entry),
                EventMatch::OneOf(names) => {
                    for name in names.iter().collect::<HashSet<_>>() {
                        exact.entry(*name).or_default().push(*entry);
                    }
                }
            }
        }
        let node = |(name, entries): (_, Vec<Entry>)| (name, Node::new(&entries));
        Self {
            any: Node::new(&any),
            exact: exact.into_iter().map(node).collect(),
            prefixes: prefixes.into_iter().map(node).collect(),
        }
    }

    fn collect(&self, event: &WebhookEvent, route: &mut Route) {
        self.any.collect(event, route);
        if let Some(name) = event.name() {
            if let Some(node) = self.exact.get(name) {
                node.collect(event, route);
            }
            for node in self.prefixes.of(name) {
                node.collect(event, route);
            }
        }
    }
}

// === Node ===

/// Processors with the same demand on path and name, by one of their conditions.
#[derive(Debug, Default)]
struct Node {
    /// Those no condition of which can be looked up.
    others: Vec<Candidate>,
    fields: Vec<FieldIndex>,
}

/// A processor that is found, and what must still be checked.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    place: ProcessorIndex,
    conditions: &'static [Condition],
}

impl Node {
    fn new(entries: &[Entry]) -> Self {
        let mut values: HashMap<Subject, HashSet<Key>> = HashMap::new();
        for condition in entries.iter().flat_map(|entry| entry.conditions) {
            values
                .entry(condition.subject)
                .or_default()
                .extend(keys(&condition.test));
        }
        let mut others = Vec::new();
        let mut fields: HashMap<Subject, HashMap<Key, Vec<Candidate>>> = HashMap::new();
        for entry in entries {
            let candidate = Candidate {
                place: entry.place,
                conditions: entry.conditions,
            };
            // The subject that tells most processors apart leaves the fewest candidates.
            let anchor = entry
                .conditions
                .iter()
                .filter(|condition| !keys(&condition.test).is_empty())
                .max_by_key(|condition| values[&condition.subject].len());
            let Some(anchor) = anchor else {
                others.push(candidate);
                continue;
            };
            let field = fields.entry(anchor.subject).or_default();
            for key in keys(&anchor.test) {
                field.entry(key).or_default().push(candidate);
            }
        }
        let fields = fields
            .into_iter()
            .map(|(subject, candidates)| FieldIndex::new(subject, candidates))
            .collect();
        Self { others, fields }
    }

    fn collect(&self, event: &WebhookEvent, route: &mut Route) {
        let mut add = |candidates: &[Candidate]| {
            let hits = candidates
                .iter()
                .filter(|candidate| candidate.conditions.iter().all(|c| c.holds(event)))
                .map(|candidate| candidate.place);
            route.extend(hits);
        };
        add(&self.others);
        for field in &self.fields {
            field.find(event, &mut add);
        }
    }
}

// === FieldIndex ===

/// Processors by what they want one header or payload value to be.
#[derive(Debug)]
struct FieldIndex {
    subject: Subject,
    texts: HashMap<&'static str, Vec<Candidate>>,
    integers: HashMap<i64, Vec<Candidate>>,
    booleans: HashMap<bool, Vec<Candidate>>,
    prefixes: Prefixes<Vec<Candidate>>,
}

/// What of a test can be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Text(&'static str),
    Integer(i64),
    Boolean(bool),
    Prefix(&'static str),
}

fn keys(test: &Test) -> HashSet<Key> {
    let key = |literal: &Literal| match *literal {
        Literal::Str(text) => Key::Text(text),
        Literal::Int(number) => Key::Integer(number),
        Literal::Bool(value) => Key::Boolean(value),
    };
    match test {
        Test::Eq(literal) => HashSet::from([key(literal)]),
        Test::In(literals) => literals.iter().map(key).collect(),
        Test::Prefix(prefix) => HashSet::from([Key::Prefix(prefix)]),
        Test::Ne(_) | Test::Suffix(_) => HashSet::new(),
    }
}

impl FieldIndex {
    fn new(subject: Subject, candidates: HashMap<Key, Vec<Candidate>>) -> Self {
        let mut index = Self {
            subject,
            texts: HashMap::new(),
            integers: HashMap::new(),
            booleans: HashMap::new(),
            prefixes: Prefixes::default(),
        };
        let mut prefixes = Vec::new();
        for (key, candidates) in candidates {
            match key {
                Key::Text(text) => drop(index.texts.insert(text, candidates)),
                Key::Integer(number) => drop(index.integers.insert(number, candidates)),
                Key::Boolean(value) => drop(index.booleans.insert(value, candidates)),
                Key::Prefix(prefix) => prefixes.push((prefix, candidates)),
            }
        }
        index.prefixes = prefixes.into_iter().collect();
        index
    }

    fn find(&self, event: &WebhookEvent, add: &mut impl FnMut(&[Candidate])) {
        let Some(field) = Field::read(event, self.subject) else {
            return;
        };
        if let Some(text) = field.as_str() {
            self.texts
                .get(text)
                .into_iter()
                .for_each(|found| add(found));
            self.prefixes.of(text).for_each(|found| add(found));
        } else if let Some(number) = field.as_i64() {
            self.integers
                .get(&number)
                .into_iter()
                .for_each(|found| add(found));
        } else if let Some(value) = field.as_bool() {
            self.booleans
                .get(&value)
                .into_iter()
                .for_each(|found| add(found));
        }
    }
}

// === Prefixes ===

/// Values by prefix. A text has at most one prefix of each length, so a lookup costs a hash for
/// each length there is, however many prefixes. A binary search of the sorted prefixes
/// misses the cache at each step.
#[derive(Debug)]
struct Prefixes<T> {
    values: HashMap<&'static str, T>,
    /// The lengths in bytes, in order, each once.
    lengths: Vec<usize>,
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        Self {
            values: HashMap::new(),
            lengths: Vec::new(),
        }
    }
}

impl<T> FromIterator<(&'static str, T)> for Prefixes<T> {
    /// The values of different prefixes.
    fn from_iter<I: IntoIterator<Item = (&'static str, T)>>(values: I) -> Self {
        let values: HashMap<_, _> = values.into_iter().collect();
        let mut lengths: Vec<_> = values.keys().map(|prefix| prefix.len()).collect();
        lengths.sort_unstable();
        lengths.dedup();
        Self { values, lengths }
    }
}

impl<T> Prefixes<T> {
    /// The values of all prefixes of `text`, shortest first.
    fn of<'s>(&'s self, text: &'s str) -> impl Iterator<Item = &'s T> {
        let fitting = self
            .lengths
            .iter()
            .take_while(|length| **length <= text.len());
        // No prefix ends within a character of the text.
        fitting.filter_map(|length| self.values.get(text.get(..*length)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{EventParts, Headers};

    #[test]
    fn all_prefixes_of_a_text_are_found() {
        let names = ["", "a", "ab", "abc", "abd", "b", "ba"];
        let prefixes: Prefixes<_> = names.map(|name| (name, name)).into_iter().collect();
        let check = |text: &str, expected: &[&str]| {
            let mut found: Vec<_> = prefixes.of(text).copied().collect();
            found.sort_unstable();
            assert_eq!(found, expected, "prefixes of {text:?}");
        };
        check("abcx", &["", "a", "ab", "abc"]);
        check("ac", &["", "a"]);
        check("b", &["", "b"]);
        check("z", &[""]);
        check("", &[""]);
        check("aé", &["", "a"]);
    }

    const TEXTS: &[&str] = &["", "a", "ab", "abc", "b", "ba", "push", "x"];
    const POINTERS: &[&str] = &["/a", "/b", "/a/c", "/x"];
    const HEADERS: &[&str] = &["x-event", "x-other"];

    fn text() -> impl Strategy<Value = &'static str> {
        prop::sample::select(TEXTS)
    }

    fn literal() -> impl Strategy<Value = Literal> {
        prop_oneof![
            text().prop_map(Literal::Str),
            (0..3_i64).prop_map(Literal::Int),
            any::<bool>().prop_map(Literal::Bool),
        ]
    }

    // Specs are constants, so the few that a test makes may live to its end.
    fn leaked<T>(values: Vec<T>) -> &'static [T] {
        values.leak()
    }

    fn condition() -> impl Strategy<Value = Condition> {
        let subject = prop_oneof![
            prop::sample::select(POINTERS).prop_map(Subject::Pointer),
            prop::sample::select(HEADERS).prop_map(Subject::Header),
        ];
        let test = prop_oneof![
            literal().prop_map(Test::Eq),
            literal().prop_map(Test::Ne),
            prop::collection::vec(literal(), 0..4).prop_map(|all| Test::In(leaked(all))),
            text().prop_map(Test::Prefix),
            text().prop_map(Test::Suffix),
        ];
        (subject, test).prop_map(|(subject, test)| Condition { subject, test })
    }

    fn spec() -> impl Strategy<Value = ProcessorSpec> {
        let event = prop_oneof![
            Just(EventMatch::Any),
            text().prop_map(EventMatch::Prefix),
            prop::collection::vec(text(), 0..4).prop_map(|names| EventMatch::OneOf(leaked(names))),
        ];
        let path = prop::sample::select(&["/one", "/two"][..]);
        let conditions = prop::collection::vec(condition(), 0..4);
        (path, event, conditions).prop_map(|(path, event, conditions)| {
            let mut spec = ProcessorSpec::new("any", path).when(leaked(conditions));
            spec.event = event;
            spec
        })
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        prop_oneof![
            text().prop_map(serde_json::Value::from),
            (0..3_i64).prop_map(serde_json::Value::from),
            any::<bool>().prop_map(serde_json::Value::from),
            Just(serde_json::Value::Null),
            text().prop_map(|text| serde_json::json!({ "c": text })),
        ]
    }

    fn event() -> impl Strategy<Value = WebhookEvent> {
        let headers = prop::collection::vec((prop::sample::select(HEADERS), text()), 0..3);
        let path = prop::sample::select(&["/one", "/two", "/three"][..]);
        (path, prop::option::of(text()), headers, value(), value()).prop_map(
            |(path, name, headers, a, b)| {
                WebhookEvent::new(EventParts {
                    path: path.into(),
                    name: name.map(Into::into),
                    headers: Headers::new(headers),
                    body: serde_json::json!({ "a": a, "b": b }).to_string().into(),
                    ..EventParts::default()
                })
            },
        )
    }

    proptest! {
        #[test]
        fn the_index_finds_what_asking_each_finds(
            specs in prop::collection::vec(spec(), 0..24),
            events in prop::collection::vec(event(), 1..8),
        ) {
            let index = Index::new(&specs);
            for event in &events {
                let asked: Vec<_> = (0..specs.len())
                    .filter(|place| specs[*place].matches(event))
                    .collect();
                prop_assert_eq!(&*index.matches(event), &*asked);
            }
        }
    }
}
