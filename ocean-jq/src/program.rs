//! Programs: compiled once, run as often as wanted, from any thread.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::compile;
use crate::error::{CompileError, Error};
use crate::eval::{Ctx, Env, Stop, StopKind};
use crate::limits::{LimitKind, Limits};
use crate::node::{Code, Op, Step};
use crate::options::Options;
use crate::value::{Repr, Value};
use crate::write::excerpt;

/// A compiled jq program. Cloning shares the code.
///
/// ```
/// use ocean_jq::{Document, Limits, Options, Program};
///
/// let program = Program::compile(".labels | map(ascii_upcase) | join(\"-\")", &Options::default())?;
/// let document = Document::parse(br#"{"labels": ["infra", "sec"]}"#)?;
/// let output = program.first(&document.root(), &mut Limits::default())?;
/// assert_eq!(output.map(|value| value.to_serde()), Some("INFRA-SEC".into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Many programs run over one parsed document; values borrow both:
///
/// ```
/// use ocean_jq::{Document, Limits, Options, Program};
///
/// let document = Document::parse(br#"{"key": "OPS-7", "fields": {"done": false}}"#)?;
/// let issue = document.root();
/// let mut entity = serde_json::Map::new();
/// for (property, text) in [("identifier", ".key"), ("open", ".fields.done | not")] {
///     let program = Program::compile(text, &Options::default())?;
///     if let Some(value) = program.first(&issue, &mut Limits::default())? {
///         entity.insert(property.to_owned(), value.to_serde());
///     }
/// }
/// assert_eq!(serde_json::Value::from(entity), serde_json::json!({"identifier": "OPS-7", "open": true}));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Program(Arc<Inner>);

struct Inner {
    text: Box<str>,
    code: Code,
}

/// A step of a path that a program consists of, see [`Program::as_path`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum PathStep<'p> {
    /// `.name`
    Key(&'p str),
    /// `[n]`
    Index(f64),
    /// `[from:to]`
    Slice(Option<f64>, Option<f64>),
}

// === impl Program ===

impl Program {
    /// Compiles a program.
    ///
    /// # Errors
    /// The text is not a jq program, or uses a name that is not defined. Modules (`import`,
    /// `include`) are not supported.
    pub fn compile(text: &str, options: &Options) -> Result<Program, CompileError> {
        let code = compile::compile(text, options)?;
        Ok(Program(Arc::new(Inner {
            text: text.into(),
            code,
        })))
    }

