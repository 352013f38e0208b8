//! What one evaluation may use, and what it has used.

/// The bounds of one evaluation, and the account of the last one.
///
/// Exceeding a bound is an ordinary [`crate::Error`] that names it. Nothing carries over from one
/// evaluation to the next but the bounds themselves.
///
/// ```
/// use ocean_jq::{Error, LimitKind, Limits, Options, Program, Value};
///
/// let program = Program::compile("[range(1e9)]", &Options::default())?;
/// let mut limits = Limits { steps: 10_000, ..Limits::default() };
/// let error = program.first(&Value::NULL, &mut limits).unwrap_err();
/// assert!(matches!(error, Error::Limit(LimitKind::Steps)));
/// assert!(limits.usage.steps >= 10_000);
/// # Ok::<(), ocean_jq::CompileError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Limits {
    /// Evaluated nodes, produced values, compared and copied items.
    pub steps: u64,
    /// Bytes allocated for strings, arrays and objects, whether still in use or not.
    pub bytes: usize,
    /// Bytes of the real stack, counted from the call of the evaluation.
    pub stack_bytes: usize,
    /// Steps of backtracking in one search of one regular expression.
    pub regex_backtracks: usize,
    /// Bytes of all outputs together, as JSON text.
    pub output_bytes: usize,
    /// Levels of nesting of an output, so that consumers may recurse over it.
    pub output_depth: usize,
    /// What the last evaluation used.
    pub usage: Usage,
}

/// What an evaluation used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// See [`Limits::steps`].
    pub steps: u64,
    /// See [`Limits::bytes`].
    pub bytes: usize,
    /// See [`Limits::output_bytes`].
    pub output_bytes: usize,
}

impl Limits {
    /// The default of [`Limits::output_depth`].
    pub const DEFAULT_OUTPUT_DEPTH: usize = 512;
}

impl Default for Limits {
    /// A million steps, 16 MiB, and a stack that fits a thread of 2 MB.
    fn default() -> Limits {
        Limits {
            steps: 1_000_000,
            bytes: 16 << 20,
            stack_bytes: 768 << 10,
            regex_backtracks: 100_000,
            output_bytes: 16 << 20,
            output_depth: Limits::DEFAULT_OUTPUT_DEPTH,
            usage: Usage::default(),
        }
    }
}

/// Which bound was exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LimitKind {
    /// [`Limits::steps`]
    Steps,
    /// [`Limits::bytes`]
    Bytes,
    /// [`Limits::stack_bytes`]
    Stack,
    /// [`Limits::regex_backtracks`]
    RegexBacktracks,
    /// [`Limits::output_bytes`]
    OutputBytes,
    /// [`Limits::output_depth`]
    OutputDepth,
}

impl LimitKind {
    /// The name of the bound, for logs and metrics.
    ///
    /// ```
    /// assert_eq!(ocean_jq::LimitKind::Steps.name(), "steps");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            LimitKind::Steps => "steps",
            LimitKind::Bytes => "bytes",
            LimitKind::Stack => "stack_bytes",
            LimitKind::RegexBacktracks => "regex_backtracks",
            LimitKind::OutputBytes => "output_bytes",
            LimitKind::OutputDepth => "output_depth",
        }
    }
}
