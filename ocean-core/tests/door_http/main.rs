//! The door over real TCP: every status and body of the contract, and hostile clients.

#![allow(clippy::unwrap_used, reason = "it is a test")]

#[path = "../door_support/mod.rs"]
mod door_support;

mod answers;
mod bodies;
mod limits;
mod operation;
mod senders;
mod support;
