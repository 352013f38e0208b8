//! What names mean: variables and their patterns, functions, builtins.

use super::scope::Found;
use super::{Compiled, Compiler, builtins, constant, known, word_constant};
use crate::error::CompileError;
use crate::node::{Binding, Node, Op, Pattern, PatternEntry};
use crate::stack;
use crate::syntax::ast::{self, Expr, ExprKind, FuncDef, PatternKey};
use crate::value::Value;

// === impl Compiler ===

impl<'c> Compiler<'c> {
    pub(super) fn reduce(&mut self, expr: &'c Expr) -> Compiled {
        let ExprKind::Reduce {
            source,
            patterns,
            init,
            update,
        } = &expr.kind
        else {
            return Ok(Node::null());
        };
        let (source, init) = (self.boxed(source)?, self.boxed(init)?);
        let (binding, mark) = self.binding(patterns)?;
        let update = self.boxed(update);
        self.scope.pop(mark);
        let single = init.single;
        Ok(Node {
            op: Op::Reduce {
                source,
                binding,
                init,
                update: update?,
            },
            single,
        })
    }

    pub(super) fn foreach(&mut self, expr: &'c Expr) -> Compiled {
        let ExprKind::Foreach {
            source,
            patterns,
            init,
            update,
            extract,
        } = &expr.kind
        else {
            return Ok(Node::null());
        };
        let (source, init) = (self.boxed(source)?, self.boxed(init)?);
        let (binding, mark) = self.binding(patterns)?;
        let update = self.boxed(update);
        let extract = match extract {
            Some(extract) => self.boxed(extract),
            None => Ok(Box::new(Node::identity())),
        };
        self.scope.pop(mark);
        Ok(Node::many(Op::Foreach {
            source,
            binding,
            init,
            update: update?,
            extract: extract?,
        }))
    }

    /// Opens the frame of a binding's variables; the caller closes it with the mark.
    pub(super) fn binding(
        &mut self,
        patterns: &'c [ast::Pattern],
    ) -> Result<(Binding, usize), CompileError> {
        let mut names = Vec::new();
        for pattern in patterns {
            pattern.variables(&mut names);
        }
        let mark = self.scope.push_vars(&names);
        let compiled: Result<Box<[Pattern]>, CompileError> = patterns
            .iter()
            .map(|pattern| self.pattern(pattern, &names))
            .collect();
        match compiled {
            Ok(patterns) => Ok((
                Binding {
                    slots: names.len(),
                    patterns,
                },
                mark,
            )),
            Err(error) => Err(error),
        }
    }

