//! The processors, one file a resource.

pub mod branch;
pub mod code_scanning_alert;
pub mod collaborator;
pub mod dependabot_alert;
pub mod deployment;
pub mod environment;
pub mod issue;
pub mod pull_request;
pub mod release;
pub mod repository;
pub mod tag;
pub mod team;
pub mod user;
pub mod workflow;
pub mod workflow_run;
