//! Syntax tree to nodes: resolves names, folds constants and paths, marks single outputs.

pub(crate) mod builtins;
mod fold;
mod known;
mod names;
pub(crate) mod natives;
mod scope;

use crate::error::CompileError;
use crate::node::{Code, Const, Format, Func, Node, Op, Piece, Step};
use crate::options::Options;
use crate::stack;
use crate::syntax::ast::{BinaryOp, Entry, EntryKey, Expr, ExprKind, StrPart, UpdateOp};
use crate::value::Value;
pub(crate) use builtins::object_key_message;
use scope::Scope;

/// Stack that compiling may use; the syntax tree's depth is bounded besides.
const STACK_BUDGET: usize = 512 << 10;

/// Compiles a program.
pub(crate) fn compile(text: &str, options: &Options) -> Result<Code, CompileError> {
    let tree = crate::syntax::parse(text)?;
    let mut compiler = Compiler {
        text,
        options,
        scope: Scope::default(),
        funcs: Vec::new(),
        broken: Vec::new(),
        stack_floor: stack::floor(STACK_BUDGET),
    };
    let main = compiler.expr(&tree)?;
    let funcs = compiler.funcs.into_iter().map(|body| Func {
        body: body.unwrap_or_else(Node::null),
    });
    Ok(Code {
        main,
        funcs: funcs.collect(),
        clock: options.clock.clone(),
    })
}

pub(crate) struct Compiler<'c> {
    text: &'c str,
    options: &'c Options,
    scope: Scope<'c>,
    /// Bodies of functions; absent while they are being compiled.
    funcs: Vec<Option<Node>>,
    /// Functions that do not compile, reported when something calls them.
    broken: Vec<(usize, CompileError)>,
    stack_floor: usize,
}

pub(crate) type Compiled = Result<Node, CompileError>;

// === impl Compiler ===

impl<'c> Compiler<'c> {
    fn error(&self, message: String, at: usize) -> CompileError {
        CompileError::new(message, self.text, at)
    }

    fn boxed(&mut self, expr: &'c Expr) -> Result<Box<Node>, CompileError> {
        self.expr(expr).map(Box::new)
    }

    fn expr(&mut self, expr: &'c Expr) -> Compiled {
        if stack::is_below(self.stack_floor) {
            return Err(self.error("the program is nested too deeply".to_owned(), expr.at));
        }
        match &expr.kind {
            ExprKind::Identity => Ok(Node::identity()),
            ExprKind::RecurseAll => Ok(builtins::recurse_all()),
            ExprKind::Number(text) => Ok(constant(&Value::literal(text))),
            ExprKind::Str { format, parts } => self.string(format.as_deref(), parts),
            ExprKind::Format(name) => Ok(builtins::format(name)),
            ExprKind::Index {
                target,
                key,
                optional,
            } => self.index(target, key, *optional),
            ExprKind::Slice {
                target,
                from,
                to,
                optional,
            } => self.slice(target, from.as_deref(), to.as_deref(), *optional),
            ExprKind::Iterate { target, optional } => {
                let target = self.expr(target)?;
                Ok(target.then(Node::many(Op::Iterate {
                    optional: *optional,
                })))
            }
            ExprKind::Optional(body) => {
                let body = self.boxed(body)?;
                Ok(Node::many(Op::Try {
                    body,
                    handler: None,
                }))
            }
            ExprKind::Array(None) => Ok(constant(&Value::array(Vec::new()))),
            ExprKind::Array(Some(body)) => {
                let body = self.boxed(body)?;
                Ok(fold::constant_node(Node::single(Op::Collect(body))))
            }
            ExprKind::Object(entries) => self.object(entries),
            ExprKind::Negate(body) => {
                let body = self.expr(body)?;
                Ok(fold::constant_node(builtins::negate(body)))
            }
            ExprKind::Pipe(parts) => self.pipe(parts),
            ExprKind::Comma(parts) => {
                let parts = parts
                    .iter()
                    .map(|part| self.expr(part))
                    .collect::<Result<_, _>>()?;
                Ok(Node::many(Op::Comma(parts)))
            }
            ExprKind::Binary { .. } => self.binary(expr),
            ExprKind::Update { op, left, right } => self.update(*op, left, right),
            ExprKind::If {
                branches,
                otherwise,
            } => self.conditional(branches, otherwise.as_deref()),
            ExprKind::Try { body, handler } => self.attempt(body, handler.as_deref()),
            ExprKind::Reduce { .. } => self.reduce(expr),
            ExprKind::Foreach { .. } => self.foreach(expr),
            ExprKind::Label { name, body } => {
                let mark = self.scope.push_label(name);
                let body = self.boxed(body);
                self.scope.pop(mark);
                Ok(Node::many(Op::Label(body?)))
            }
            ExprKind::Break(name) => match self.scope.label(name) {
                Some(hops) => Ok(Node::many(Op::Break { hops })),
                None => Err(self.error(format!("label ${name} is not defined"), expr.at)),
            },
            ExprKind::Def { def, rest } => self.define(def, rest),
            ExprKind::As {
                source,
                patterns,
                body,
            } => {
                let source = self.boxed(source)?;
                let (binding, mark) = self.binding(patterns)?;
                let body = self.boxed(body);
                self.scope.pop(mark);
                let body = body?;
                let single = source.single && body.single && binding.is_single();
                Ok(Node {
                    op: Op::Bind {
                        source,
                        binding,
                        body,
                    },
                    single,
                })
            }
            ExprKind::Var(name) => self.variable(name, expr.at),
            ExprKind::Loc(line) => Ok(location(*line)),
            ExprKind::Call { name, args } => self.call(name, args, expr.at),
        }
    }

