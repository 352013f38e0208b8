//! Procedural macros of Ocean for Rust.
