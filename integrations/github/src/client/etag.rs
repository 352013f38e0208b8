//! Answers that GitHub may confirm with 304, which costs nothing of the rate limit.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
};

use bytes::Bytes;

/// All bodies together.
const MAX_BYTES: usize = 32 << 20;
/// A larger body is not kept: it would push out hundreds of others.
const MAX_BODY: usize = 256 << 10;

/// What GitHub answered to one address.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) etag: String,
    pub(super) body: Bytes,
    /// The address of the next page.
    pub(super) next: Option<String>,
}

/// The latest answers, bounded by their size; the oldest goes first.
#[derive(Debug, Default)]
pub(super) struct Etags(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    known: HashMap<String, Known>,
    order: VecDeque<String>,
    bytes: usize,
}

impl Etags {
    pub(super) fn get(&self, key: &str) -> Option<Known> {
        let inner = self.0.lock().expect("no code panics while holding it");
        inner.known.get(key).cloned()
    }

    pub(super) fn put(&self, key: &str, known: Known) {
        if known.body.len() > MAX_BODY {
            return;
        }
        let mut inner = self.0.lock().expect("no code panics while holding it");
        inner.bytes += known.body.len();
        match inner.known.insert(key.to_owned(), known) {
            Some(former) => inner.bytes -= former.body.len(),
            None => inner.order.push_back(key.to_owned()),
        }
        while inner.bytes > MAX_BYTES {
            let Some(oldest) = inner.order.pop_front() else {
                return;
            };
            if let Some(dropped) = inner.known.remove(&oldest) {
                inner.bytes -= dropped.body.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(bytes: usize) -> Known {
        Known {
            etag: "e".to_owned(),
            body: vec![b' '; bytes].into(),
            next: None,
        }
    }

    #[test]
    fn the_oldest_answers_make_room() {
        let etags = Etags::default();
        for place in 0..200 {
            etags.put(&place.to_string(), known(MAX_BODY));
        }
        let kept = (0..200).filter(|place| etags.get(&place.to_string()).is_some());
        let kept: Vec<_> = kept.collect();
        assert_eq!(kept, (200 - MAX_BYTES / MAX_BODY..200).collect::<Vec<_>>());
    }

    #[test]
    fn a_newer_answer_replaces_the_former_and_a_large_one_is_not_kept() {
        let etags = Etags::default();
        etags.put("a", known(10));
        etags.put("a", known(20));
        etags.put("b", known(MAX_BODY + 1));
        assert_eq!(etags.get("a").unwrap().body.len(), 20);
        assert!(etags.get("b").is_none());
        assert_eq!(etags.0.lock().unwrap().bytes, 20);
    }
}
