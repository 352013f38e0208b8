//! Errors: of compiling, and of evaluating.

use std::fmt;

use crate::limits::LimitKind;

/// Why a text is not a program.
///
/// ```
/// use ocean_jq::{Options, Program};
///
/// let error = Program::compile(".a | | .b", &Options::default()).unwrap_err();
/// assert_eq!((error.line(), error.column()), (1, 6));
/// assert_eq!(
///     error.to_string(),
///     "unexpected `|`, expected a term at line 1, column 6\n    .a | | .b\n         ^",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileError {
    pub(crate) message: String,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) excerpt: String,
}

impl CompileError {
    pub(crate) fn new(message: String, text: &str, at: usize) -> CompileError {
        let mut at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[at..]
            .find('\n')
            .map_or(text.len(), |newline| at + newline);
        let column = text[line_start..at].chars().count() + 1;
        let line = text[..at].matches('\n').count() + 1;
        // Long lines are cut around the caret, so that a message stays readable in a log.
        const MARGIN: usize = 60;
        let skipped = column.saturating_sub(MARGIN);
        let shown: String = text[line_start..line_end]
            .chars()
            .skip(skipped)
            .take(2 * MARGIN)
            .collect();
        let caret = " ".repeat(column - 1 - skipped.min(column - 1));
        CompileError {
            message,
            line,
            column,
            excerpt: format!("    {shown}\n    {caret}^"),
        }
    }

    /// The line of the error, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column of the error in characters, from 1.
    pub fn column(&self) -> usize {
        self.column
    }

    /// What was found and what was expected, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The line of the program with a caret below the place.
    pub fn excerpt(&self) -> &str {
        &self.excerpt
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CompileError {
            message,
            line,
            column,
            excerpt,
        } = self;
        write!(f, "{message} at line {line}, column {column}\n{excerpt}")
    }
}

impl std::error::Error for CompileError {}

/// Why an evaluation ended without (further) output.
///
/// ```
/// use ocean_jq::{Error, Limits, Options, Program, Value};
///
/// let program = Program::compile(r#""x" | .a"#, &Options::default())?;
/// match program.first(&Value::NULL, &mut Limits::default()) {
///     Err(Error::Raised { message, .. }) => {
///         assert_eq!(message, r#"Cannot index string with string ("a")"#);
///     }
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), ocean_jq::CompileError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The program raised an error, by itself or with `error`.
    Raised {
        /// What jq would print after `jq: error: `.
        message: String,
        /// The value that was raised; for errors of builtins the message as a string.
        value: Box<serde_json::Value>,
    },
    /// The evaluation exceeded one of its [`crate::Limits`].
    Limit(LimitKind),
    /// The program stopped itself with `halt` or `halt_error`.
    Halt {
        /// The exit code asked for.
        exit_code: i32,
        /// The value given to `halt_error`.
        value: Option<Box<serde_json::Value>>,
    },
    /// `break` outside its label, which jq reports as the error `break`.
    Break,
}

impl Error {
    /// The bound that was exceeded, when that is the reason.
    pub fn limit(&self) -> Option<LimitKind> {
        match self {
            Error::Limit(kind) => Some(*kind),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Raised { message, .. } => f.write_str(message),
            Error::Limit(kind) => write!(f, "evaluation exceeded its limit `{}`", kind.name()),
            Error::Halt { exit_code, .. } => write!(f, "program halted with code {exit_code}"),
            Error::Break => f.write_str("break"),
        }
    }
}

impl std::error::Error for Error {}