    fn pipe(&mut self, parts: &'c [Expr]) -> Compiled {
        let mut whole = Node::identity();
        for part in parts {
            whole = whole.then(self.expr(part)?);
        }
        Ok(whole)
    }

    fn string(&mut self, format: Option<&str>, parts: &'c [StrPart]) -> Compiled {
        if parts.iter().all(|part| matches!(part, StrPart::Text(_))) {
            let text: String = parts
                .iter()
                .map(|part| match part {
                    StrPart::Text(text) => text.as_str(),
                    StrPart::Interpolation(_) => "",
                })
                .collect();
            return Ok(Node::string(&text));
        }
        let name = format.unwrap_or("text");
        let Some(format) = Format::named(name) else {
            // As the reference has it, an unknown format is an error of the evaluation.
            return Ok(builtins::format(name));
        };
        let mut pieces = Vec::with_capacity(parts.len());
        let mut single = true;
        for part in parts {
            pieces.push(match part {
                StrPart::Text(text) => Piece::Text(text.as_str().into()),
                StrPart::Interpolation(expr) => {
                    let node = self.expr(expr)?;
                    single &= node.single;
                    Piece::Node(node)
                }
            });
        }
        Ok(Node {
            op: Op::Interpolate {
                format,
                parts: pieces.into(),
            },
            single,
        })
    }

    fn index(&mut self, target: &'c Expr, key: &'c Expr, optional: bool) -> Compiled {
        let key = self.expr(key)?;
        let target = self.expr(target)?;
        let step = match key.constant() {
            Some(Const::Str(name)) => Some(Step::Key {
                name: name.clone(),
                hash: crate::document::hash(name),
                optional,
            }),
            Some(Const::Num(index)) => Some(Step::Item {
                index: *index,
                optional,
            }),
            _ => None,
        };
        if let Some(step) = step {
            return Ok(target.then(Node {
                op: Op::Path([step].into()),
                single: !optional,
            }));
        }
        let single = key.single && target.single && !optional;
        Ok(Node {
            op: Op::Index {
                target: Box::new(target),
                key: Box::new(key),
                optional,
            },
            single,
        })
    }