    /// The text it was compiled from.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The first output, evaluated lazily: what would follow it is not.
    ///
    /// ```
    /// use ocean_jq::{Limits, Options, Program, Value};
    ///
    /// let program = Program::compile(r#"1, error("never")"#, &Options::default())?;
    /// let output = program.first(&Value::NULL, &mut Limits::default())?;
    /// assert_eq!(output.and_then(|value| value.as_f64()), Some(1.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The program raises an error, halts, or exceeds a limit before its first output.
    pub fn first<'a>(
        &'a self,
        input: &Value<'a>,
        limits: &mut Limits,
    ) -> Result<Option<Value<'a>>, Error> {
        let mut first = None;
        self.each(input, limits, |value| {
            first = Some(value);
            ControlFlow::Break(())
        })?;
        Ok(first)
    }

    /// All outputs.
    ///
    /// ```
    /// use ocean_jq::{Document, Limits, Options, Program};
    ///
    /// let program = Program::compile(".[] | select(. > 1)", &Options::default())?;
    /// let document = Document::parse(b"[1, 2, 3]")?;
    /// assert_eq!(program.all(&document.root(), &mut Limits::default())?.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The program raises an error, halts, or exceeds a limit; its outputs before are lost. Use
    /// [`Program::each`] to keep them.
    pub fn all<'a>(
        &'a self,
        input: &Value<'a>,
        limits: &mut Limits,
    ) -> Result<Vec<Value<'a>>, Error> {
        let mut all = Vec::new();
        self.each(input, limits, |value| {
            all.push(value);
            ControlFlow::Continue(())
        })?;
        Ok(all)
    }

    /// Hands every output to a function, until that says to stop.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use ocean_jq::{Limits, Options, Program, Value};
    ///
    /// let program = Program::compile(r#"1, 2, error("x")"#, &Options::default())?;
    /// let mut seen = 0;
    /// let result = program.each(&Value::NULL, &mut Limits::default(), |_| {
    ///     seen += 1;
    ///     ControlFlow::Continue(())
    /// });
    /// assert_eq!((seen, result.is_err()), (2, true));
    /// # Ok::<(), ocean_jq::CompileError>(())
    /// ```
    ///
    /// # Errors
    /// The program raises an error, halts, or exceeds a limit.
    pub fn each<'a>(
        &'a self,
        input: &Value<'a>,
        limits: &mut Limits,
        mut sink: impl FnMut(Value<'a>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let code = &self.0.code;
        let mut ctx = Ctx::new(code, limits);
        let mut output = Output { bytes: 0, limits };
        let env = Env::root();
        let mut stopped = false;
        let result = if code.main.single {
            ctx.one(&code.main, &env, input.clone()).and_then(|value| {
                output.admit(&value).map_err(Stop::limit)?;
                let _ = sink(value);
                Ok(())
            })
        } else {
            ctx.many(&code.main, &env, input.clone(), &mut |_, value| {
                output.admit(&value).map_err(Stop::limit)?;
                match sink(value) {
                    ControlFlow::Continue(()) => Ok(()),
                    ControlFlow::Break(()) => {
                        stopped = true;
                        // Nothing catches a limit, so nothing goes on after the sink has enough.
                        Err(Stop::limit(LimitKind::OutputBytes))
                    }
                }
            })
        };
        let output_bytes = output.bytes;
        limits.usage = ctx.usage(limits);
        limits.usage.output_bytes = output_bytes;
        match result {
            Err(_) if stopped => Ok(()),
            Err(stop) => Err(stop.into_error()),
            Ok(()) => Ok(()),
        }
    }

    /// The value of a program that is a constant, such as `"issue"` or `[1, 2]`.
    ///
    /// ```
    /// use ocean_jq::{Options, Program};
    ///
    /// let program = Program::compile(r#""jira" + "Issue""#, &Options::default())?;
    /// assert_eq!(program.const_value().map(|value| value.to_serde()), Some("jiraIssue".into()));
    /// assert!(Program::compile(".key", &Options::default())?.const_value().is_none());
    /// # Ok::<(), ocean_jq::CompileError>(())
    /// ```
    pub fn const_value(&self) -> Option<Value<'_>> {
        self.0.code.main.constant().map(|constant| constant.value())
    }

    /// The steps of a program that is a plain path, such as `.fields.status.name`.
    ///
    /// ```
    /// use ocean_jq::{Options, PathStep, Program};
    ///
    /// let program = Program::compile(".fields.labels[0]", &Options::default())?;
    /// let path = [PathStep::Key("fields"), PathStep::Key("labels"), PathStep::Index(0.0)];
    /// assert_eq!(program.as_path().as_deref(), Some(path.as_slice()));
    /// assert_eq!(Program::compile(".", &Options::default())?.as_path(), Some(vec![]));
    /// # Ok::<(), ocean_jq::CompileError>(())
    /// ```
    pub fn as_path(&self) -> Option<Vec<PathStep<'_>>> {
        let steps = match &self.0.code.main.op {
            Op::Identity => return Some(Vec::new()),
            Op::Path(steps) => steps,
            _ => return None,
        };
        if steps.iter().any(Step::is_optional) {
            return None;
        }
        Some(
            steps
                .iter()
                .map(|step| match step {
                    Step::Key { name, .. } => PathStep::Key(name),
                    Step::Item { index, .. } => PathStep::Index(*index),
                    Step::Slice { from, to, .. } => PathStep::Slice(*from, *to),
                })
                .collect(),
        )
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Program").field(&self.0.text).finish()
    }
}

const _: fn() = || {
    fn assert_send_sync<T: Send + Sync>() {}
    assert_send_sync::<Program>();
};

