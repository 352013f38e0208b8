//! The table of builtins: from names and arguments to nodes.

use super::constant;
use super::natives::{NativeFn, Run};
use crate::builtins::{core, dates, formats, math};
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
        ("utf8bytelength", 0) => core::utf8_byte_length,
        ("type", 0) => core::type_name,
        ("keys", 0) => core::keys,
        ("keys_unsorted", 0) => core::keys_unsorted,
        ("tostring", 0) => core::to_string,
        ("tonumber", 0) => core::to_number,
        ("toboolean", 0) => core::to_boolean,
        ("tojson", 0) => core::to_json,
        ("fromjson", 0) => core::from_json,
        ("ascii_downcase", 0) => core::ascii_downcase,
        ("ascii_upcase", 0) => core::ascii_upcase,
        ("explode", 0) => core::explode,
        ("implode", 0) => core::implode,
        ("trim", 0) => core::trim,
        ("ltrim", 0) => core::trim_start,
        ("rtrim", 0) => core::trim_end,
        ("sort", 0) => core::sort,
        ("unique", 0) => core::unique,
        ("min", 0) => core::min,
        ("max", 0) => core::max,
        ("reverse", 0) => core::reverse,
        ("transpose", 0) => core::transpose,
        ("flatten", 0) => core::flatten,
        ("to_entries", 0) => core::to_entries,
        ("from_entries", 0) => core::from_entries,
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
        ("startswith", 1) => core::starts_with,
        ("endswith", 1) => core::ends_with,
        ("ltrimstr", 1) => core::trim_prefix,
        ("rtrimstr", 1) => core::trim_suffix,
        ("trimstr", 1) => core::trim_both,
        ("split", 1) => core::split,
        ("join", 1) => core::join,
        ("contains", 1) => core::contains,
        ("has", 1) => core::has,
        ("indices", 1) => core::indices,
        // Not listed, but there: the reference's own helper.
        ("_strindices", 1) => core::string_indices_checked,
        ("index", 1) => core::index,
        ("rindex", 1) => core::rindex,
        ("flatten", 1) => core::flatten_levels,
        ("bsearch", 1) => core::binary_search,
        ("format", 1) => formats::format_named,
        ("delpaths", 1) => core::delpaths,
        ("setpath", 2) => core::setpath,
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

/// What the author may have meant: a builtin of another arity, or of a similar name.
pub(super) fn nearest(name: &str, arity: usize) -> Option<String> {
    let split = |entry: &'static str| entry.rsplit_once('/');
    let arities: Vec<&str> = NAMES
        .iter()
        .filter_map(|entry| split(entry))
        .filter(|(n, _)| *n == name)
        .map(|(_, a)| a)
        .collect();
    if !arities.is_empty() {
        return Some(format!("{name}/{}", arities.join(&format!(" or {name}/"))));
    }
    let candidates = NAMES.iter().filter_map(|entry| {
        let (known, known_arity) = split(entry)?;
        let distance = edit_distance(name, known);
        let close = distance * 3 <= known.len().max(3);
        close.then_some((distance, known_arity != arity.to_string(), *entry))
    });
    candidates.min().map(|(_, _, entry)| entry.to_owned())
}