    fn slice(
        &mut self,
        target: &'c Expr,
        from: Option<&'c Expr>,
        to: Option<&'c Expr>,
        optional: bool,
    ) -> Compiled {
        let mut bound = |expr: Option<&'c Expr>| match expr {
            Some(expr) => self.expr(expr),
            None => Ok(Node::null()),
        };
        let (from, to) = (bound(from)?, bound(to)?);
        let target = self.expr(target)?;
        let number = |node: &Node| match node.constant() {
            Some(Const::Null) => Some(None),
            Some(Const::Num(value)) => Some(Some(*value)),
            _ => None,
        };
        if let (Some(from), Some(to)) = (number(&from), number(&to)) {
            let step = Step::Slice { from, to, optional };
            return Ok(target.then(Node {
                op: Op::Path([step].into()),
                single: !optional,
            }));
        }
        let single = from.single && to.single && target.single && !optional;
        let (target, from, to) = (Box::new(target), Box::new(from), Box::new(to));
        Ok(Node {
            op: Op::Slice {
                target,
                from,
                to,
                optional,
            },
            single,
        })
    }

    fn object(&mut self, entries: &'c [Entry]) -> Compiled {
        let mut nodes = Vec::with_capacity(entries.len());
        for entry in entries {
            nodes.push(self.entry(entry)?);
        }
        let single = nodes
            .iter()
            .all(|(key, value)| key.single && value.as_ref().is_none_or(|value| value.single));
        Ok(fold::constant_node(Node {
            op: Op::Object(nodes.into()),
            single,
        }))
    }

    fn entry(&mut self, entry: &'c Entry) -> Result<(Node, Option<Node>), CompileError> {
        let key = match &entry.key {
            EntryKey::Name(name) => Node::string(name),
            EntryKey::Str(key) => self.expr(key)?,
            EntryKey::Expr(key) => {
                let node = self.expr(key)?;
                if let Some(constant) = node.constant()
                    && constant.value().as_str().is_none()
                {
                    let message = builtins::object_key_message(&constant.value());
                    return Err(self.error(message, key.at));
                }
                node
            }
            EntryKey::Var(var) => match (&var.kind, &entry.value) {
                (ExprKind::Var(name), None) => {
                    return Ok((Node::string(name), Some(self.expr(var)?)));
                }
                (ExprKind::Loc(_), None) => {
                    return Ok((Node::string("__loc__"), Some(self.expr(var)?)));
                }
                _ => self.expr(var)?,
            },
        };
        let value = match (&entry.value, &entry.key) {
            (Some(value), _) => Some(self.expr(value)?),
            (None, EntryKey::Name(name)) => Some(builtins::key_step(name)),
            (None, _) => None,
        };
        Ok((key, value))
    }

    /// Chains of operators lean to the left: they are compiled in a loop, so that a long one
    /// needs no more stack than a short one.
    fn binary(&mut self, expr: &'c Expr) -> Compiled {
        let mut spine = Vec::new();
        let mut leftmost = expr;
        while let ExprKind::Binary { op, left, right } = &leftmost.kind {
            spine.push((*op, &**right));
            leftmost = left;
        }
        let mut node = self.expr(leftmost)?;
        while let Some((op, right)) = spine.pop() {
            let right = self.boxed(right)?;
            node = operation(op, Box::new(node), right);
        }
        Ok(node)
    }

    fn update(&mut self, op: UpdateOp, left: &'c Expr, right: &'c Expr) -> Compiled {
        let (paths, right) = (self.boxed(left)?, self.boxed(right)?);
        Ok(match op {
            UpdateOp::Modify => Node::single(Op::Modify {
                paths,
                update: right,
            }),
            UpdateOp::Assign => {
                let single = right.single;
                Node {
                    op: Op::Assign {
                        paths,
                        value: right,
                    },
                    single,
                }
            }
            UpdateOp::Arithmetic(op) => {
                let single = right.single;
                Node {
                    op: Op::UpdateWith {
                        op,
                        paths,
                        value: right,
                    },
                    single,
                }
            }
        })
    }

    fn conditional(
        &mut self,
        branches: &'c [(Expr, Expr)],
        otherwise: Option<&'c Expr>,
    ) -> Compiled {
        let mut nodes = Vec::with_capacity(branches.len());
        for (test, body) in branches {
            nodes.push((self.boxed(test)?, self.boxed(body)?));
        }
        let mut whole = match otherwise {
            Some(expr) => self.expr(expr)?,
            None => Node::identity(),
        };
        for (test, then) in nodes.into_iter().rev() {
            let single = test.single && then.single && whole.single;
            let otherwise = Box::new(whole);
            whole = Node {
                op: Op::If {
                    test,
                    then,
                    otherwise,
                },
                single,
            };
        }
        Ok(whole)
    }

    fn attempt(&mut self, body: &'c Expr, handler: Option<&'c Expr>) -> Compiled {
        let body = self.boxed(body)?;
        let handler = match handler {
            Some(handler) => Some(self.boxed(handler)?),
            None => None,
        };
        let single = body.single && handler.as_ref().is_some_and(|handler| handler.single);
        Ok(Node {
            op: Op::Try { body, handler },
            single,
        })
    }
}

fn operation(op: BinaryOp, left: Box<Node>, right: Box<Node>) -> Node {
    let single = left.single && right.single;
    match op {
        BinaryOp::And => Node {
            op: Op::And(left, right),
            single,
        },
        BinaryOp::Or => Node {
            op: Op::Or(left, right),
            single,
        },
        BinaryOp::Alternative => Node {
            op: Op::Alternative(left, right),
            single,
        },
        _ => fold::constant_node(Node {
            op: Op::Binary { op, left, right },
            single,
        }),
    }
}

fn word_constant(name: &str) -> Option<Const> {
    match name {
        "null" => Some(Const::Null),
        "true" => Some(Const::Bool(true)),
        "false" => Some(Const::Bool(false)),
        _ => None,
    }
}

/// A constant node, for values that are known to be flat enough.
pub(crate) fn constant(value: &Value<'_>) -> Node {
    try_constant(value).unwrap_or_else(Node::null)
}

/// A constant node; `None` for values nested too deeply to be kept.
pub(crate) fn try_constant(value: &Value<'_>) -> Option<Node> {
    Const::of(value).map(|constant| Node::single(Op::Const(constant)))
}

fn location(line: usize) -> Node {
    let object = crate::value::ObjectBuilder::new()
        .with("file", Value::str("<top-level>"))
        .with("line", Value::number(line as f64))
        .build();
    constant(&object)
}
