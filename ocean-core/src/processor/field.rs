//! One value of an event, as conditions, required values and ordering keys read it.

use std::borrow::Cow;

use ocean_jq::Value;

use super::{Literal, Subject, Test};
use crate::event::WebhookEvent;

/// A value that is there and is not null.
pub(super) enum Field<'e> {
    /// The first value of a header.
    Header(&'e str),
    /// A value of the payload.
    Payload(Value<'e>),
}

impl<'e> Field<'e> {
    /// What `subject` leads to.
    pub(super) fn read(event: &'e WebhookEvent, subject: Subject) -> Option<Self> {
        match subject {
            Subject::Header(name) => event.headers().get(name).map(Self::Header),
            Subject::Pointer(pointer) => Self::at(event, pointer),
        }
    }

    /// What `pointer` leads to in the payload.
    pub(super) fn at(event: &'e WebhookEvent, pointer: &str) -> Option<Self> {
        event.pointer(pointer).map(Self::Payload)
    }

    /// The text, if it is text.
    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Header(text) => Some(text),
            Self::Payload(value) => value.as_str(),
        }
    }

    /// The whole number, if it is one.
    pub(super) fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Header(_) => None,
            Self::Payload(value) => value.as_i64(),
        }
    }

    /// The truth value, if it is one.
    pub(super) fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Header(_) => None,
            Self::Payload(value) => value.as_bool(),
        }
    }

    /// Its part of an ordering key. The numbers 7 and 7.0 and the text "7" are one: tools write ids
    /// in several ways, and order that is kept without need harms nobody.
    pub(super) fn key_text(&self) -> Cow<'_, str> {
        match self {
            Self::Header(text) => Cow::Borrowed(text),
            Self::Payload(value) => match (value.as_str(), value.as_i64()) {
                (Some(text), _) => Cow::Borrowed(text),
                (None, Some(number)) => Cow::Owned(number.to_string()),
                (None, None) => Cow::Owned(value.to_json_string()),
            },
        }
    }

    fn equals(&self, literal: &Literal) -> bool {
        match *literal {
            Literal::Str(text) => self.as_str() == Some(text),
            Literal::Int(number) => self.as_i64() == Some(number),
            Literal::Bool(value) => self.as_bool() == Some(value),
        }
    }
}

impl Test {
    pub(super) fn holds(&self, field: Option<&Field<'_>>) -> bool {
        let Some(field) = field else {
            return matches!(self, Self::Ne(_));
        };
        match self {
            Self::Eq(literal) => field.equals(literal),
            Self::Ne(literal) => !field.equals(literal),
            Self::In(literals) => literals.iter().any(|literal| field.equals(literal)),
            Self::Prefix(prefix) => field.as_str().is_some_and(|text| text.starts_with(prefix)),
            Self::Suffix(suffix) => field.as_str().is_some_and(|text| text.ends_with(suffix)),
        }
    }
}
