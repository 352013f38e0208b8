//! The mapping, seen from outside.

mod cases;
mod differences;
mod properties;
mod refresh;
mod rules;
