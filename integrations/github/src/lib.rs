//! The integration.
