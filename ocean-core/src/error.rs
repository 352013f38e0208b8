//! Errors by what the caller does with them.

use std::{borrow::Cow, error::Error, fmt, time::Duration};

type Source = Box<dyn Error + Send + Sync>;

/// What dispatch does with a failed run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorClass {
    /// Try again later: the fault is expected to pass.
    Retry,
    /// Trying again cannot help; the event becomes a dead letter.
    Permanent,
    /// The event does not concern this processor after all; it ends without effect.
    Drop,
    /// The event failed authentication, validation or decoding; it becomes a dead letter at once.
    Rejected,
}

/// Why a processor run failed, and what follows from it.
///
/// A processor's own error type says so once, by `impl From<JiraError> for ProcessorError`.
///
/// ```
/// use ocean_core::{ErrorClass, ProcessorError};
///
/// let error = ProcessorError::retry("jira answered 503");
/// assert_eq!(error.class(), ErrorClass::Retry);
/// ```
#[derive(Debug)]
pub struct ProcessorError {
    class: ErrorClass,
    source: Source,
    retry_after: Option<Duration>,
    pause: bool,
}

impl ProcessorError {
    /// A fault that is expected to pass: the run is repeated with growing delays.
    pub fn retry(error: impl Into<Source>) -> Self {
        Self::of(ErrorClass::Retry, error)
    }

    /// As [`retry`](Self::retry), not before `delay` is over: the tool's `Retry-After`.
    pub fn retry_after(error: impl Into<Source>, delay: Duration) -> Self {
        Self {
            retry_after: Some(delay),
            ..Self::retry(error)
        }
    }

    /// An outage of a whole service: the run is repeated after `delay` and the wait does not count
    /// against the retries.
    pub fn unavailable(error: impl Into<Source>, delay: Duration) -> Self {
        Self {
            retry_after: Some(delay),
            pause: true,
            ..Self::retry(error)
        }
    }

    /// A fault that trying again cannot mend: the event becomes a dead letter.
    pub fn permanent(error: impl Into<Source>) -> Self {
        Self::of(ErrorClass::Permanent, error)
    }

    /// The event does not concern the processor: it ends without effect, with this reason.
    pub fn drop(reason: impl Into<Source>) -> Self {
        Self::of(ErrorClass::Drop, reason)
    }

    fn of(class: ErrorClass, error: impl Into<Source>) -> Self {
        Self {
            class,
            source: error.into(),
            retry_after: None,
            pause: false,
        }
    }

    /// What follows from the error.
    pub fn class(&self) -> ErrorClass {
        self.class
    }

    /// Whether a retry is expected to help.
    pub fn is_retryable(&self) -> bool {
        self.class == ErrorClass::Retry
    }

    /// The least delay before the next attempt, if the tool named one.
    pub fn delay(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether the wait is an outage that must not use up retries.
    pub fn is_outage(&self) -> bool {
        self.pause
    }

    /// The error and all its sources, outermost first.
    pub fn chain(&self) -> Vec<String> {
        let mut chain = vec![self.source.to_string()];
        let mut next = self.source.source();
        while let Some(error) = next {
            let text = error.to_string();
            // Many errors repeat their source in their own text; twice says nothing more.
            if !chain.last().is_some_and(|last| last.ends_with(&text)) {
                chain.push(text);
            }
            next = error.source();
        }
        chain
    }
}

impl fmt::Display for ProcessorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.chain().join(": "))
    }
}

impl Error for ProcessorError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}

impl From<Rejection> for ProcessorError {
    fn from(rejection: Rejection) -> Self {
        Self::of(ErrorClass::Rejected, rejection)
    }
}

impl From<std::convert::Infallible> for ProcessorError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl From<serde_json::Error> for ProcessorError {
    fn from(error: serde_json::Error) -> Self {
        Self::permanent(error)
    }
}

// === Rejection ===

/// Why an event is not let through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The sender is not who it should be.
    #[error("not authenticated: {0}")]
    Unauthenticated(Cow<'static, str>),
    /// The payload has not the required shape.
    #[error("invalid payload: {0}")]
    Invalid(Cow<'static, str>),
}

impl Rejection {
    /// The sender is not who it should be.
    pub fn unauthenticated(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Unauthenticated(reason.into())
    }

    /// The payload has not the required shape.
    pub fn invalid(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(reason.into())
    }
}

// === StartError ===

/// Everything that keeps an integration from starting, found in one go.
///
/// ```
/// use ocean_core::StartError;
///
/// let mut problems = StartError::default();
/// problems.add("no setting `OCEAN__PORT__CLIENT_ID`; set it to your Port client id");
/// assert!(problems.into_result(()).is_err());
/// ```
#[derive(Debug, Default, thiserror::Error)]
pub struct StartError {
    problems: Vec<String>,
}

impl StartError {
    /// The one problem.
    pub fn new(problem: impl fmt::Display) -> Self {
        Self {
            problems: vec![problem.to_string()],
        }
    }

    /// Adds a problem: name the thing and the fix.
    pub fn add(&mut self, problem: impl fmt::Display) {
        self.problems.push(problem.to_string());
    }

    /// Adds all problems of `other`.
    pub fn extend(&mut self, other: Self) {
        self.problems.extend(other.problems);
    }

    /// `value`, unless a problem was added.
    ///
    /// # Errors
    /// All problems added so far.
    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.problems.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }

    /// The problems, in the order found.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.problems {
            [problem] => f.write_str(problem),
            problems => {
                write!(f, "{} problems", problems.len())?;
                problems
                    .iter()
                    .try_for_each(|problem| write!(f, "\n  - {problem}"))
            }
        }
    }
}
