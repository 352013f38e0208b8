//! The syntax tree.

/// An expression and the place of its first token, for errors found later.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) at: usize,
    /// Levels below this node; bounded, so that walking the tree may recurse.
    pub(crate) depth: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ExprKind {
    Identity,
    /// `..`
    RecurseAll,
    /// A number literal as written.
    Number(String),
    /// A string with interpolations; `format` is the name after `@`.
    Str {
        format: Option<String>,
        parts: Vec<StrPart>,
    },
    /// `@base64` alone.
    Format(String),
    Index {
        target: Box<Expr>,
        key: Box<Expr>,
        optional: bool,
    },
    Slice {
        target: Box<Expr>,
        from: Option<Box<Expr>>,
        to: Option<Box<Expr>>,
        optional: bool,
    },
    Iterate {
        target: Box<Expr>,
        optional: bool,
    },
    /// `f?` where `f` is no path step.
    Optional(Box<Expr>),
    Array(Option<Box<Expr>>),
    Object(Vec<Entry>),
    Negate(Box<Expr>),
    Pipe(Vec<Expr>),
    Comma(Vec<Expr>),
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `=`, `|=`, `+=` and their like.
    Update {
        op: UpdateOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    If {
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Try {
        body: Box<Expr>,
        handler: Option<Box<Expr>>,
    },
    Reduce {
        source: Box<Expr>,
        patterns: Vec<Pattern>,
        init: Box<Expr>,
        update: Box<Expr>,
    },
    Foreach {
        source: Box<Expr>,
        patterns: Vec<Pattern>,
        init: Box<Expr>,
        update: Box<Expr>,
        extract: Option<Box<Expr>>,
    },
    Label {
        name: String,
        body: Box<Expr>,
    },
    Break(String),
    Def {
        def: Box<FuncDef>,
        rest: Box<Expr>,
    },
    As {
        source: Box<Expr>,
        patterns: Vec<Pattern>,
        body: Box<Expr>,
    },
    Var(String),
    /// `$__loc__`, with its line.
    Loc(usize),
    Call {
        name: String,
        args: Vec<Expr>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StrPart {
    Text(String),
    Interpolation(Expr),
}

/// One `key: value` of an object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: EntryKey,
    /// Absent in the short forms `{a}`, `{$x}`, `{"a"}`.
    pub(crate) value: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum EntryKey {
    Name(String),
    /// A string expression.
    Str(Expr),
    /// `$x` or `$__loc__`.
    Var(Expr),
    /// `(…)`
    Expr(Expr),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BinaryOp {
    Alternative,
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UpdateOp {
    Assign,
    Modify,
    Arithmetic(BinaryOp),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FuncDef {
    pub(crate) name: String,
    pub(crate) params: Vec<Param>,
    pub(crate) body: Expr,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Param {
    pub(crate) name: String,
    /// `$name`: evaluated first, usable as a variable and as a filter.
    pub(crate) is_value: bool,
}

/// A destructuring pattern.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Pattern {
    Var(String),
    Array(Vec<Pattern>),
    Object(Vec<(PatternKey, Option<Pattern>)>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PatternKey {
    /// `$x` binds the value of the key `x` besides matching it.
    Var(String),
    Name(String),
    Str(Expr),
    Expr(Expr),
}

// === impl Expr ===

impl Expr {
    pub(crate) fn new(kind: ExprKind, at: usize) -> Expr {
        let depth = 1 + kind.children_depth();
        Expr { kind, at, depth }
    }
}

impl ExprKind {
    fn children_depth(&self) -> u32 {
        fn of(expr: &Option<Box<Expr>>) -> u32 {
            expr.as_ref().map_or(0, |expr| expr.depth)
        }
        match self {
            ExprKind::Identity
            | ExprKind::RecurseAll
            | ExprKind::Number(_)
            | ExprKind::Format(_)
            | ExprKind::Break(_)
            | ExprKind::Var(_)
            | ExprKind::Loc(_) => 0,
            ExprKind::Str { parts, .. } => {
                let depths = parts.iter().map(|part| match part {
                    StrPart::Text(_) => 0,
                    StrPart::Interpolation(expr) => expr.depth,
                });
                depths.max().unwrap_or(0)
            }
            ExprKind::Index { target, key, .. } => target.depth.max(key.depth),
            ExprKind::Slice {
                target, from, to, ..
            } => target.depth.max(of(from)).max(of(to)),
            ExprKind::Iterate { target, .. } => target.depth,
            ExprKind::Optional(body) | ExprKind::Negate(body) => body.depth,
            ExprKind::Label { body, .. } => body.depth,
            ExprKind::Array(body) => of(body),
            ExprKind::Object(entries) => entries.iter().map(Entry::depth).max().unwrap_or(0),
            ExprKind::Pipe(parts) | ExprKind::Comma(parts) => {
                parts.iter().map(|part| part.depth).max().unwrap_or(0)
            }
            ExprKind::Binary { left, right, .. } | ExprKind::Update { left, right, .. } => {
                left.depth.max(right.depth)
            }
            ExprKind::If {
                branches,
                otherwise,
            } => {
                let depths = branches
                    .iter()
                    .map(|(test, body)| test.depth.max(body.depth));
                depths.max().unwrap_or(0).max(of(otherwise))
            }
            ExprKind::Try { body, handler } => body.depth.max(of(handler)),
            ExprKind::Reduce {
                source,
                patterns,
                init,
                update,
            } => {
                let own = source.depth.max(init.depth).max(update.depth);
                own.max(patterns_depth(patterns))
            }
            ExprKind::Foreach {
                source,
                patterns,
                init,
                update,
                extract,
            } => {
                let own = source
                    .depth
                    .max(init.depth)
                    .max(update.depth)
                    .max(of(extract));
                own.max(patterns_depth(patterns))
            }
            ExprKind::Def { def, rest } => def.body.depth.max(rest.depth),
            ExprKind::As {
                source,
                patterns,
                body,
            } => source.depth.max(body.depth).max(patterns_depth(patterns)),
            ExprKind::Call { args, .. } => args.iter().map(|arg| arg.depth).max().unwrap_or(0),
        }
    }
}

impl Entry {
    fn depth(&self) -> u32 {
        let key = match &self.key {
            EntryKey::Name(_) => 0,
            EntryKey::Str(expr) | EntryKey::Var(expr) | EntryKey::Expr(expr) => expr.depth,
        };
        key.max(self.value.as_ref().map_or(0, |value| value.depth))
    }
}

fn patterns_depth(patterns: &[Pattern]) -> u32 {
    patterns.iter().map(pattern_depth).max().unwrap_or(0)
}

fn pattern_depth(pattern: &Pattern) -> u32 {
    1 + match pattern {
        Pattern::Var(_) => 0,
        Pattern::Array(items) => patterns_depth(items),
        Pattern::Object(entries) => {
            let depths = entries.iter().map(|(key, value)| {
                let key = match key {
                    PatternKey::Var(_) | PatternKey::Name(_) => 0,
                    PatternKey::Str(expr) | PatternKey::Expr(expr) => expr.depth,
                };
                key.max(value.as_ref().map_or(0, pattern_depth))
            });
            depths.max().unwrap_or(0)
        }
    }
}

// === impl Pattern ===

impl Pattern {
    /// The variables that the pattern binds, in order, each once.
    pub(crate) fn variables<'p>(&'p self, out: &mut Vec<&'p str>) {
        let mut add = |name: &'p str| {
            if !out.contains(&name) {
                out.push(name);
            }
        };
        match self {
            Pattern::Var(name) => add(name),
            Pattern::Array(items) => items.iter().for_each(|item| item.variables(out)),
            Pattern::Object(entries) => {
                for (key, value) in entries {
                    if let PatternKey::Var(name) = key
                        && !out.contains(&name.as_str())
                    {
                        out.push(name);
                    }
                    if let Some(value) = value {
                        value.variables(out);
                    }
                }
            }
        }
    }
}

// === impl BinaryOp ===

impl BinaryOp {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Alternative => "//",
            BinaryOp::Or => "or",
            BinaryOp::And => "and",
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
            BinaryOp::Less => "<",
            BinaryOp::LessOrEqual => "<=",
            BinaryOp::Greater => ">",
            BinaryOp::GreaterOrEqual => ">=",
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Modulo => "%",
        }
    }
}

// === impl UpdateOp ===

impl UpdateOp {
    pub(crate) fn symbol(self) -> String {
        match self {
            UpdateOp::Assign => "=".to_owned(),
            UpdateOp::Modify => "|=".to_owned(),
            UpdateOp::Arithmetic(op) => format!("{}=", op.symbol()),
        }
    }
}
