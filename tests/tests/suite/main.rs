//! The one integration-test binary: the real binaries as processes, stand-ins of Port and the tools
//! in this one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod commands;
mod crash;
mod dev;
mod door;
mod fates;
mod github;
mod guide;
mod house;
mod jira;
mod stream;
mod support;
