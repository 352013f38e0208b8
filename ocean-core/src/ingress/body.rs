//! From the bytes on the wire to the JSON text of events.

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use ocean_jq::Document;
use serde_json::value::RawValue;

use super::{Limits, refusal::Refusal};
use crate::source::Source;

/// How a body is written, by its content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    /// `application/x-www-form-urlencoded` with the JSON in this field.
    Field(&'static str),
}

impl Form {
    /// The form that a content type declares. A request without content type is taken for JSON: not
    /// all senders set it, and what is not JSON will not parse.
    pub(super) fn of(content_type: Option<&str>, source: &Source) -> Result<Self, Refusal> {
        let Some(content_type) = content_type else {
            return Ok(Self::Json);
        };
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let json = essence.eq_ignore_ascii_case("application/json")
            || essence.eq_ignore_ascii_case("text/json")
            || ends_with_ignoring_case(essence, "+json");
        match source.form_field {
            _ if json => Ok(Self::Json),
            Some(field) if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") => {
                Ok(Self::Field(field))
            }
            Some(_) => Err(Refusal::MediaType {
                expected: "application/json or application/x-www-form-urlencoded",
            }),
            None => Err(Refusal::MediaType {
                expected: "application/json",
            }),
        }
    }

    /// The JSON text in the inflated body.
    pub(super) fn json_text(self, body: Bytes) -> Result<Bytes, Refusal> {
        let Self::Field(name) = self else {
            return Ok(body);
        };
        let value = url::form_urlencoded::parse(&body)
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned());
        value.map(Bytes::from).ok_or(Refusal::Undecodable(
            "the form lacks the field with the JSON",
        ))
    }
}

fn ends_with_ignoring_case(text: &str, suffix: &str) -> bool {
    text.len()
        .checked_sub(suffix.len())
        .and_then(|start| text.get(start..))
        .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
}

/// How a body is compressed, by its content encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
}

impl Coding {
    pub(super) fn of(content_encoding: Option<&str>) -> Result<Self, Refusal> {
        match content_encoding.map(str::trim) {
            None | Some("") => Ok(Self::Identity),
            Some(coding) if coding.eq_ignore_ascii_case("identity") => Ok(Self::Identity),
            Some(coding)
                if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") =>
            {
                Ok(Self::Gzip)
            }
            Some(_) => Err(Refusal::ContentEncoding),
        }
    }

    /// The inflated body. Stops at the limit: a small body must not become a large one.
    pub(super) fn inflate(self, body: Bytes, limits: &Limits) -> Result<Bytes, Refusal> {
        if self == Self::Identity {
            return Ok(body);
        }
        let limit = limits.max_body_bytes;
        let mut inflated = Vec::new();
        // One byte more than allowed tells "exactly full" from "too large".
        let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        MultiGzDecoder::new(&*body)
            .take(bound)
            .read_to_end(&mut inflated)
            .map_err(|_| Refusal::Undecodable("the body is not gzip"))?;
        if inflated.len() > limit {
            return Err(Refusal::TooLarge { limit });
        }
        Ok(inflated.into())
    }
}

// === Memory ===

/// The memory that parsing takes for each JSON value, with room for vectors that double as they grow:
/// a node of 16 bytes in two vectors at once.
pub(super) const BYTES_PER_VALUE: usize = 64;

/// The memory that parsing this JSON text takes at most: a copy of the text, and the values.
pub(super) fn parsing_bytes(text: &[u8], limits: &Limits) -> Result<usize, Refusal> {
    let limit = limits.max_json_values;
    // Signs within strings count here; only where that makes a difference they are told apart, byte
    // by byte.
    let mut values = 1 + signs_of_values(text);
    if values > limit {
        values = 1 + values_outside_strings(text);
    }
    if values > limit {
        return Err(Refusal::TooManyValues { limit });
    }
    Ok(text.len() + values * BYTES_PER_VALUE)
}

/// Whether a value may begin behind this sign of JSON.
#[inline]
fn starts_value(byte: u8) -> bool {
    matches!(byte, b',' | b':' | b'[' | b'{')
}

