//! A jq engine that is exact, bounded and fast.
//!
//! Programs of jq 1.8 are compiled once and run over parsed JSON documents, many programs over one
//! document. Results agree with jq 1.8.2 down to number texts, key order and the flavour of regular
//! expressions. An evaluation is bounded in steps, memory, stack, backtracking and output: there is
//! no program and no input that makes it hang, abort or panic.
//!
//! ```
//! use ocean_jq::{Document, Limits, Options, Program};
//!
//! let program = Program::compile(
//!     r#"(.fields.assignee.emailAddress // "nobody") | ascii_downcase"#,
//!     &Options::default(),
//! )?;
//! let issue = Document::parse(br#"{"fields": {"assignee": {"emailAddress": "Ann@Example.com"}}}"#)?;
//! let output = program.first(&issue.root(), &mut Limits::default())?;
//! assert_eq!(output.map(|value| value.to_serde()), Some("ann@example.com".into()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is left out
//! Modules (`import`, `include`) are compile errors. There is one input: `input` fails as at the
//! end of inputs, `inputs` is empty, `input_filename` is null. `debug` and `stderr` pass their
//! input on and print nothing. Local time is UTC. `env` and `$ENV` show what [`Options`] gives
//! them, and nothing of the process.

#![warn(missing_docs)]

mod builtins;
mod compile;
mod document;
mod error;
mod eval;
mod limits;
mod node;
mod number;
mod options;
mod program;
mod regex;
mod stack;
mod syntax;
mod value;
mod write;

pub use document::{Document, ParseError};
pub use error::{CompileError, Error};
pub use limits::{LimitKind, Limits, Usage};
pub use options::{Clock, Options};
pub use program::{PathStep, Program, normalize};
pub use value::{Entries, Items, Key, Kind, ObjectBuilder, Value};
