//! Which lanes an event takes, by the ordering keys of its processors.
//!
//! **The numbers are stored with events and compared across restarts and versions, so how they are
//! made must never change.** They are cut from SHA-256: a lane and its coalescing mark together
//! are 128 bits that no sender can make collide, so no event is superseded by one about
//! another thing.

use sha2::{Digest as _, Sha256};
use smallvec::SmallVec;

use super::{ProcessorSpec, field::Field};
use crate::{
    event::WebhookEvent,
    lane::{Lane, LaneEntry, Lanes},
};

/// What tells a lane's hash from other hashes.
const LANE: &[u8] = b"ocean lane 1";

/// The lane in which `spec` handles the event: of its path and the values of its key, or, without
/// a key, of its path and name.
pub(super) fn lane(event: &WebhookEvent, spec: &ProcessorSpec) -> Lane {
    let mut hash = Hash::new(LANE);
    feed_key(&mut hash, event, spec);
    Lane::new(hash.finish())
}

/// The lane of events of the source at `path` whose ordering key has these values, as text, in the
/// order of the key's pointers: for operators who look for a key.
pub fn lane_of_key<'a>(path: &str, values: impl IntoIterator<Item = &'a str>) -> Lane {
    let mut hash = Hash::new(LANE);
    hash.feed(path.as_bytes());
    hash.feed(b"key");
    for value in values {
        hash.feed(value.as_bytes());
    }
    Lane::new(hash.finish())
}

/// The lanes of an event that `specs` handle, each once, in order of the first processor.
pub(super) fn lanes<'a>(
    event: &WebhookEvent,
    specs: impl Iterator<Item = &'a ProcessorSpec>,
) -> Lanes {
    // Each lane is hashed once, however many processors share it: this runs for every event.
    let places: SmallVec<[(Lane, &ProcessorSpec); 4]> =
        specs.map(|spec| (lane(event, spec), spec)).collect();
    let mut lanes = Lanes::new();
    for &(lane, _) in &places {
        if lanes.iter().any(|entry| entry.lane == lane) {
            continue;
        }
        let sharing: SmallVec<[&ProcessorSpec; 4]> = places
            .iter()
            .filter(|(other, _)| *other == lane)
            .map(|(_, spec)| *spec)
            .collect();
        lanes.push(LaneEntry {
            lane,
            coalesce: coalesce(event, &sharing),
        });
    }
    lanes
}

/// What makes a waiting event of a lane replaceable by a later one: the same processors, all of
/// which coalesce, and the same keys, should two keys ever share a lane.
fn coalesce(event: &WebhookEvent, specs: &[&ProcessorSpec]) -> Option<u64> {
    if !specs.iter().all(|spec| spec.coalesce) {
        return None;
    }
    let mut hash = Hash::new(b"ocean coalesce 1");
    for spec in specs {
        hash.feed(spec.name.as_bytes());
        feed_key(&mut hash, event, spec);
    }
    Some(hash.finish())
}

fn feed_key(hash: &mut Hash, event: &WebhookEvent, spec: &ProcessorSpec) {
    hash.feed(spec.path.as_bytes());
    if spec.key.is_empty() {
        hash.feed(b"name");
        hash.feed(spec.name.as_bytes());
        return;
    }
    hash.feed(b"key");
    for pointer in spec.key {
        match Field::at(event, pointer) {
            Some(field) => hash.feed(field.key_text().as_bytes()),
            None => hash.feed_nothing(),
        }
    }
}

// === Hash ===

/// A hash of parts, of which none can pass for another or for two.
struct Hash(Sha256);

impl Hash {
    fn new(purpose: &[u8]) -> Self {
        let mut hash = Self(Sha256::new());
        hash.feed(purpose);
        hash
    }

    fn feed(&mut self, part: &[u8]) {
        let length = part.len() as u64;
        self.0.update(length.to_le_bytes());
        self.0.update(part);
    }

    /// A part that is absent, which no text is as long as.
    fn feed_nothing(&mut self) {
        self.0.update(u64::MAX.to_le_bytes());
    }

