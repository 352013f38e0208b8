//! The table of builtins: from names and arguments to nodes.

use super::constant;
use super::known::NAMES;
use super::natives::{NativeFn, Run};
use crate::builtins::{collections, core, dates, formats, math, text};
use crate::node::{Const, Node, Op, RegexAction, Special, Step};
use crate::options::Options;
use crate::regex::RegexCell;
use crate::syntax::ast::BinaryOp;
use crate::value::{ObjectBuilder, Value};
use crate::write::excerpt;

/// `..`
pub(super) fn recurse_all() -> Node {
    let step = Node::many(Op::Iterate { optional: true });
    Node::many(Op::Special(Special::Recurse, [step].into()))
}

pub(super) fn negate(body: Node) -> Node {
    body.then(native(core::negate, []))
}

/// `@name` on the input; an unknown name fails when it is evaluated.
pub(super) fn format(name: &str) -> Node {
    native(formats::format_named, [Node::string(name)])
}

pub(super) fn key_step(name: &str) -> Node {
    let step = Step::Key {
        name: name.into(),
        hash: crate::document::hash(name),
        optional: false,
    };
    Node::single(Op::Path([step].into()))
}

fn item_step(index: f64) -> Node {
    Node::single(Op::Path(
        [Step::Item {
            index,
            optional: false,
        }]
        .into(),
    ))
}

/// The error of an object key that is no string.
pub(crate) fn object_key_message(key: &Value<'_>) -> String {
    format!(
        "Cannot use {} ({}) as object key",
        key.kind().name(),
        excerpt(key, 30)
    )
}

/// `env` and `$ENV`.
pub(super) fn env(options: &Options) -> Node {
    let mut object = ObjectBuilder::new();
    for (name, value) in &options.env {
        object = object.with(name, Value::str(value));
    }
    constant(&object.build())
}

fn native<const N: usize>(run: Run, args: [Node; N]) -> Node {
    native_node(run, args.into(), false)
}

fn native_node(run: Run, args: Box<[Node]>, first_outer: bool) -> Node {
    let single = args.iter().all(|arg| arg.single);
    Node {
        op: Op::Native {
            run: NativeFn(run),
            args,
            first_outer,
        },
        single,
    }
}

fn one(special: Special, args: impl Into<Box<[Node]>>) -> Node {
    Node::single(Op::Special(special, args.into()))
}

fn many(special: Special, args: impl Into<Box<[Node]>>) -> Node {
    Node::many(Op::Special(special, args.into()))
}

fn iterate() -> Node {
    Node::many(Op::Iterate { optional: false })
}

fn empty() -> Node {
    many(Special::Empty, [])
}

fn select(test: Node) -> Node {
    let (test, then) = (Box::new(test), Box::new(Node::identity()));
    Node::many(Op::If {
        test,
        then,
        otherwise: Box::new(empty()),
    })
}

fn collect(body: Node) -> Node {
    Node::single(Op::Collect(Box::new(body)))
}

fn regex(action: RegexAction, regex: Node, flags: Node) -> Node {
    let single =
        matches!(action, RegexAction::Test | RegexAction::Split) && regex.single && flags.single;
    let (regex, flags) = (Box::new(regex), Box::new(flags));
    Node {
        op: Op::Regex {
            action,
            regex,
            flags,
            cell: RegexCell::default(),
        },
        single,
    }
}

fn substitute(regex: Node, replacement: Node, flags: Node, global: bool) -> Node {
    Node::many(Op::Substitute {
        regex: Box::new(regex),
        replacement: Box::new(replacement),
        flags: Box::new(flags),
        global,
        cell: RegexCell::default(),
    })
}

/// The node of a call of a builtin; `None` when there is no such builtin.
pub(super) fn call(name: &str, args: Vec<Node>, options: &Options) -> Option<Node> {
    let arity = args.len();
    if let Some(run) = math::function(name, arity) {
        return Some(native_node(run, args.into(), false));
    }
    if let Some(run) = native_function(name, arity) {
        return Some(native_node(run, args.into(), false));
    }
    let mut args = args.into_iter();
    let mut next = || args.next().unwrap_or_else(Node::identity);
    match arity {
        0 => call0(name, options),
        1 => call1(name, next()),
        2 => {
            let (first, second) = (next(), next());
            call2(name, first, second)
        }
        3 => {
            let (first, second, third) = (next(), next(), next());
            call3(name, first, second, third)
        }
        4 if name == "JOIN" => Some(many(Special::Join, [next(), next(), next(), next()])),
        _ => None,
    }
}

