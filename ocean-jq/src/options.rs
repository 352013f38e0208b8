//! What a program is compiled with: its view of the outside world.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The outside world as a program sees it. Nothing is read from the process.
///
/// ```
/// use ocean_jq::{Limits, Options, Program, Value};
///
/// let mut options = Options::default();
/// options.env.insert("REGION".to_owned(), "eu".to_owned());
/// options.variables.insert("limit".to_owned(), serde_json::json!(3));
/// let program = Program::compile(r#""\($ENV.REGION)-\($limit)""#, &options)?;
/// let output = program.first(&Value::NULL, &mut Limits::default())?;
/// assert_eq!(output.map(|value| value.to_serde()), Some(serde_json::json!("eu-3")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What `env` and `$ENV` give; empty by default.
    pub env: BTreeMap<String, String>,
    /// Global variables by name without the `$`.
    pub variables: BTreeMap<String, serde_json::Value>,
    /// What `now` reads.
    pub clock: Clock,
}

/// The clock behind `now`: the system's, or one that a test sets.
///
/// ```
/// use ocean_jq::{Clock, Limits, Options, Program, Value};
///
/// let options = Options { clock: Clock::fixed(1_700_000_000.0), ..Options::default() };
/// let program = Program::compile("now | todate", &options)?;
/// let output = program.first(&Value::NULL, &mut Limits::default())?;
/// assert_eq!(output.map(|value| value.to_serde()), Some("2023-11-14T22:13:20Z".into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> f64 + Send + Sync>);

impl Clock {
    /// A clock that asks a function for the seconds since 1970.
    pub fn new(seconds: impl Fn() -> f64 + Send + Sync + 'static) -> Clock {
        Clock(Arc::new(seconds))
    }

    /// A clock that stands still.
    pub fn fixed(seconds: f64) -> Clock {
        Clock::new(move || seconds)
    }

    pub(crate) fn seconds(&self) -> f64 {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new(|| match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(elapsed) => elapsed.as_micros() as f64 / 1e6,
            Err(before) => -(before.duration().as_micros() as f64 / 1e6),
        })
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