    fn finish(self) -> u64 {
        let digest = self.0.finalize();
        let (start, _) = digest.split_first_chunk().expect("a digest has 32 bytes");
        u64::from_le_bytes(*start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventParts;

    fn event(body: &'static str) -> WebhookEvent {
        WebhookEvent::new(EventParts {
            body: body.into(),
            ..EventParts::default()
        })
    }

    fn of(spec: &ProcessorSpec, body: &'static str) -> LaneEntry {
        lanes(&event(body), std::iter::once(spec))[0]
    }

    const KEYED: ProcessorSpec = ProcessorSpec::new("keyed", "/webhook").key(&["/a", "/b"]);

    #[test]
    fn an_operator_finds_the_lane_by_the_values_of_its_key() {
        let entry = of(&KEYED, r#"{"a":"x","b":1}"#);
        assert_eq!(lane_of_key("/webhook", ["x", "1"]), entry.lane);
        assert_ne!(lane_of_key("/webhook", ["x1"]), entry.lane);
    }

    // Numbers like these are on disks: a change of them would tear events from their lanes.
    #[test]
    fn the_numbers_never_change() {
        let lane = |spec, body| of(spec, body).lane.get();
        assert_eq!(lane(&KEYED, r#"{"a":"x","b":1}"#), 0x8cb8_f2fa_8a2e_030b);
        assert_eq!(lane(&KEYED, r#"{"a":"x"}"#), 0x14d1_b585_e8ef_781d);
        assert_eq!(
            lane(&ProcessorSpec::new("plain", "/webhook"), "{}"),
            0xdd36_e707_0101_ebf8
        );
        assert_eq!(
            of(&KEYED.coalesce(), r#"{"a":"x","b":1}"#).coalesce,
            Some(0x9ef6_c30a_f96f_e2ed)
        );
    }

    #[test]
    fn a_key_is_its_values_and_nothing_else() {
        let check = |one, other, same| {
            let equal = of(&KEYED, one).lane == of(&KEYED, other).lane;
            assert_eq!(equal, same, "{one} and {other}");
        };
        check(r#"{"a":"x","b":1}"#, r#"{"b":1,"c":9,"a":"x"}"#, true);
        check(r#"{"a":"x","b":1}"#, r#"{"a":"x","b":"1"}"#, true);
        check(r#"{"a":"x","b":1}"#, r#"{"a":"x","b":1.0}"#, true);
        check(
            r#"{"a":9007199254740993}"#,
            r#"{"a":9007199254740992}"#,
            false,
        );
        check(r#"{"a":"x","b":null}"#, r#"{"a":"x"}"#, true);
        check(r#"{"a":"x","b":1}"#, r#"{"a":"x","b":2}"#, false);
        check(r#"{"a":"xy","b":"z"}"#, r#"{"a":"x","b":"yz"}"#, false);
        check(r#"{"a":"x"}"#, r#"{"b":"x"}"#, false);
        check(r#"{"a":"","b":"x"}"#, r#"{"b":"x"}"#, false);
    }

    #[test]
    fn without_a_key_a_processor_has_a_lane_of_its_own() {
        let one = ProcessorSpec::new("one", "/webhook");
        let other = ProcessorSpec::new("other", "/webhook");
        assert_eq!(of(&one, r#"{"a":1}"#), of(&one, r#"{"a":2}"#));
        assert_ne!(of(&one, "{}"), of(&other, "{}"));
    }

    #[test]
    fn a_lane_coalesces_only_if_all_its_processors_do() {
        let (one, other) = (KEYED.coalesce(), ProcessorSpec { name: "b", ..KEYED });
        let both = |specs: [&ProcessorSpec; 2]| lanes(&event("{}"), specs.into_iter())[0].coalesce;
        assert_eq!(both([&one, &other]), None);
        assert!(both([&one, &other.coalesce()]).is_some());
        assert_ne!(both([&one, &other.coalesce()]), of(&one, "{}").coalesce);
    }
}