/// Printing recurses with large frames, so it takes fewer levels than parsing.
const MAX_PRINTED_DEPTH: u32 = 200;

/// The program in a normal form: the printed text compiles to an equal program.
///
/// ```
/// assert_eq!(ocean_jq::normalize(".a|.b+1 # comment")?, ".a | .b + 1");
/// # Ok::<(), ocean_jq::CompileError>(())
/// ```
///
/// # Errors
/// The text is not a jq program, or nested deeper than 200 levels. Names are not looked up.
pub fn normalize(text: &str) -> Result<String, CompileError> {
    let tree = crate::syntax::parse(text)?;
    if tree.depth > MAX_PRINTED_DEPTH {
        let message = "the program is nested too deeply to be printed".to_owned();
        return Err(CompileError::new(message, text, 0));
    }
    Ok(tree.to_string())
}

/// Keeps account of what leaves an evaluation.
struct Output<'l> {
    bytes: usize,
    limits: &'l Limits,
}

// === impl Output ===

impl Output<'_> {
    /// Measures a value; parts of documents know their size already.
    #[inline]
    fn admit(&mut self, value: &Value<'_>) -> Result<(), LimitKind> {
        self.count(value)?;
        if is_owned_container(value) {
            if self.limits.output_depth == 0 {
                return Err(LimitKind::OutputDepth);
            }
            self.admit_inside(value)?;
        }
        Ok(())
    }

    fn count(&mut self, value: &Value<'_>) -> Result<(), LimitKind> {
        self.bytes = self.bytes.saturating_add(shallow_size(value));
        if self.bytes > self.limits.output_bytes {
            return Err(LimitKind::OutputBytes);
        }
        Ok(())
    }

    /// Measures what an owned container holds, without recursion.
    fn admit_inside(&mut self, value: &Value<'_>) -> Result<(), LimitKind> {
        let mut open = vec![(value.clone(), 0)];
        while let Some((container, at)) = open.last_mut() {
            let Some(item) = container.item_at(*at) else {
                open.pop();
                continue;
            };
            *at += 1;
            self.count(&item)?;
            if is_owned_container(&item) {
                if open.len() >= self.limits.output_depth {
                    return Err(LimitKind::OutputDepth);
                }
                open.push((item, 0));
            }
        }
        Ok(())
    }
}

fn is_owned_container(value: &Value<'_>) -> bool {
    matches!(value.0, Repr::ArrOwn(_) | Repr::ObjOwn(_))
}

/// Bytes of JSON text without the items of an owned container.
fn shallow_size(value: &Value<'_>) -> usize {
    match &value.0 {
        Repr::Null | Repr::Bool(_) => 4,
        Repr::Num(_) => 8,
        Repr::LitRef(text) => text.len(),
        Repr::LitOwn(text) => text.len(),
        Repr::StrRef(text) => text.len() + 2,
        Repr::StrOwn(text) => text.len() + 2,
        Repr::ArrRef(document, node) | Repr::ObjRef(document, node) => document.extent(*node),
        Repr::ArrOwn(cell) => 2 + cell.items.len(),
        Repr::ObjOwn(cell) => 2 + cell.map.iter().map(|(key, _)| key.len() + 4).sum::<usize>(),
    }
}

// === impl Stop ===

impl Stop<'_> {
    fn into_error(self) -> Error {
        match *self.0 {
            StopKind::Error(value) if is_break(&value) => Error::Break,
            StopKind::Error(value) => {
                let message = match value.as_str() {
                    Some(text) => text.to_owned(),
                    None => format!("{} (not a string)", excerpt(&value, 200)),
                };
                Error::Raised {
                    message,
                    value: Box::new(value.to_serde()),
                }
            }
            StopKind::Enough(_) => Error::Break,
            StopKind::Limit(kind) => Error::Limit(kind),
            StopKind::Halt { exit_code, value } => Error::Halt {
                exit_code,
                value: value.map(|value| Box::new(value.to_serde())),
            },
        }
    }
}

fn is_break(value: &Value<'_>) -> bool {
    value.len() == Some(1) && value.get("__jq").is_some()
}
