//! The processors, one file a resource.

pub mod task;