/// Counted in bytes first, so that the compiler looks at 16 signs and more at a time.
fn signs_of_values(text: &[u8]) -> usize {
    let count =
        |chunk: &[u8]| -> u8 { chunk.iter().map(|byte| u8::from(starts_value(*byte))).sum() };
    text.chunks(usize::from(u8::MAX))
        .map(|chunk| usize::from(count(chunk)))
        .sum()
}

fn values_outside_strings(text: &[u8]) -> usize {
    let mut count = 0;
    let (mut quoted, mut escaped) = (false, false);
    for &byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if !quoted && starts_value(byte) => count += 1,
            _ => {}
        }
    }
    count
}

// === Texts ===

/// The events of a body: one, or the elements of its array.
#[derive(Debug)]
pub(super) enum Texts {
    One(Bytes, Document),
    Batch(Vec<(Bytes, Document)>),
}

impl Texts {
    pub(super) fn parse(body: Bytes, source: &Source, limits: &Limits) -> Result<Self, Refusal> {
        match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'[') if source.arrays => Self::split(&body, limits),
            Some(b'{') => {
                let document = parse(&body)?;
                Ok(Self::One(body, document))
            }
            Some(_) => {
                parse(&body)?;
                Err(Refusal::Shape(
                    if source.arrays {
                        "the body is neither a JSON object nor an array of objects"
                    } else {
                        "the body is not a JSON object"
                    }
                    .into(),
                ))
            }
            None => Err(Refusal::Json("it is empty".into())),
        }
    }

    fn split(body: &Bytes, limits: &Limits) -> Result<Self, Refusal> {
        let elements: Vec<&RawValue> =
            serde_json::from_slice(body).map_err(|error| Refusal::Json(error.to_string()))?;
        if elements.len() > limits.max_batch_events {
            return Err(Refusal::TooMany {
                limit: limits.max_batch_events,
            });
        }
        let texts = elements.iter().enumerate().map(|(index, element)| {
            let text = element.get().as_bytes();
            if text.first() != Some(&b'{') {
                let problem = format!("element {index} of the array is not an object");
                return Err(Refusal::Shape(problem.into()));
            }
            // A copy, so that one waiting event does not keep its whole batch in memory.
            let text = Bytes::copy_from_slice(text);
            let document = parse(&text)?;
            Ok((text, document))
        });
        texts.collect::<Result<_, _>>().map(Self::Batch)
    }
}

fn parse(text: &Bytes) -> Result<Document, Refusal> {
    Document::parse(text).map_err(|error| Refusal::Json(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, values: Option<usize>) {
        let limits = Limits {
            max_json_values: 7,
            ..Limits::default()
        };
        let bytes = parsing_bytes(text.as_bytes(), &limits).ok();
        let expected = values.map(|values| text.len() + values * BYTES_PER_VALUE);
        assert_eq!(bytes, expected, "{text}");
    }

    #[test]
    fn values_are_counted_before_they_are_parsed() {
        check("0", Some(1));
        check("[]", Some(2));
        check("[0,0,0]", Some(4));
        check(r#"{"a":0,"b":[1]}"#, Some(6));
        check("[0,0,0,0,0,0]", Some(7));
        check("[0,0,0,0,0,0,0]", None);
        check("[[[[[[[", None);
        // In a string that would exceed the limit, signs are text.
        check(r#"{"a":",,,,,,,,"}"#, Some(3));
        check(r#"{"a":"\\\",,,,,,,,"}"#, Some(3));
        check(r#"["\\",0,0,0,0,0,0]"#, None);
    }

    #[test]
    fn one_body_of_the_largest_size_fits_into_memory() {
        for max_body_bytes in [1, 25 << 20, 1 << 30, usize::MAX] {
            let limits = Limits::for_bodies_of(max_body_bytes);
            let values = limits.max_json_values * BYTES_PER_VALUE;
            let needed = max_body_bytes.saturating_mul(2).saturating_add(values);
            assert!(limits.max_buffered_bytes >= needed);
        }
    }
}
