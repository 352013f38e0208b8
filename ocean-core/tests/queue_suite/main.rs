//! The queue from outside: its contract, the embedded store's own promises, and crashes.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a step that fails is a test that fails, in helpers too; long runs report their total"
)]

mod contract;
mod crash;
mod failure;
mod operators;
mod replays;
mod store;
mod support;
