//! The evaluator.
//!
//! Nodes with exactly one output run as plain functions ([`one`]); generators push their outputs
//! into a callback ([`many`]). Frames of variables, closures and labels are a linked list on the
//! Rust stack. Every node costs a step and checks the real stack, so no program can run, recurse
//! or allocate without a bound. There is no state besides the [`Ctx`] of the evaluation.

pub(crate) mod access;
mod bindings;
pub(crate) mod compare;
mod folds;
mod loops;
mod many;
mod one;
pub(crate) mod ops;
mod paths;
mod place;
mod special;
mod streams;
mod strings;
mod update;
mod walks;

use crate::limits::{LimitKind, Limits, Usage};
use crate::node::{Code, Node};
use crate::regex::Regex;
use crate::stack;
use crate::value::{Key, Map, Repr, Value};
use crate::write::{JsonWriter, excerpt};

/// Why an evaluation stops; one word, so that results stay as small as values.
#[derive(Debug)]
pub(crate) struct Stop<'a>(pub(crate) Box<StopKind<'a>>);

#[derive(Debug)]
pub(crate) enum StopKind<'a> {
    /// A jq error, which `try` catches. `break` is one too, with an object that names its label.
    Error(Value<'a>),
    /// A builtin has seen enough outputs; nothing catches it but the builtin.
    Enough(u64),
    Limit(LimitKind),
    Halt {
        exit_code: i32,
        value: Option<Value<'a>>,
    },
}

pub(crate) type Res<'a> = Result<Value<'a>, Stop<'a>>;
pub(crate) type Flow<'a> = Result<(), Stop<'a>>;
/// Where a generator pushes its outputs.
pub(crate) type Out<'o, 'a> = &'o mut dyn FnMut(&mut Ctx<'a>, Value<'a>) -> Flow<'a>;

/// The state of one evaluation.
pub(crate) struct Ctx<'a> {
    pub(crate) code: &'a Code,
    steps_left: u64,
    bytes_left: usize,
    stack_floor: usize,
    pub(crate) regex_backtracks: usize,
    next_mark: u64,
    /// Levels of the comparison under way.
    depth: usize,
    /// Regexes that are not constants of the program, compiled once per evaluation.
    pub(crate) regexes: Vec<(String, std::sync::Arc<Regex>)>,
}

/// Frames of variables, closures and labels.
pub(crate) struct Env<'e, 'a> {
    frame: Frame<'e, 'a>,
    parent: Option<&'e Env<'e, 'a>>,
}

enum Frame<'e, 'a> {
    Root,
    Var(Value<'a>),
    Vars(&'e [Value<'a>]),
    Args(&'e [Closure<'e, 'a>]),
    Label(u64),
}

/// A filter and the frames it was written in.
#[derive(Clone, Copy)]
pub(crate) struct Closure<'e, 'a> {
    node: &'a Node,
    env: &'e Env<'e, 'a>,
}

// === impl Stop ===

impl<'a> Stop<'a> {
    pub(crate) fn error(value: Value<'a>) -> Stop<'a> {
        Stop(Box::new(StopKind::Error(value)))
    }

    pub(crate) fn message(message: impl Into<String>) -> Stop<'a> {
        Stop::error(Value::string(message))
    }

    pub(crate) fn limit(kind: LimitKind) -> Stop<'a> {
        Stop(Box::new(StopKind::Limit(kind)))
    }

    fn enough(mark: u64) -> Stop<'a> {
        Stop(Box::new(StopKind::Enough(mark)))
    }

    fn is_enough(&self, wanted: u64) -> bool {
        matches!(*self.0, StopKind::Enough(mark) if mark == wanted)
    }

    /// The error value, when `try` may catch it.
    fn into_caught(self) -> Result<Value<'a>, Stop<'a>> {
        match *self.0 {
            StopKind::Error(value) => Ok(value),
            kind => Err(Stop(Box::new(kind))),
        }
    }

    fn is_error(&self) -> bool {
        matches!(*self.0, StopKind::Error(_))
    }
}

/// How values are shown in error messages: the reference's buffer has 30 bytes.
const EXCERPT: usize = 30;

/// `kind (value)` as error messages have it.
pub(crate) fn describe(value: &Value<'_>) -> String {
    format!("{} ({})", value.kind().name(), excerpt(value, EXCERPT))
}

/// `kind (value) problem`
pub(crate) fn type_error<'a>(value: &Value<'a>, problem: &str) -> Stop<'a> {
    Stop::message(format!("{} {problem}", describe(value)))
}

/// `kind (left) and kind (right) problem`
pub(crate) fn type_error2<'a>(left: &Value<'a>, right: &Value<'a>, problem: &str) -> Stop<'a> {
    Stop::message(format!(
        "{} and {} {problem}",
        describe(left),
        describe(right)
    ))
}

// === impl Env ===

impl<'e, 'a> Env<'e, 'a> {
    pub(crate) fn root() -> Env<'e, 'a> {
        Env {
            frame: Frame::Root,
            parent: None,
        }
    }

    fn up(&'e self, hops: usize) -> &'e Env<'e, 'a> {
        let mut env = self;
        for _ in 0..hops {
            match env.parent {
                Some(parent) => env = parent,
                None => break,
            }
        }
        env
    }

    fn variable(&self, hops: usize, slot: usize) -> Value<'a> {
        match &self.up(hops).frame {
            Frame::Var(value) => value.clone(),
            Frame::Vars(values) => values.get(slot).cloned().unwrap_or(Value::NULL),
            _ => Value::NULL,
        }
    }

    fn argument(&'e self, hops: usize, index: usize) -> Option<Closure<'e, 'a>> {
        match &self.up(hops).frame {
            Frame::Args(closures) => closures.get(index).copied(),
            _ => None,
        }
    }

