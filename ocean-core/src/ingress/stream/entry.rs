//! An entry of the stream: what its fields say.

use bytes::Bytes;
use jiff::Timestamp;
use redis::{FromRedisValue, ParsingError, Value};
use serde_json::Map;

/// An entry; without fields if it was deleted or trimmed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: String,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl FromRedisValue for Entry {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let (id, fields): (String, Option<Vec<Vec<u8>>>) = redis::from_redis_value(value)?;
        let mut rest = fields.unwrap_or_default().into_iter();
        let mut fields = Vec::new();
        while let (Some(name), Some(value)) = (rest.next(), rest.next()) {
            fields.push((name, value));
        }
        Ok(Self { id, fields })
    }
}

impl Entry {
    #[cfg(test)]
    pub(super) fn of(id: &str, fields: &[(&str, &str)]) -> Self {
        let bytes = |text: &str| text.as_bytes().to_vec();
        let fields = fields.iter().map(|(n, v)| (bytes(n), bytes(v)));
        Self {
            id: id.to_owned(),
            fields: fields.collect(),
        }
    }

    /// Whether nothing is left of it but its id.
    pub(super) fn is_deleted(&self) -> bool {
        self.fields.is_empty()
    }

    fn field(&self, name: &str) -> Option<&[u8]> {
        let mut fields = self.fields.iter();
        fields.find_map(|(key, value)| (key == name.as_bytes()).then_some(&**value))
    }

    /// The path of its source and the query behind it, as upstream normalises them: no slash at the
    /// end, and what stands behind the first `/integration/`, if that is there.
    pub(super) fn path(&self) -> (String, String) {
        let text = String::from_utf8_lossy(self.field("webhookPath").unwrap_or_default());
        let (path, query) = text.split_once('?').unwrap_or((&text, ""));
        let path = format!("/{}", path.trim_matches('/'));
        let path = match path.split_once("/integration/") {
            Some((_, rest)) => format!("/{rest}"),
            None => path,
        };
        (path, query.to_owned())
    }

    /// The body as received.
    pub(super) fn payload(&self) -> Bytes {
        Bytes::copy_from_slice(self.payload_bytes())
    }

    fn payload_bytes(&self) -> &[u8] {
        // Upstream takes an entry without payload for one of an empty object.
        self.field("payload").unwrap_or(b"{}")
    }

    /// The headers, names in lower case and in order.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn headers(&self) -> Result<Vec<(String, String)>, String> {
        let text = self.field("headers").unwrap_or(b"{}");
        let headers: Map<String, serde_json::Value> = serde_json::from_slice(text)
            .map_err(|error| format!("the entry's headers are not a JSON object: {error}"))?;
        let as_text = |value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        let mut headers: Vec<_> = headers
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), as_text(value)))
            .collect();
        headers.sort();
        Ok(headers)
    }

    /// Whether the body is as long as its sender has declared it.
    pub(super) fn has_declared_length(&self) -> bool {
        let headers = self.headers().unwrap_or_default();
        let mut lengths = headers.iter().filter(|(name, _)| name == "content-length");
        lengths.any(|(_, text)| text.parse() == Ok(self.payload_bytes().len()))
    }

    /// What tells it from all others: the gateway's id, or the stream's for gateways that give none.
    pub(super) fn delivery(&self) -> Box<str> {
        match self.field("eventId") {
            Some(id) if !id.is_empty() => String::from_utf8_lossy(id).into(),
            _ => self.id.as_str().into(),
        }
    }

    /// When the gateway received it, which a signature's age is measured by; `now` if it does not
    /// say or its clock is ahead.
    pub(super) fn received_at(&self, now: Timestamp) -> Timestamp {
        let text = self
            .field("queuedAt")
            .and_then(|text| str::from_utf8(text).ok());
        let nanos = text.and_then(|text| text.trim().parse::<i128>().ok());
        let at = nanos.and_then(|nanos| Timestamp::from_nanosecond(nanos).ok());
        // Seconds or milliseconds by mistake would be in 1970.
        at.filter(|at| *at <= now && at.as_second() > 1_000_000_000)
            .unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(fields: &[(&str, &str)]) -> Entry {
        Entry::of("1700000000000-0", fields)
    }

    #[test]
    fn paths_are_normalised_as_upstream_does() {
        for (given, path, query) in [
            ("integration/webhook", "/webhook", ""),
            ("/integration/webhook/", "/webhook", ""),
            ("integration/hook/org?x=1", "/hook/org", "x=1"),
            ("/a/integration/b/integration/c", "/b/integration/c", ""),
            ("/webhook", "/webhook", ""),
            ("integration", "/integration", ""),
            ("", "/", ""),
        ] {
            let (found, rest) = entry(&[("webhookPath", given)]).path();
            assert_eq!((&*found, &*rest), (path, query), "{given}");
        }
    }

    #[test]
    fn headers_are_lower_case_text_in_order() {
        let headers = |text| entry(&[("headers", text)]).headers();
        let expected = [("x-a", "1"), ("x-b", "true"), ("x-c", "c")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let found = headers(r#"{"X-C": "c", "X-A": 1, "X-B": true}"#).unwrap();
        assert_eq!(found, expected);
        assert_eq!(entry(&[]).headers().unwrap(), []);
        for bad in ["", "[]", "{", "\"x\""] {
            assert!(headers(bad).unwrap_err().contains("headers"), "{bad}");
        }
    }

    #[test]
    fn the_time_of_the_gateway_counts_unless_it_cannot_be() {
        let now: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
        let at = |text| entry(&[("queuedAt", text)]).received_at(now);
        assert_eq!(
            at("1764000000123456789").as_nanosecond(),
            1_764_000_000_123_456_789
        );
        for bad in [
            "",
            "soon",
            "1764000000",
            "99999999999999999999",
            "4764000000000000000",
        ] {
            assert_eq!(at(bad), now, "{bad}");
        }
        assert_eq!(entry(&[]).received_at(now), now);
    }

    #[test]
    fn older_gateways_give_no_id() {
        assert_eq!(&*entry(&[("eventId", "e1")]).delivery(), "e1");
        assert_eq!(&*entry(&[("eventId", "")]).delivery(), "1700000000000-0");
        assert_eq!(&*entry(&[]).delivery(), "1700000000000-0");
        assert_eq!(entry(&[]).payload(), "{}");
    }
}