/// Builtins on values with evaluated arguments.
fn native_function(name: &str, arity: usize) -> Option<Run> {
    Some(match (name, arity) {
        ("not", 0) => core::not,
        ("length", 0) => core::length,
        ("utf8bytelength", 0) => text::utf8_byte_length,
        ("type", 0) => core::type_name,
        ("keys", 0) => collections::keys,
        ("keys_unsorted", 0) => collections::keys_unsorted,
        ("tostring", 0) => text::to_string,
        ("tonumber", 0) => core::to_number,
        ("toboolean", 0) => core::to_boolean,
        ("tojson", 0) => text::to_json,
        ("fromjson", 0) => text::from_json,
        ("ascii_downcase", 0) => text::ascii_downcase,
        ("ascii_upcase", 0) => text::ascii_upcase,
        ("explode", 0) => text::explode,
        ("implode", 0) => text::implode,
        ("trim", 0) => text::trim,
        ("ltrim", 0) => text::trim_start,
        ("rtrim", 0) => text::trim_end,
        ("sort", 0) => collections::sort,
        ("unique", 0) => collections::unique,
        ("min", 0) => collections::min,
        ("max", 0) => collections::max,
        ("reverse", 0) => collections::reverse,
        ("transpose", 0) => collections::transpose,
        ("flatten", 0) => collections::flatten,
        ("to_entries", 0) => collections::to_entries,
        ("from_entries", 0) => collections::from_entries,
        ("abs", 0) => core::abs,
        ("error", 0) => core::error,
        ("halt", 0) => core::halt,
        ("halt_error", 0) => core::halt_error,
        ("halt_error", 1) => core::halt_error_code,
        ("input", 0) => core::input,
        ("input_line_number", 0) => core::input_line_number,
        ("modulemeta", 0) => core::module_meta,
        ("now", 0) => core::now,
        ("isnan", 0) => core::is_nan,
        ("isinfinite", 0) => core::is_infinite,
        ("isfinite", 0) => core::is_finite,
        ("isnormal", 0) => core::is_normal,
        ("infinite", 0) => core::infinite,
        ("nan", 0) => core::nan,
        ("gmtime", 0) => dates::gmtime,
        ("localtime", 0) => dates::localtime,
        ("mktime", 0) => dates::mktime,
        ("todate" | "todateiso8601", 0) => dates::to_date,
        ("fromdate" | "fromdateiso8601", 0) => dates::from_date,
        ("strftime", 1) => dates::strftime,
        ("strflocaltime", 1) => dates::strflocaltime,
        ("strptime", 1) => dates::strptime,
        ("startswith", 1) => text::starts_with,
        ("endswith", 1) => text::ends_with,
        ("ltrimstr", 1) => text::trim_prefix,
        ("rtrimstr", 1) => text::trim_suffix,
        ("trimstr", 1) => text::trim_both,
        ("split", 1) => text::split,
        ("join", 1) => text::join,
        ("contains", 1) => collections::contains,
        ("has", 1) => collections::has,
        ("indices", 1) => collections::indices,
        // Not listed, but there: the reference's own helper.
        ("_strindices", 1) => collections::string_indices_checked,
        ("index", 1) => collections::index,
        ("rindex", 1) => collections::rindex,
        ("flatten", 1) => collections::flatten_levels,
        ("bsearch", 1) => collections::binary_search,
        ("format", 1) => formats::format_named,
        ("delpaths", 1) => collections::delpaths,
        ("setpath", 2) => collections::setpath,
        _ => return None,
    })
}

fn call0(name: &str, options: &Options) -> Option<Node> {
    let of_type = |name: &str| select(type_is(name));
    Some(match name {
        "empty" => empty(),
        "first" => item_step(0.0),
        "last" => item_step(-1.0),
        "recurse" => recurse_all(),
        "env" => env(options),
        "add" => one(Special::Add, [iterate()]),
        "any" => one(Special::Any, [iterate(), Node::identity()]),
        "all" => one(Special::All, [iterate(), Node::identity()]),
        "paths" => many(Special::Paths, [Node::single(Op::Const(Const::Bool(true)))]),
        "combinations" => many(Special::Combinations, []),
        "tostream" => many(Special::ToStream, []),
        // Without inputs besides the one, there is nothing more to read.
        "inputs" => empty(),
        "debug" | "stderr" => Node::identity(),
        "input_filename" | "get_prog_origin" | "get_jq_origin" => Node::null(),
        "get_search_list" => constant(&Value::array(Vec::new())),
        "have_decnum" | "have_literal_numbers" => Node::single(Op::Const(Const::Bool(true))),
        "builtins" => {
            let names = NAMES.iter().map(|name| Value::str(name)).collect();
            constant(&Value::array(names))
        }
        "nulls" => of_type("null"),
        "booleans" => of_type("boolean"),
        "numbers" => of_type("number"),
        "strings" => of_type("string"),
        "arrays" => of_type("array"),
        "objects" => of_type("object"),
        "iterables" => select(Node::single(Op::Or(
            Box::new(type_is("array")),
            Box::new(type_is("object")),
        ))),
        "scalars" => select(
            Node::single(Op::Or(
                Box::new(type_is("array")),
                Box::new(type_is("object")),
            ))
            .then(native(core::not, [])),
        ),
        "values" => select(binary(BinaryOp::NotEqual, Node::identity(), Node::null())),
        "finites" => select(native(core::is_finite, [])),
        "normals" => select(native(core::is_normal, [])),
        _ => return None,
    })
}

