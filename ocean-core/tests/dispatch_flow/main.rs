//! Dispatch from the feed to the fate, on paused time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod catalog;
mod failures;
mod fates;
mod order;
mod queue;
mod restarts;
mod trials;
mod world;
