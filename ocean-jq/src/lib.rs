//! A jq engine that is exact, bounded and fast.

#![allow(missing_docs, missing_debug_implementations)]

pub struct Document;
#[derive(Debug)]
pub struct ParseError;
#[derive(Clone, Copy)]
pub struct Value<'a>(&'a Document);

impl Document {
    pub fn parse(_: &[u8]) -> Result<Self, ParseError> {
        Ok(Self)
    }
    pub fn root(&self) -> Value<'_> {
        Value(self)
    }
}
impl<'a> Value<'a> {
    pub fn pointer(self, _: &str) -> Option<Value<'a>> {
        None
    }
    pub fn is_null(&self) -> bool {
        true
    }
}
