//! Programs: jq text compiled once, by whoever in the mapping asks for it first, and run under the
//! engine's limits and those of the event as a whole.

use std::{collections::HashMap, sync::Arc};

use ocean_jq::{LimitKind, Limits, Options, Value};
use serde_json::{Map, Value as Json};

use super::{compile::Leaf, plan::Finding, quotes};

/// A compiled program; clones are the same program.
#[derive(Clone, Debug)]
pub(super) struct Program(ocean_jq::Program);

/// The program, or why there is none.
pub(super) type Compiled = Result<Program, Arc<str>>;

/// Why a program has no output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The program itself failed, or did not compile.
    Error(Arc<str>),
    /// It exceeded this limit.
    Limit(String),
}

impl Program {
    /// The text that the program gives whatever the input, if it is text.
    pub(super) fn constant(&self) -> Option<Arc<str>> {
        self.0.const_value()?.as_str().map(Arc::from)
    }

    /// The first output, if there is any. What it uses is taken from `budget`.
    pub(super) fn first<'a>(
        &'a self,
        input: &Value<'a>,
        budget: &mut Budget,
    ) -> Result<Option<Value<'a>>, Fault> {
        let mut limits = budget.limits();
        let first = self.0.first(input, &mut limits);
        budget.spend(&limits);
        first.map_err(|error| match error.limit() {
            Some(limit) => Fault::Limit(budget.name(limit, &limits)),
            None => Fault::Error(error.to_string().into()),
        })
    }
}

impl Leaf {
    /// The first output of the leaf's program, if there is any.
    pub(super) fn first<'a>(
        &'a self,
        input: &Value<'a>,
        budget: &mut Budget,
    ) -> Result<Option<Value<'a>>, Fault> {
        match &self.program {
            Ok(program) => program.first(input, budget),
            Err(error) => Err(Fault::Error(error.clone())),
        }
    }

    /// That the leaf's program exceeded a limit.
    pub(super) fn exceeded(&self, limit: String) -> Finding {
        Finding::Limit {
            path: self.path.clone(),
            limit,
        }
    }
}

// === Budget ===

/// What all programs may use together that map the results of one event. Each program has the
/// engine's limits for itself; without a bound of the whole, many of them, or many copies of an
/// item, would multiply those.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    steps: u64,
    bytes: usize,
}

/// How many programs of an event may exhaust the engine's limits before none is run any more.
const RUNAWAYS: usize = 50;

/// What the budget grows by with each raw item: many times what ordinary mappings need, so that no
/// number of items is too much.
const ITEM: Budget = Budget {
    steps: 10_000,
    bytes: 64 << 10,
};

impl Budget {
    /// The budget of an event that brought so many raw items.
    pub(super) fn of(items: usize) -> Self {
        let Limits { steps, bytes, .. } = Limits::default();
        let times = |unit: u64, count: usize| unit.saturating_mul(count as u64);
        Self {
            steps: times(steps, RUNAWAYS).saturating_add(times(ITEM.steps, items)),
            bytes: bytes
                .saturating_mul(RUNAWAYS)
                .saturating_add(ITEM.bytes.saturating_mul(items)),
        }
    }

    /// The limits of the next program.
    fn limits(&self) -> Limits {
        let limits = Limits::default();
        Limits {
            steps: limits.steps.min(self.steps),
            bytes: limits.bytes.min(self.bytes),
            ..limits
        }
    }

    fn spend(&mut self, limits: &Limits) {
        self.steps = self.steps.saturating_sub(limits.usage.steps);
        self.bytes = self.bytes.saturating_sub(limits.usage.bytes);
    }

    /// The name of a limit that was exceeded.
    fn name(&self, limit: LimitKind, limits: &Limits) -> String {
        let own = Limits::default();
        let is_shared = match limit {
            LimitKind::Steps => limits.steps < own.steps,
            LimitKind::Bytes => limits.bytes < own.bytes,
            _ => false,
        };
        match is_shared {
            true => format!("{} of all programs of an event", limit.name()),
            false => limit.name().to_owned(),
        }
    }
}