fn edit_distance(left: &str, right: &str) -> usize {
    // Names are short; anything long is no misspelling of one.
    if left.len() > 32 {
        return usize::MAX / 4;
    }
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = substituted.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

/// What `builtins` lists.
pub(crate) const NAMES: [&str; 226] = [
    "IN/1",
    "IN/2",
    "INDEX/1",
    "INDEX/2",
    "JOIN/2",
    "JOIN/3",
    "JOIN/4",
    "abs/0",
    "acos/0",
    "acosh/0",
    "add/0",
    "add/1",
    "all/0",
    "all/1",
    "all/2",
    "any/0",
    "any/1",
    "any/2",
    "arrays/0",
    "ascii_downcase/0",
    "ascii_upcase/0",
    "asin/0",
    "asinh/0",
    "atan/0",
    "atan2/2",
    "atanh/0",
    "booleans/0",
    "bsearch/1",
    "builtins/0",
    "capture/1",
    "capture/2",
    "cbrt/0",
    "ceil/0",
    "combinations/0",
    "combinations/1",
    "contains/1",
    "copysign/2",
    "cos/0",
    "cosh/0",
    "debug/0",
    "debug/1",
    "del/1",
    "delpaths/1",
    "drem/2",
    "empty/0",
    "endswith/1",
    "env/0",
    "erf/0",
    "erfc/0",
    "error/0",
    "error/1",
    "exp/0",
    "exp10/0",
    "exp2/0",
    "explode/0",
    "expm1/0",
    "fabs/0",
    "fdim/2",
    "finites/0",
    "first/0",
    "first/1",
    "flatten/0",
    "flatten/1",
    "floor/0",
    "fma/3",
    "fmax/2",
    "fmin/2",
    "fmod/2",
    "format/1",
    "frexp/0",
    "from_entries/0",
    "fromdate/0",
    "fromdateiso8601/0",
    "fromjson/0",
    "fromstream/1",
    "gamma/0",
    "get_jq_origin/0",
    "get_prog_origin/0",
    "get_search_list/0",
    "getpath/1",
    "gmtime/0",
    "group_by/1",
    "gsub/2",
    "gsub/3",
    "halt/0",
    "halt_error/0",
    "halt_error/1",
    "has/1",
    "have_decnum/0",
    "have_literal_numbers/0",
    "hypot/2",
    "implode/0",
    "in/1",
    "index/1",
    "indices/1",
    "infinite/0",
    "input/0",
    "input_filename/0",
    "input_line_number/0",
    "inputs/0",
    "inside/1",
    "isempty/1",
    "isfinite/0",
    "isinfinite/0",
    "isnan/0",
    "isnormal/0",
    "iterables/0",
    "j0/0",
    "j1/0",
    "jn/2",
    "join/1",
    "keys/0",
    "keys_unsorted/0",
    "last/0",
    "last/1",
    "ldexp/2",
    "length/0",
    "lgamma/0",
    "lgamma_r/0",
    "limit/2",
    "localtime/0",
    "log/0",
    "log10/0",
    "log1p/0",
    "log2/0",
    "logb/0",
    "ltrim/0",
    "ltrimstr/1",
    "map/1",
    "map_values/1",
    "match/1",
    "match/2",
    "max/0",
    "max_by/1",
    "min/0",
    "min_by/1",
    "mktime/0",
    "modf/0",
    "modulemeta/0",
    "nan/0",
    "nearbyint/0",
    "nextafter/2",
    "nexttoward/2",
    "normals/0",
    "not/0",
    "now/0",
    "nth/1",
    "nth/2",
    "nulls/0",
    "numbers/0",
    "objects/0",
    "path/1",
    "paths/0",
    "paths/1",
    "pick/1",
    "pow/2",
    "range/1",
    "range/2",
    "range/3",
    "recurse/0",
    "recurse/1",
    "recurse/2",
    "remainder/2",
    "repeat/1",
    "reverse/0",
    "rindex/1",
    "rint/0",
    "round/0",
    "rtrim/0",
    "rtrimstr/1",
    "scalars/0",
    "scalb/2",
    "scalbln/2",
    "scan/1",
    "scan/2",
    "select/1",
    "setpath/2",
    "significand/0",
    "sin/0",
    "sinh/0",
    "skip/2",
    "sort/0",
    "sort_by/1",
    "split/1",
    "split/2",
    "splits/1",
    "splits/2",
    "sqrt/0",
    "startswith/1",
    "stderr/0",
    "strflocaltime/1",
    "strftime/1",
    "strings/0",
    "strptime/1",
    "sub/2",
    "sub/3",
    "tan/0",
    "tanh/0",
    "test/1",
    "test/2",
    "tgamma/0",
    "to_entries/0",
    "toboolean/0",
    "todate/0",
    "todateiso8601/0",
    "tojson/0",
    "tonumber/0",
    "tostream/0",
    "tostring/0",
    "transpose/0",
    "trim/0",
    "trimstr/1",
    "trunc/0",
    "truncate_stream/1",
    "type/0",
    "unique/0",
    "unique_by/1",
    "until/2",
    "utf8bytelength/0",
    "values/0",
    "walk/1",
    "while/2",
    "with_entries/1",
    "y0/0",
    "y1/0",
    "yn/2",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_listed_is_there() {
        for entry in NAMES {
            let (name, arity) = entry.rsplit_once('/').unwrap();
            let args = (0..arity.parse().unwrap())
                .map(|_| Node::identity())
                .collect();
            assert!(call(name, args, &Options::default()).is_some(), "{entry}");
        }
    }

    #[test]
    fn misspellings_are_recognized() {
        assert_eq!(nearest("to_entires", 0).as_deref(), Some("to_entries/0"));
        assert_eq!(
            nearest("splits", 0).as_deref(),
            Some("splits/1 or splits/2")
        );
        assert_eq!(nearest("frobnicate", 0), None);
    }
}
