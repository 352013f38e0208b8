//! How lanes, headers and states stand in the file.

use jiff::Timestamp;
use rusqlite::{
    ToSql,
    types::{ToSqlOutput, ValueRef},
};
use serde::Serializer as _;
use smallvec::SmallVec;

use crate::{
    event::Headers,
    lane::{Lane, LaneEntry, Lanes},
    queue::EventState,
};

/// States as numbers; 0 and 1 take no byte in a row, so that finishing an event does not grow it.
pub(super) const PENDING: u8 = 0;
pub(super) const DONE: u8 = 1;
pub(super) const DEAD: u8 = 2;
pub(super) const IGNORED: u8 = 3;
pub(super) const SUPERSEDED: u8 = 4;
pub(super) const DISCARDED: u8 = 5;
pub(super) const REFUSED: u8 = 6;

pub(super) fn state_number(state: EventState) -> u8 {
    match state {
        EventState::Pending => PENDING,
        EventState::Done => DONE,
        EventState::Dead => DEAD,
        EventState::Ignored => IGNORED,
        EventState::Superseded => SUPERSEDED,
        EventState::Discarded => DISCARDED,
        EventState::Refused => REFUSED,
    }
}

pub(super) fn state_of(number: u8) -> Option<EventState> {
    Some(match number {
        PENDING => EventState::Pending,
        DONE => EventState::Done,
        DEAD => EventState::Dead,
        IGNORED => EventState::Ignored,
        SUPERSEDED => EventState::Superseded,
        DISCARDED => EventState::Discarded,
        REFUSED => EventState::Refused,
        _ => return None,
    })
}

/// Lanes as bytes: for each entry the lane (8 bytes, big endian), then 0, or 1 and the coalesce
/// value (8 bytes).
pub(super) fn encode_lanes(lanes: &[LaneEntry]) -> SmallVec<[u8; 32]> {
    let mut bytes = SmallVec::new();
    for entry in lanes {
        bytes.extend_from_slice(&entry.lane.get().to_be_bytes());
        match entry.coalesce {
            None => bytes.push(0),
            Some(value) => {
                bytes.push(1);
                bytes.extend_from_slice(&value.to_be_bytes());
            }
        }
    }
    bytes
}

/// The lanes that [`encode_lanes`] wrote; `None` if they are damaged.
pub(super) fn decode_lanes(mut bytes: &[u8]) -> Option<Lanes> {
    let mut lanes = Lanes::new();
    while !bytes.is_empty() {
        let lane = Lane::new(take_number(&mut bytes)?);
        let (flag, rest) = bytes.split_first()?;
        bytes = rest;
        let coalesce = match flag {
            0 => None,
            1 => Some(take_number(&mut bytes)?),
            _ => return None,
        };
        lanes.push(LaneEntry { lane, coalesce });
    }
    Some(lanes)
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u64::from_be_bytes(*number))
}

/// The headers as a JSON array of `[name, value]`, those with secrets left out.
pub(super) fn encode_headers(headers: &Headers) -> String {
    let kept = headers
        .iter()
        .filter(|(name, _)| !Headers::carries_secret(name));
    let mut json = Vec::with_capacity(512);
    serde_json::Serializer::new(&mut json)
        .collect_seq(kept)
        .expect("strings have a JSON form");
    String::from_utf8(json).expect("JSON is UTF-8")
}

/// Bytes that stand in the file as text where they are UTF-8, so that `sqlite3` shows them.
pub(super) struct Text<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) is_utf8: bool,
}

impl ToSql for Text<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(if self.is_utf8 {
            ValueRef::Text(self.bytes)
        } else {
            ValueRef::Blob(self.bytes)
        }))
    }
}

pub(super) fn timestamp(micros: i64) -> Timestamp {
    // Out of range only in a damaged file; the date then is obviously wrong, and nothing else.
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_survive_the_file() {
        let entry = |lane, coalesce| LaneEntry {
            lane: Lane::new(lane),
            coalesce,
        };
        for lanes in [
            vec![],
            vec![entry(7, None)],
            vec![entry(u64::MAX, Some(3)), entry(0, None), entry(1, Some(0))],
        ] {
            let bytes = encode_lanes(&lanes);
            assert_eq!(decode_lanes(&bytes).unwrap().as_slice(), lanes);
            if !bytes.is_empty() {
                assert_eq!(decode_lanes(&bytes[..bytes.len() - 1]), None, "cut");
            }
        }
    }

    #[test]
    fn headers_keep_order_and_repeats_and_lose_secrets() {
        let headers = Headers::new([
            ("X-GitHub-Event", "push"),
            ("Authorization", "Bearer x"),
            ("X-Gitlab-Token", "x"),
            ("cookie", "x"),
            ("x-tag", "a\"b"),
            ("X-Hub-Signature-256", "sha256=00"),
            ("x-tag", "c"),
        ]);
        assert_eq!(
            encode_headers(&headers),
            r#"[["x-github-event","push"],["x-tag","a\"b"],["x-hub-signature-256","sha256=00"],["x-tag","c"]]"#
        );
    }
}
