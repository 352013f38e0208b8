//! The one integration-test binary: the real binaries as processes, stand-ins of Port and the tools
//! in this one.

mod commands;
mod crash;
mod door;
mod fates;
mod guide;
mod house;
mod jira;
mod support;
