//! Owned objects: entries in order of insertion, found by scanning while few, by hash when many.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use super::Value;

/// Up to this many entries a scan beats hashing.
const SCAN_LIMIT: usize = 12;

/// A key of an object; dereferences to `str`.
#[derive(Clone, Debug)]
pub enum Key<'a> {
    /// Borrowed from a document or a program.
    Ref(&'a str),
    /// Built by an evaluation.
    Own(Rc<String>),
}

impl std::ops::Deref for Key<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Key::Ref(text) => text,
            Key::Own(text) => text,
        }
    }
}

impl Borrow<str> for Key<'_> {
    fn borrow(&self) -> &str {
        self
    }
}

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Key<'_>) -> bool {
        **self == **other
    }
}

impl Eq for Key<'_> {}

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl std::fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self)
    }
}

impl<'a> Key<'a> {
    pub(crate) fn into_value(self) -> Value<'a> {
        match self {
            Key::Ref(text) => Value::str(text),
            Key::Own(text) => Value(super::Repr::StrOwn(text)),
        }
    }

    pub(crate) fn of(value: &Value<'a>) -> Option<Key<'a>> {
        match &value.0 {
            super::Repr::StrRef(text) => Some(Key::Ref(text)),
            super::Repr::StrOwn(text) => Some(Key::Own(Rc::clone(text))),
            _ => None,
        }
    }
}

/// Entries of an owned object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Map<'a> {
    entries: Vec<(Key<'a>, Value<'a>)>,
    // Only for many entries; the standard hasher is seeded, so hostile keys cannot collide.
    index: Option<HashMap<Key<'a>, usize>>,
}

impl<'a> Map<'a> {
    pub(crate) fn with_capacity(capacity: usize) -> Map<'a> {
        Map {
            entries: Vec::with_capacity(capacity),
            index: None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn position(&self, key: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(key).copied(),
            None => self
                .entries
                .iter()
                .position(|(candidate, _)| &**candidate == key),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.position(key).map(|position| &self.entries[position].1)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Value<'a>> {
        let position = self.position(key)?;
        Some(&mut self.entries[position].1)
    }

    pub(crate) fn entry_at(&self, index: usize) -> Option<&(Key<'a>, Value<'a>)> {
        self.entries.get(index)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key<'a>, &Value<'a>)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Value<'a>> {
        self.entries.iter().map(|(_, value)| value)
    }

    pub(crate) fn into_values(self) -> impl Iterator<Item = Value<'a>> {
        self.entries.into_iter().map(|(_, value)| value)
    }

    /// Replaces the value of a key in its place, or adds the key at the end.
    pub(crate) fn insert(&mut self, key: Key<'a>, value: Value<'a>) {
        if let Some(index) = &mut self.index {
            match index.entry(key) {
                Entry::Occupied(known) => self.entries[*known.get()].1 = value,
                Entry::Vacant(vacant) => {
                    let key = vacant.key().clone();
                    vacant.insert(self.entries.len());
                    self.entries.push((key, value));
                }
            }
            return;
        }
        match self.position(&key) {
            Some(position) => self.entries[position].1 = value,
            None => self.push_unique(key, value),
        }
    }

    /// Inserts every entry of an object.
    pub(crate) fn extend(&mut self, object: &Value<'a>) {
        for (key, value) in object.entries() {
            self.insert(key, value);
        }
    }

    /// Adds a key that is known to be new.
    pub(crate) fn push_unique(&mut self, key: Key<'a>, value: Value<'a>) {
        if let Some(index) = &mut self.index {
            index.insert(key.clone(), self.entries.len());
        }
        self.entries.push((key, value));
        if self.index.is_none() && self.entries.len() > SCAN_LIMIT {
            self.reindex();
        }
    }

    /// Removes every key for which `remove` says so, in one pass.
    pub(crate) fn remove_where(&mut self, mut remove: impl FnMut(&str, &mut Value<'a>) -> bool) {
        self.entries.retain_mut(|(key, value)| !remove(key, value));
        self.index = None;
        if self.entries.len() > SCAN_LIMIT {
            self.reindex();
        }
    }

    fn reindex(&mut self) {
        let positions = self
            .entries
            .iter()
            .enumerate()
            .map(|(at, (key, _))| (key.clone(), at));
        self.index = Some(positions.collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_keys_keep_order_and_are_found() {
        let mut map = Map::default();
        for number in 0..100 {
            map.insert(
                Key::Own(Rc::new(format!("k{number}"))),
                Value::number(f64::from(number)),
            );
        }
        map.insert(Key::Ref("k5"), Value::NULL);
        map.remove_where(|key, _| key == "k7");
        assert_eq!(map.len(), 99);
        assert!(map.get("k5").is_some_and(Value::is_null));
        assert!(map.get("k7").is_none());
        assert_eq!(
            map.entry_at(7).map(|(key, _)| key.to_string()),
            Some("k8".to_owned())
        );
    }
}
