//! Builtins on values, by subject. What takes filters lives with the evaluator.

pub(crate) mod collections;
pub(crate) mod core;
pub(crate) mod dates;
pub(crate) mod formats;
pub(crate) mod math;
mod strftime;
mod strptime;
pub(crate) mod text;
