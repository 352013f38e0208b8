//! Keys of objects: duplicates are merged, objects of many keys get a sorted index.
//!
//! An index lists the entries of one object by the hash of their keys, and by the keys themselves
//! where hashes are equal. Only hostile keys have equal hashes, and then cost a sort, never more.

use std::cmp::Ordering;

use super::Node;

/// Up to this many entries an object is scanned, beyond it has a sorted index.
pub(super) const SCAN_LIMIT: usize = 24;

/// An entry in an index: the hash of its key in the upper half, its position in the lower one.
pub(super) type Indexed = u64;

/// Finishes the entries of an object from `from` on: of a repeated key the last value counts, at
/// the place of the first. Objects of many keys are indexed.
pub(super) fn finish(
    pending: &mut Vec<Node>,
    from: usize,
    text: &str,
    sorted: &mut Vec<Indexed>,
) -> Option<Node> {
    if (pending.len() - from) / 2 <= SCAN_LIMIT {
        merge_few(pending, from, text);
        return None;
    }
    let start = sorted.len();
    if index(&pending[from..], text, sorted) {
        merge_many(pending, from, text, &sorted[start..]);
        sorted.truncate(start);
        return finish(pending, from, text, sorted);
    }
    Some(Node::Index(start as u32))
}

/// Indexes entries, and tells whether a key is there twice.
pub(super) fn index(entries: &[Node], text: &str, sorted: &mut Vec<Indexed>) -> bool {
    let start = sorted.len();
    let hashes = entries.chunks_exact(2).map(|entry| entry[0].hash());
    sorted.extend(
        hashes
            .enumerate()
            .map(|(position, hash)| u64::from(hash) << 32 | position as u64),
    );
    let order = &mut sorted[start..];
    order.sort_unstable();
    let key = |entry: &Indexed| entries[2 * position(*entry)].text(text);
    let mut repeated = false;
    for run in order.chunk_by_mut(|left, right| hash(*left) == hash(*right)) {
        if run.len() > 1 {
            run.sort_by(|left, right| key(left).cmp(key(right)).then(left.cmp(right)));
            repeated |= run.windows(2).any(|pair| key(&pair[0]) == key(&pair[1]));
        }
    }
    repeated
}

/// The position of the entry whose key has the hash and is found equal by `compare`.
pub(super) fn find(
    order: &[Indexed],
    wanted: u32,
    compare: impl Fn(usize) -> Ordering,
) -> Option<usize> {
    let found = order.binary_search_by(|&entry| {
        hash(entry)
            .cmp(&wanted)
            .then_with(|| compare(position(entry)))
    });
    found.ok().map(|at| position(order[at]))
}

fn hash(entry: Indexed) -> u32 {
    (entry >> 32) as u32
}

fn position(entry: Indexed) -> usize {
    entry as u32 as usize
}

/// A set of bits tells nearly always that a key is new.
fn merge_few(pending: &mut Vec<Node>, from: usize, text: &str) {
    let mut seen = 0_u64;
    let mut at = from;
    while at < pending.len() {
        let key = pending[at];
        let bit = 1 << (key.hash() % 64);
        let first = if seen & bit == 0 {
            None
        } else {
            let same = |&first: &usize| pending[first].is_same_key(&key, text);
            (from..at).step_by(2).find(same)
        };
        seen |= bit;
        match first {
            Some(first) => {
                pending[first + 1] = pending[at + 1];
                pending.drain(at..at + 2);
            }
            None => at += 2,
        }
    }
}

/// As above, along an index, where pairwise comparison would be quadratic.
fn merge_many(pending: &mut Vec<Node>, from: usize, text: &str, order: &[Indexed]) {
    let mut entries = pending.split_off(from);
    let mut keep = vec![true; entries.len() / 2];
    // Repetitions of a key are neighbours in the index, in the order of the text.
    let mut first = order[0];
    for &entry in &order[1..] {
        let (key, at) = (2 * position(first), 2 * position(entry));
        if entries[key].is_same_key(&entries[at], text) {
            keep[position(entry)] = false;
            entries[key + 1] = entries[at + 1];
        } else {
            first = entry;
        }
    }
    for (entry, keep) in entries.chunks_exact(2).zip(keep) {
        if keep {
            pending.extend_from_slice(entry);
        }
    }
}

// === impl Node ===

impl Node {
    /// The hash of a key.
    fn hash(&self) -> u32 {
        match self {
            Node::Str { hash, .. } => *hash,
            _ => 0,
        }
    }

    fn is_same_key(&self, other: &Node, text: &str) -> bool {
        self.hash() == other.hash() && self.text(text) == other.text(text)
    }

    /// The text of a key.
    fn text<'t>(&self, text: &'t str) -> &'t [u8] {
        match *self {
            Node::Str { start, len, .. } => {
                &text.as_bytes()[start as usize..start as usize + len as usize]
            }
            _ => &[],
        }
    }
}