    fn label(&self, hops: usize) -> u64 {
        match &self.up(hops).frame {
            Frame::Label(mark) => *mark,
            _ => 0,
        }
    }
}

// === impl Ctx ===

impl<'a> Ctx<'a> {
    pub(crate) fn new(code: &'a Code, limits: &Limits) -> Ctx<'a> {
        Ctx {
            code,
            steps_left: limits.steps,
            bytes_left: limits.bytes,
            stack_floor: stack::floor(limits.stack_bytes),
            regex_backtracks: limits.regex_backtracks,
            next_mark: 0,
            depth: 0,
            regexes: Vec::new(),
        }
    }

    pub(crate) fn usage(&self, limits: &Limits) -> Usage {
        Usage {
            steps: limits.steps - self.steps_left,
            bytes: limits.bytes - self.bytes_left,
            output_bytes: 0,
        }
    }

    /// A step, and a look at the stack.
    #[inline(always)]
    pub(crate) fn tick(&mut self) -> Flow<'a> {
        if self.steps_left == 0 || stack::is_below(self.stack_floor) {
            return Err(self.exhausted());
        }
        self.steps_left -= 1;
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn exhausted(&self) -> Stop<'a> {
        Stop::limit(if self.steps_left == 0 {
            LimitKind::Steps
        } else {
            LimitKind::Stack
        })
    }

    /// Several steps at once, for loops inside builtins.
    #[inline]
    pub(crate) fn work(&mut self, steps: usize) -> Flow<'a> {
        match self.steps_left.checked_sub(steps as u64) {
            Some(left) => {
                self.steps_left = left;
                Ok(())
            }
            None => {
                self.steps_left = 0;
                Err(Stop::limit(LimitKind::Steps))
            }
        }
    }

    /// Accounts for memory before it is allocated.
    #[inline]
    pub(crate) fn charge(&mut self, bytes: usize) -> Flow<'a> {
        match self.bytes_left.checked_sub(bytes) {
            Some(left) => {
                self.bytes_left = left;
                Ok(())
            }
            None => {
                self.bytes_left = 0;
                Err(Stop::limit(LimitKind::Bytes))
            }
        }
    }

    pub(crate) fn stack_floor(&self) -> usize {
        self.stack_floor
    }

    pub(crate) fn check_stack(&self) -> Flow<'a> {
        if stack::is_below(self.stack_floor) {
            return Err(Stop::limit(LimitKind::Stack));
        }
        Ok(())
    }

    /// Accounts for the items of a container about to be built.
    #[inline]
    pub(crate) fn charge_items(&mut self, count: usize) -> Flow<'a> {
        self.charge(count.saturating_mul(size_of::<Value<'_>>()))?;
        self.work(count / 8)
    }

    fn mark(&mut self) -> u64 {
        self.next_mark += 1;
        self.next_mark - 1
    }

    /// A string that was just built.
    pub(crate) fn string(&mut self, text: String) -> Res<'a> {
        self.charge(text.len() + size_of::<String>())?;
        Ok(Value::string(text))
    }

    pub(crate) fn array(&mut self, items: Vec<Value<'a>>) -> Res<'a> {
        self.charge_items(items.len() + 2)?;
        Ok(Value::array(items))
    }

    pub(crate) fn object(&mut self, map: Map<'a>) -> Res<'a> {
        self.charge(map.len().saturating_mul(size_of::<(Key<'_>, Value<'_>)>()) + 48)?;
        self.work(map.len() / 8)?;
        Ok(Value::object(map))
    }

    /// The JSON text of a value, within the limit of memory.
    pub(crate) fn json_of(&mut self, value: &Value<'a>) -> Result<String, Stop<'a>> {
        let mut text = String::new();
        let complete = JsonWriter::bounded(self.bytes_left).write(value, &mut text);
        self.charge(text.len())?;
        self.work(text.len() / 64)?;
        if complete {
            Ok(text)
        } else {
            Err(Stop::limit(LimitKind::Bytes))
        }
    }

    /// The text of a string, or the JSON text of anything else.
    pub(crate) fn text_of(&mut self, value: Value<'a>) -> Res<'a> {
        match value.0 {
            Repr::StrRef(_) | Repr::StrOwn(_) => Ok(value),
            _ => {
                let text = self.json_of(&value)?;
                Ok(Value::string(text))
            }
        }
    }

    /// Runs a generator until its consumer has seen enough.
    fn until_enough(&mut self, run: impl FnOnce(&mut Ctx<'a>, u64) -> Flow<'a>) -> Flow<'a> {
        let mark = self.mark();
        match run(self, mark) {
            Err(stop) if stop.is_enough(mark) => Ok(()),
            result => result,
        }
    }

    /// The first output of a node.
    pub(crate) fn first_of(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
    ) -> Result<Option<Value<'a>>, Stop<'a>> {
        if node.single {
            return self.one(node, env, input).map(Some);
        }
        let mut first = None;
        self.until_enough(|ctx, mark| {
            ctx.many(node, env, input, &mut |_, value| {
                first = Some(value);
                Err(Stop::enough(mark))
            })
        })?;
        Ok(first)
    }

    /// All outputs of a node.
    pub(crate) fn collect(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
    ) -> Result<Vec<Value<'a>>, Stop<'a>> {
        if node.single {
            return Ok(vec![self.one(node, env, input)?]);
        }
        let mut items = Vec::new();
        self.many(node, env, input, &mut |ctx, value| {
            ctx.charge(size_of::<Value<'_>>())?;
            items.push(value);
            Ok(())
        })?;
        Ok(items)
    }
}
