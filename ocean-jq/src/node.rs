//! Compiled programs: nodes that the evaluator runs.
//!
//! Names are resolved: a variable is a number of frames to go up and a slot. Constant paths are
//! one node, constants are one node, and every node knows whether it yields exactly one output.

use crate::compile::natives::NativeFn;
use crate::document::Document;
use crate::options::Clock;
use crate::regex::RegexCell;
use crate::syntax::ast::BinaryOp;
use crate::value::{Repr, Value};

/// A compiled program.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) main: Node,
    pub(crate) funcs: Vec<Func>,
    pub(crate) clock: Clock,
}

/// A function of the program.
#[derive(Debug)]
pub(crate) struct Func {
    pub(crate) body: Node,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) op: Op,
    /// Exactly one output, or an error.
    pub(crate) single: bool,
}

#[derive(Debug)]
pub(crate) enum Op {
    Identity,
    Const(Const),
    /// Constant steps from the input.
    Path(Box<[Step]>),
    /// The key is evaluated first, on the input, then the target.
    Index {
        target: Box<Node>,
        key: Box<Node>,
        optional: bool,
    },
    Slice {
        target: Box<Node>,
        from: Box<Node>,
        to: Box<Node>,
        optional: bool,
    },
    /// `.[]` of the input.
    Iterate {
        optional: bool,
    },
    Pipe(Box<[Node]>),
    Comma(Box<[Node]>),
    Try {
        body: Box<Node>,
        handler: Option<Box<Node>>,
    },
    Collect(Box<Node>),
    /// Without a value node, the value is looked up by the key.
    Object(Box<[(Node, Option<Node>)]>),
    Binary {
        op: BinaryOp,
        left: Box<Node>,
        right: Box<Node>,
    },
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Alternative(Box<Node>, Box<Node>),
    Assign {
        paths: Box<Node>,
        value: Box<Node>,
    },
    Modify {
        paths: Box<Node>,
        update: Box<Node>,
    },
    /// `paths op= value`
    UpdateWith {
        op: BinaryOp,
        paths: Box<Node>,
        value: Box<Node>,
    },
    If {
        test: Box<Node>,
        then: Box<Node>,
        otherwise: Box<Node>,
    },
    Reduce {
        source: Box<Node>,
        binding: Binding,
        init: Box<Node>,
        update: Box<Node>,
    },
    Foreach {
        source: Box<Node>,
        binding: Binding,
        init: Box<Node>,
        update: Box<Node>,
        extract: Box<Node>,
    },
    Bind {
        source: Box<Node>,
        binding: Binding,
        body: Box<Node>,
    },
    Label(Box<Node>),
    Break {
        hops: usize,
    },
    Var {
        hops: usize,
        slot: usize,
    },
    /// A string with interpolations, each under the format.
    Interpolate {
        format: Format,
        parts: Box<[Piece]>,
    },
    /// A call of a function of the program; `hops` leads to the frame it was defined in.
    Call {
        func: usize,
        hops: usize,
        args: Box<[Node]>,
        /// Whether the function wants a frame with its closures.
        framed: bool,
    },
    /// A call of a closure parameter.
    Arg {
        hops: usize,
        index: usize,
    },
    /// A builtin on values: every argument is evaluated before the call.
    Native {
        run: NativeFn,
        args: Box<[Node]>,
        /// Whether the first argument varies slowest; else the last one does.
        first_outer: bool,
    },
    /// A builtin on filters.
    Special(Special, Box<[Node]>),
    /// `sub` and `gsub`.
    Substitute {
        regex: Box<Node>,
        replacement: Box<Node>,
        flags: Box<Node>,
        global: bool,
        cell: RegexCell,
    },
    /// A regular-expression builtin, with the place to keep its compiled constant regex.
    Regex {
        action: RegexAction,
        regex: Box<Node>,
        flags: Box<Node>,
        cell: RegexCell,
    },
}

/// What to do with the matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RegexAction {
    Test,
    Match,
    Capture,
    Scan,
    /// `split/2`: an array.
    Split,
    /// `splits`: the items of that array.
    Splits,
}

/// Builtins that take filters, by what they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Special {
    Empty,
    Path,
    Recurse,
    Range,
    RangeBy,
    First,
    Last,
    Limit,
    Skip,
    Nth,
    Until,
    While,
    Repeat,
    IsEmpty,
    Any,
    All,
    Add,
    SortBy,
    GroupBy,
    UniqueBy,
    MinBy,
    MaxBy,
    Del,
    Pick,
    Paths,
    WithEntries,
    Walk,
    In,
    Inside,
    Index,
    Join,
    Combinations,
    ToStream,
    FromStream,
    TruncateStream,
    GetPath,
}

/// A step of a constant path.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Key {
        name: Box<str>,
        hash: u32,
        optional: bool,
    },
    Item {
        index: f64,
        optional: bool,
    },
    Slice {
        from: Option<f64>,
        to: Option<f64>,
        optional: bool,
    },
}

/// A piece of an interpolated string.
#[derive(Debug)]
pub(crate) enum Piece {
    Text(Box<str>),
    Node(Node),
}

