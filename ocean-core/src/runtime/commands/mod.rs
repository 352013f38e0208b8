//! The commands besides `run`. They print to standard output and fail with `anyhow`: they are
//! every integration's `main`.

mod check;
mod dev;
mod entities;
pub(super) mod events;
mod map;
mod processors;
mod simulate;
mod table;