    fn pattern(
        &mut self,
        pattern: &'c ast::Pattern,
        names: &[&str],
    ) -> Result<Pattern, CompileError> {
        if stack::is_below(self.stack_floor) {
            return Err(self.error("the program is nested too deeply".to_owned(), 0));
        }
        let slot = |name: &str| names.iter().position(|known| *known == name).unwrap_or(0);
        Ok(match pattern {
            ast::Pattern::Var(name) => Pattern::Var(slot(name)),
            ast::Pattern::Array(items) => Pattern::Array(
                items
                    .iter()
                    .map(|item| self.pattern(item, names))
                    .collect::<Result<_, _>>()?,
            ),
            ast::Pattern::Object(entries) => {
                let mut compiled = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    let (bound, key) = match key {
                        PatternKey::Var(name) => (Some(slot(name)), Node::string(name)),
                        PatternKey::Name(name) => (None, Node::string(name)),
                        PatternKey::Str(key) => (None, self.expr(key)?),
                        PatternKey::Expr(key) => {
                            let node = self.expr(key)?;
                            if let Some(constant) = node.constant()
                                && constant.value().as_str().is_none()
                            {
                                let message = builtins::object_key_message(&constant.value());
                                return Err(self.error(message, key.at));
                            }
                            (None, node)
                        }
                    };
                    let value = match value {
                        Some(value) => Some(self.pattern(value, names)?),
                        None => None,
                    };
                    compiled.push(PatternEntry { bound, key, value });
                }
                Pattern::Object(compiled.into())
            }
        })
    }

    pub(super) fn variable(&mut self, name: &str, at: usize) -> Compiled {
        if let Some((hops, slot)) = self.scope.variable(name) {
            return Ok(Node::single(Op::Var { hops, slot }));
        }
        if name == "ENV" && !self.options.variables.contains_key("ENV") {
            return Ok(builtins::env(self.options));
        }
        match self.options.variables.get(name) {
            Some(value) => Ok(constant(&Value::from_serde(value))),
            None => Err(self.error(format!("${name} is not defined"), at)),
        }
    }

    pub(super) fn define(&mut self, def: &'c FuncDef, rest: &'c Expr) -> Compiled {
        let func = self.funcs.len();
        self.funcs.push(None);
        let mark = self.scope.push_func(&def.name, def.params.len(), func);
        let body = self.function_body(def);
        // As in the reference, an undefined name in a function that nobody calls is no error.
        match body {
            Ok(body) => self.funcs[func] = Some(body),
            Err(error) => self.broken.push((func, error)),
        }
        let rest = self.expr(rest);
        self.scope.pop(mark);
        rest
    }

    fn function_body(&mut self, def: &'c FuncDef) -> Compiled {
        let values: Vec<(usize, &'c str)> = def
            .params
            .iter()
            .enumerate()
            .filter(|(_, param)| param.is_value)
            .map(|(index, param)| (index, param.name.as_str()))
            .collect();
        let names: Vec<&'c str> = def.params.iter().map(|param| param.name.as_str()).collect();
        let mark = self.scope.push_params(&names);
        for (_, name) in &values {
            self.scope.push_vars(&[name]);
        }
        let body = self.expr(&def.body);
        self.scope.pop(mark);
        let mut body = body?;
        // `$a` parameters are bound around the body, the first one outermost.
        for (depth, (index, _)) in values.iter().enumerate().rev() {
            let source = Box::new(Node::many(Op::Arg {
                hops: depth,
                index: *index,
            }));
            let binding = Binding {
                slots: 1,
                patterns: [Pattern::Var(0)].into(),
            };
            body = Node::many(Op::Bind {
                source,
                binding,
                body: Box::new(body),
            });
        }
        Ok(body)
    }

    pub(super) fn call(&mut self, name: &str, args: &'c [Expr], at: usize) -> Compiled {
        if args.is_empty()
            && let Some(constant) = word_constant(name)
        {
            return Ok(Node::single(Op::Const(constant)));
        }
        match self.scope.function(name, args.len()) {
            Some(Found::Param { hops, index }) => return Ok(Node::many(Op::Arg { hops, index })),
            Some(Found::Func { hops, func }) => {
                if let Some((_, error)) = self.broken.iter().find(|(broken, _)| *broken == func) {
                    return Err(error.clone());
                }
                let args: Box<[Node]> = args
                    .iter()
                    .map(|arg| self.expr(arg))
                    .collect::<Result<_, _>>()?;
                // A body that is still being compiled belongs to a recursion: assume the worst.
                let single = self.funcs[func].as_ref().is_some_and(|body| body.single);
                let framed = !args.is_empty();
                return Ok(Node {
                    op: Op::Call {
                        func,
                        hops,
                        args,
                        framed,
                    },
                    single,
                });
            }
            None => {}
        }
        let mut nodes = Vec::with_capacity(args.len());
        for arg in args {
            nodes.push(self.expr(arg)?);
        }
        match builtins::call(name, nodes, self.options) {
            Some(node) => Ok(node),
            None => {
                let mut message = format!("{name}/{} is not defined", args.len());
                if let Some(near) = known::nearest(name, args.len()) {
                    message.push_str(&format!("; did you mean {near}?"));
                }
                Err(self.error(message, at))
            }
        }
    }
}

// === impl Binding ===

impl Binding {
    /// Whether a value leads to exactly one set of variables.
    pub(super) fn is_single(&self) -> bool {
        self.patterns.len() == 1 && self.patterns.iter().all(Pattern::is_single)
    }
}

// === impl Pattern ===

impl Pattern {
    pub(crate) fn is_single(&self) -> bool {
        match self {
            Pattern::Var(_) => true,
            Pattern::Array(items) => items.iter().all(Pattern::is_single),
            Pattern::Object(entries) => entries.iter().all(|entry| {
                entry.key.single && entry.value.as_ref().is_none_or(Pattern::is_single)
            }),
        }
    }
}
