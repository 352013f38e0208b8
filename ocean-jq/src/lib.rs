//! A jq engine that is exact, bounded and fast.

#![allow(missing_docs, missing_debug_implementations)]

#[derive(Debug)]
pub struct Document(serde_json::Value);
#[derive(Debug)]
pub struct ParseError(serde_json::Error);
impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
#[derive(Clone, Copy, Debug)]
pub struct Value<'a>(&'a serde_json::Value);
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl Document {
    pub fn parse(b: &[u8]) -> Result<Self, ParseError> {
        serde_json::from_slice(b).map(Self).map_err(ParseError)
    }
    pub fn root(&self) -> Value<'_> {
        Value(&self.0)
    }
}
impl<'a> Value<'a> {
    pub fn pointer(self, p: &str) -> Option<Value<'a>> {
        self.0.pointer(p).map(Value)
    }
    pub fn is_null(&self) -> bool {
        self.0.is_null()
    }
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_str()
    }
    pub fn kind(&self) -> Kind {
        match self.0 {
            serde_json::Value::Null => Kind::Null,
            serde_json::Value::Bool(_) => Kind::Boolean,
            serde_json::Value::Number(_) => Kind::Number,
            serde_json::Value::String(_) => Kind::String,
            serde_json::Value::Array(_) => Kind::Array,
            serde_json::Value::Object(_) => Kind::Object,
        }
    }
    pub fn to_json_string(&self) -> String {
        self.0.to_string()
    }
}
