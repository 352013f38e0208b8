//! The mapping, seen from outside.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests stop as tests do, with the line"
)]

mod cases;
mod differences;
mod properties;
mod refresh;
mod rules;