/// A constant; borrowed by the values that it becomes.
#[derive(Debug)]
pub(crate) enum Const {
    Null,
    Bool(bool),
    Num(f64),
    Literal(Box<str>),
    Str(Box<str>),
    /// An array or object.
    Tree(Box<Document>),
}

/// The formats after `@`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
    Csv,
    Tsv,
    Html,
    Uri,
    UriDecode,
    Sh,
    Base64,
    Base64Decode,
}

/// How the outputs of a source become variables.
#[derive(Debug)]
pub(crate) struct Binding {
    /// Variables of all alternatives together.
    pub(crate) slots: usize,
    /// Alternatives of `?//`; usually one.
    pub(crate) patterns: Box<[Pattern]>,
}

#[derive(Debug)]
pub(crate) enum Pattern {
    Var(usize),
    Array(Box<[Pattern]>),
    Object(Box<[PatternEntry]>),
}

#[derive(Debug)]
pub(crate) struct PatternEntry {
    /// Slot of `$name` in front of the colon.
    pub(crate) bound: Option<usize>,
    pub(crate) key: Node,
    pub(crate) value: Option<Pattern>,
}

// === impl Node ===

impl Node {
    pub(crate) fn single(op: Op) -> Node {
        Node { op, single: true }
    }

    pub(crate) fn many(op: Op) -> Node {
        Node { op, single: false }
    }

    pub(crate) fn identity() -> Node {
        Node::single(Op::Identity)
    }

    pub(crate) fn null() -> Node {
        Node::single(Op::Const(Const::Null))
    }

    pub(crate) fn string(text: &str) -> Node {
        Node::single(Op::Const(Const::Str(text.into())))
    }

    pub(crate) fn is_identity(&self) -> bool {
        matches!(self.op, Op::Identity)
    }

    pub(crate) fn constant(&self) -> Option<&Const> {
        match &self.op {
            Op::Const(constant) => Some(constant),
            _ => None,
        }
    }

    /// This node, then the other.
    pub(crate) fn then(self, next: Node) -> Node {
        if self.is_identity() {
            return next;
        }
        if next.is_identity() {
            return self;
        }
        let mut parts = Vec::new();
        for node in [self, next] {
            match node.op {
                Op::Pipe(inner) => inner
                    .into_iter()
                    .for_each(|part| push_part(&mut parts, part)),
                op => push_part(
                    &mut parts,
                    Node {
                        op,
                        single: node.single,
                    },
                ),
            }
        }
        match parts.pop() {
            Some(only) if parts.is_empty() => only,
            Some(last) => {
                parts.push(last);
                let single = parts.iter().all(|part| part.single);
                Node {
                    op: Op::Pipe(parts.into()),
                    single,
                }
            }
            None => Node::identity(),
        }
    }
}

/// Adds a part to a pipe; neighbouring constant paths become one.
fn push_part(parts: &mut Vec<Node>, part: Node) {
    if let Some(last) = parts.last_mut()
        && let (Op::Path(before), Op::Path(after)) = (&last.op, &part.op)
    {
        let steps: Box<[Step]> = before.iter().chain(after.iter()).cloned().collect();
        last.op = Op::Path(steps);
        last.single &= part.single;
        return;
    }
    parts.push(part);
}

// === impl Step ===

impl Step {
    pub(crate) fn is_optional(&self) -> bool {
        match self {
            Step::Key { optional, .. }
            | Step::Item { optional, .. }
            | Step::Slice { optional, .. } => *optional,
        }
    }
}

// === impl Const ===

impl Const {
    /// The constant of a value; `None` when it cannot be kept.
    pub(crate) fn of(value: &Value<'_>) -> Option<Const> {
        Some(match &value.0 {
            Repr::Null => Const::Null,
            Repr::Bool(value) => Const::Bool(*value),
            Repr::Num(value) => Const::Num(*value),
            Repr::LitRef(text) => Const::Literal((*text).into()),
            Repr::LitOwn(text) => Const::Literal(text.as_str().into()),
            Repr::StrRef(text) => Const::Str((*text).into()),
            Repr::StrOwn(text) => Const::Str(text.as_str().into()),
            _ => Const::Tree(Box::new(crate::document::freeze(value)?)),
        })
    }

    pub(crate) fn value(&self) -> Value<'_> {
        Value(match self {
            Const::Null => Repr::Null,
            Const::Bool(value) => Repr::Bool(*value),
            Const::Num(value) => Repr::Num(*value),
            Const::Literal(text) => Repr::LitRef(text),
            Const::Str(text) => Repr::StrRef(text),
            Const::Tree(document) => return document.root(),
        })
    }
}

// === impl Format ===

impl Format {
    pub(crate) fn named(name: &str) -> Option<Format> {
        Some(match name {
            "text" => Format::Text,
            "json" => Format::Json,
            "csv" => Format::Csv,
            "tsv" => Format::Tsv,
            "html" => Format::Html,
            "uri" => Format::Uri,
            "urid" => Format::UriDecode,
            "sh" => Format::Sh,
            "base64" => Format::Base64,
            "base64d" => Format::Base64Decode,
            _ => return None,
        })
    }
}