// === Programs ===

/// All programs of a mapping, by their text.
#[derive(Debug)]
pub(super) struct Programs {
    options: Options,
    compiled: HashMap<Box<str>, Compiled>,
}

impl Programs {
    /// No programs yet; all will see this environment.
    pub(super) fn new(env: &Map<String, Json>) -> Self {
        let text = |value: &Json| match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        let env = env.iter().map(|(name, value)| (name.clone(), text(value)));
        Self {
            options: Options {
                env: env.collect(),
                ..Options::default()
            },
            compiled: HashMap::new(),
        }
    }

    /// The program with this text, after the quote rule: from here, from `previous` if that sees
    /// the same environment, or compiled now.
    pub(super) fn compile(&mut self, text: &str, previous: Option<&Self>) -> Compiled {
        let text = quotes::normalize(text);
        if let Some(program) = self.compiled.get(&*text) {
            return program.clone();
        }
        let known = previous
            .filter(|previous| previous.options.env == self.options.env)
            .and_then(|previous| previous.compiled.get(&*text));
        let program = known
            .cloned()
            .unwrap_or_else(|| compile(&text, &self.options));
        self.compiled.insert(text.into(), program.clone());
        program
    }
}

fn compile(text: &str, options: &Options) -> Compiled {
    // Some integrations of upstream read a file of the repository here; none of ours does.
    for scheme in ["file://", "search://"] {
        if text.trim_start().starts_with(scheme) {
            let message = format!("`{scheme}` is not supported; map a field of the raw item");
            return Err(message.into());
        }
    }
    match ocean_jq::Program::compile(text, options) {
        Ok(program) => Ok(Program(program)),
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            let message = error.message();
            Err(format!("{message} at line {line}, column {column}").into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_same(one: &Program, other: &Program) -> bool {
        std::ptr::eq(one.0.text(), other.0.text())
    }

    fn programs() -> Programs {
        Programs::new(&Map::new())
    }

    #[test]
    fn a_text_is_compiled_once_and_taken_over_across_reloads() {
        let mut first = programs();
        let program = first.compile(".a == 'x'", None).unwrap();
        let again = first.compile(".a == \"x\"", None).unwrap();
        assert!(is_same(&program, &again));
        let reloaded = programs().compile(".a == 'x'", Some(&first)).unwrap();
        assert!(is_same(&program, &reloaded));
    }

    #[test]
    fn another_environment_means_other_programs() {
        let mut first = programs();
        let program = first.compile("env.A", None).unwrap();
        let env = Map::from_iter([("A".to_owned(), Json::from("x"))]);
        let mut second = Programs::new(&env);
        let reloaded = second.compile("env.A", Some(&first)).unwrap();
        assert!(!is_same(&program, &reloaded));
    }

    #[test]
    fn runaway_programs_are_bounded_together_and_not_only_each() {
        let mut all = programs();
        let [runaway, plain] =
            ["[limit(1e7; repeat(1))] | length", ".a"].map(|text| all.compile(text, None).unwrap());
        let mut budget = Budget {
            steps: 2_500_000,
            ..Budget::of(1)
        };
        let mut run = |program: &Program| match program.first(&Value::NULL, &mut budget) {
            Ok(value) => value.is_some().to_string(),
            Err(fault) => format!("{fault:?}"),
        };
        assert_eq!(run(&plain), "true");
        for expected in [
            r#"Limit("steps")"#,
            r#"Limit("steps")"#,
            r#"Limit("steps of all programs of an event")"#,
            r#"Limit("steps of all programs of an event")"#,
        ] {
            assert_eq!(run(&runaway), expected);
        }
        assert_eq!(
            run(&plain),
            r#"Limit("steps of all programs of an event")"#,
            "nothing is left for anybody"
        );
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        let error = programs().compile(".a | | .b", None).unwrap_err();
        assert!(error.ends_with("at line 1, column 6"), "{error}");
        let error = programs().compile("file://README.md", None).unwrap_err();
        assert_eq!(
            &*error,
            "`file://` is not supported; map a field of the raw item"
        );
    }
}
