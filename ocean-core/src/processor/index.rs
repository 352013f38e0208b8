//! The filter index: finds the processors an event is for without asking each.

/// Finds the processors an event is for without asking each.
#[derive(Debug)]
pub struct Index;
