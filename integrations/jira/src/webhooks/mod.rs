//! The processors, one file a resource.

pub mod board;
pub mod issue;
pub mod project;
pub mod sprint;
pub mod user;
pub mod version;
pub mod worklog;