fn binary(op: BinaryOp, left: Node, right: Node) -> Node {
    let single = left.single && right.single;
    Node {
        op: Op::Binary {
            op,
            left: Box::new(left),
            right: Box::new(right),
        },
        single,
    }
}

fn type_is(name: &str) -> Node {
    binary(
        BinaryOp::Equal,
        native(core::type_name, []),
        Node::string(name),
    )
}

fn call1(name: &str, arg: Node) -> Option<Node> {
    Some(match name {
        "map" => collect(iterate().then(arg)),
        "select" => select(arg),
        "map_values" => Node::single(Op::Modify {
            paths: Box::new(iterate()),
            update: Box::new(arg),
        }),
        "error" => arg.then(native(core::error, [])),
        "path" => many(Special::Path, [arg]),
        "getpath" => {
            let single = arg.single;
            Node {
                op: Op::Special(Special::GetPath, [arg].into()),
                single,
            }
        }
        "del" => one(Special::Del, [arg]),
        "pick" => one(Special::Pick, [arg]),
        "paths" => many(Special::Paths, [arg]),
        "recurse" => many(Special::Recurse, [arg]),
        "first" => many(Special::First, [arg]),
        "last" => many(Special::Last, [arg]),
        "nth" => {
            let single = arg.single;
            let (target, key) = (Box::new(Node::identity()), Box::new(arg));
            Node {
                op: Op::Index {
                    target,
                    key,
                    optional: false,
                },
                single,
            }
        }
        "isempty" => one(Special::IsEmpty, [arg]),
        "repeat" => many(Special::Repeat, [arg]),
        "range" => {
            let zero = Node::single(Op::Const(Const::Num(0.0)));
            many(Special::Range, [zero, arg])
        }
        "add" => one(Special::Add, [arg]),
        "any" => one(Special::Any, [iterate(), arg]),
        "all" => one(Special::All, [iterate(), arg]),
        "sort_by" => one(Special::SortBy, [arg]),
        "group_by" => one(Special::GroupBy, [arg]),
        "unique_by" => one(Special::UniqueBy, [arg]),
        "min_by" => one(Special::MinBy, [arg]),
        "max_by" => one(Special::MaxBy, [arg]),
        "with_entries" => one(Special::WithEntries, [arg]),
        "walk" => many(Special::Walk, [arg]),
        "in" => many(Special::In, [arg]),
        "inside" => many(Special::Inside, [arg]),
        "combinations" => many(Special::Combinations, [arg]),
        "fromstream" => many(Special::FromStream, [arg]),
        "truncate_stream" => many(Special::TruncateStream, [arg]),
        // The message is evaluated, for its errors; nobody listens to it.
        "debug" => {
            let quiet = arg.then(empty());
            Node::many(Op::Comma([quiet, Node::identity()].into()))
        }
        "test" => regex(RegexAction::Test, arg, Node::null()),
        "match" => regex(RegexAction::Match, arg, Node::null()),
        "capture" => regex(RegexAction::Capture, arg, Node::null()),
        "scan" => regex(RegexAction::Scan, arg, Node::null()),
        "splits" => regex(RegexAction::Splits, arg, Node::null()),
        "IN" => {
            let same = binary(BinaryOp::Equal, arg, Node::identity());
            one(Special::Any, [same, Node::identity()])
        }
        "INDEX" => one(Special::Index, [iterate(), arg]),
        _ => return None,
    })
}

fn call2(name: &str, first: Node, second: Node) -> Option<Node> {
    Some(match name {
        "recurse" => many(Special::Recurse, [first.then(select(second))]),
        "range" => many(Special::Range, [first, second]),
        "limit" => many(Special::Limit, [first, second]),
        "skip" => many(Special::Skip, [first, second]),
        "nth" => many(Special::Nth, [first, second]),
        "until" => many(Special::Until, [first, second]),
        "while" => many(Special::While, [first, second]),
        "any" => one(Special::Any, [first, second]),
        "all" => one(Special::All, [first, second]),
        "test" => regex(RegexAction::Test, first, second),
        "match" => regex(RegexAction::Match, first, second),
        "capture" => regex(RegexAction::Capture, first, second),
        "scan" => regex(RegexAction::Scan, first, second),
        "split" => regex(RegexAction::Split, first, second),
        "splits" => regex(RegexAction::Splits, first, second),
        "sub" => substitute(first, second, Node::null(), false),
        "gsub" => substitute(first, second, Node::null(), true),
        "IN" => {
            let same = binary(BinaryOp::Equal, first, second);
            one(Special::Any, [same, Node::identity()])
        }
        "INDEX" => one(Special::Index, [first, second]),
        "JOIN" => {
            let single = first.single;
            Node {
                op: Op::Special(Special::Join, [first, second].into()),
                single,
            }
        }
        _ => return None,
    })
}

fn call3(name: &str, first: Node, second: Node, third: Node) -> Option<Node> {
    Some(match name {
        "range" => many(Special::RangeBy, [first, second, third]),
        "sub" => substitute(first, second, third, false),
        "gsub" => substitute(first, second, third, true),
        "JOIN" => many(Special::Join, [first, second, third]),
        _ => return None,
    })
}
