//! Live events for Port.
