//! Types, numbers, strings, arrays and objects.

use std::cmp::Ordering;

use crate::document;
use crate::eval::{Ctx, Flow, Res, Stop, StopKind, type_error, type_error2};
use crate::number;
use crate::value::{Key, Kind, Map, Repr, Text, Value};

type Args<'s, 'a> = &'s mut [Value<'a>];

fn argument<'a>(args: Args<'_, 'a>) -> Value<'a> {
    match args.first_mut() {
        Some(value) => std::mem::replace(value, Value::NULL),
        None => Value::NULL,
    }
}

// === Types and tests ===

pub(crate) fn not<'a>(_: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    Ok(Value::boolean(!input.is_truthy()))
}

pub(crate) fn type_name<'a>(_: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    Ok(Value::str(input.kind().name()))
}

pub(crate) fn is_nan<'a>(_: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    Ok(Value::boolean(input.as_f64().is_some_and(f64::is_nan)))
}

pub(crate) fn is_infinite<'a>(_: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    Ok(Value::boolean(input.as_f64().is_some_and(f64::is_infinite)))
}

pub(crate) fn is_finite<'a>(_: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    Ok(Value::boolean(
        input.as_f64().is_some_and(|number| !number.is_infinite()),
    ))
}

pub(crate) fn is_normal<'a>(_: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    Ok(Value::boolean(input.as_f64().is_some_and(f64::is_normal)))
}

pub(crate) fn infinite<'a>(_: &mut Ctx<'a>, _: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    Ok(Value::number(f64::INFINITY))
}

pub(crate) fn nan<'a>(_: &mut Ctx<'a>, _: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    Ok(Value::number(f64::NAN))
}

// === Control ===

pub(crate) fn error<'a>(_: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    Err(Stop::error(input))
}

pub(crate) fn halt<'a>(_: &mut Ctx<'a>, _: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    Err(Stop(Box::new(StopKind::Halt {
        exit_code: 0,
        value: None,
    })))
}

pub(crate) fn halt_error<'a>(_: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    Err(Stop(Box::new(StopKind::Halt {
        exit_code: 5,
        value: Some(input),
    })))
}

pub(crate) fn halt_error_code<'a>(
    _: &mut Ctx<'a>,
    input: Value<'a>,
    args: Args<'_, 'a>,
) -> Res<'a> {
    match argument(args).as_f64() {
        Some(code) => Err(Stop(Box::new(StopKind::Halt {
            exit_code: code as i32,
            value: Some(input),
        }))),
        None => Err(type_error(&input, "halt_error/1: number required")),
    }
}

/// There is no input besides the one.
pub(crate) fn input<'a>(_: &mut Ctx<'a>, _: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    Err(Stop::message("break"))
}

pub(crate) fn input_line_number<'a>(_: &mut Ctx<'a>, _: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    Err(Stop::message("Unknown input line number"))
}

pub(crate) fn module_meta<'a>(_: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    match input.as_str() {
        Some(_) => Err(Stop::message("modules are not supported")),
        None => Err(Stop::message(
            "modulemeta input module name must be a string",
        )),
    }
}

pub(crate) fn now<'a>(ctx: &mut Ctx<'a>, _: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    Ok(Value::number(ctx.code.clock.seconds()))
}

// === Numbers ===

pub(crate) fn negate<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    match (input.literal_text(), input.as_f64()) {
        (Some(text), _) => signed(ctx, text, !number::is_negative(text)),
        // A plain zero may stand for a literal, whose negation has no sign.
        (None, Some(0.0)) => Ok(Value::number(0.0)),
        (None, Some(value)) => Ok(Value::number(-value)),
        (None, None) => Err(type_error(&input, "cannot be negated")),
    }
}

fn signed<'a>(ctx: &mut Ctx<'a>, text: &str, negative: bool) -> Res<'a> {
    ctx.charge(text.len() + 32)?;
    Ok(Value(Repr::LitOwn(std::rc::Rc::new(number::with_sign(
        text, negative,
    )))))
}

pub(crate) fn abs<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, args: Args<'_, 'a>) -> Res<'a> {
    // Anything that sorts below zero is negated, and fails to be unless it is a number.
    if ctx.compare(&input, &Value::number(0.0))?.is_lt() {
        return negate(ctx, input, args);
    }
    Ok(input)
}

pub(crate) fn to_number<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    const PROBLEM: &str = "cannot be parsed as a number";
    if input.kind() == Kind::Number {
        return Ok(input);
    }
    let Some(text) = input.as_str() else {
        return Err(type_error(&input, PROBLEM));
    };
    if let Some(special) = document::special_number(text) {
        return Ok(Value::number(special));
    }
    if number::is_plain_integer(text.as_bytes()) {
        return Ok(Value::number(number::literal_to_f64(text)));
    }
    if number::Decimal::parse(text).is_none() {
        return Err(type_error(&input, PROBLEM));
    }
    ctx.charge(text.len() + 32)?;
    Ok(Value(match input.as_text() {
        Some(Text::Own(text)) => Repr::LitOwn(text),
        Some(Text::Ref(text)) => Repr::LitRef(text),
        None => Repr::Null,
    }))
}

pub(crate) fn to_boolean<'a>(_: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    match (input.as_bool(), input.as_str()) {
        (Some(_), _) => Ok(input),
        (None, Some("true")) => Ok(Value::boolean(true)),
        (None, Some("false")) => Ok(Value::boolean(false)),
        _ => Err(type_error(&input, "cannot be parsed as a boolean")),
    }
}

pub(crate) fn length<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, args: Args<'_, 'a>) -> Res<'a> {
    match input.kind() {
        Kind::Null => Ok(Value::number(0.0)),
        Kind::Boolean => Err(type_error(&input, "has no length")),
        Kind::Number => match input.literal_text() {
            Some(text) if number::is_negative(text) => negate(ctx, input, args),
            Some(_) => Ok(input),
            None => Ok(Value::number(input.as_f64().unwrap_or(0.0).abs())),
        },
        Kind::String => {
            let text = input.as_str().unwrap_or_default();
            ctx.work(text.len() / 64)?;
            Ok(Value::number(text.chars().count() as f64))
        }
        Kind::Array | Kind::Object => Ok(Value::number(input.len().unwrap_or(0) as f64)),
    }
}

// === Strings ===

pub(crate) fn utf8_byte_length<'a>(_: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    match input.as_str() {
        Some(text) => Ok(Value::number(text.len() as f64)),
        None => Err(type_error(&input, "only strings have UTF-8 byte length")),
    }
}

pub(crate) fn to_string<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    ctx.text_of(input)
}

pub(crate) fn to_json<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    let text = ctx.json_of(&input)?;
    Ok(Value::string(text))
}

pub(crate) fn from_json<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    let Some(text) = input.as_str() else {
        return Err(type_error(&input, "only strings can be parsed"));
    };
    // The parsed tree, then the values copied out of it.
    ctx.charge(text.len().saturating_mul(4))?;
    ctx.work(text.len() / 8)?;
    let parsing = |problem: String| {
        let shown: String = text.chars().take(200).collect();
        Stop::message(format!("{problem} (while parsing '{shown}')"))
    };
    if text.trim_matches([' ', '\t', '\r', '\n']).is_empty() {
        return Err(parsing("Expected JSON value".to_owned()));
    }
    let parsed = document::parse_lenient(text).map_err(|error| parsing(error.to_string()))?;
    thaw(ctx, &parsed.root())
}

/// Copies a parsed value, level by level and without recursion.
fn thaw<'a>(ctx: &mut Ctx<'a>, value: &Value<'_>) -> Res<'a> {
    document::thaw(value, ctx.stack_floor())
        .ok_or_else(|| Stop::limit(crate::limits::LimitKind::Stack))
}

pub(crate) fn ascii_downcase<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    change_case(
        ctx,
        input,
        |byte| byte.is_ascii_uppercase(),
        str::to_ascii_lowercase,
    )
}

pub(crate) fn ascii_upcase<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    change_case(
        ctx,
        input,
        |byte| byte.is_ascii_lowercase(),
        str::to_ascii_uppercase,
    )
}

fn change_case<'a>(
    ctx: &mut Ctx<'a>,
    input: Value<'a>,
    changes: fn(&u8) -> bool,
    change: fn(&str) -> String,
) -> Res<'a> {
    let Some(text) = input.as_str() else {
        return Err(Stop::message("explode input must be a string"));
    };
    ctx.work(text.len() / 64)?;
    if !text.as_bytes().iter().any(changes) {
        return Ok(input);
    }
    let changed = change(text);
    ctx.string(changed)
}

pub(crate) fn explode<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    let Some(text) = input.as_str() else {
        return Err(Stop::message("explode input must be a string"));
    };
    ctx.charge_items(text.len())?;
    Ok(Value::array(
        text.chars()
            .map(|c| Value::number(f64::from(u32::from(c))))
            .collect(),
    ))
}

pub(crate) fn implode<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    if input.kind() != Kind::Array {
        return Err(Stop::message("implode input must be an array"));
    }
    let mut text = String::with_capacity(input.len().unwrap_or(0));
    for item in input.items() {
        ctx.work(1)?;
        let code = item.as_f64().filter(|code| !code.is_nan()).ok_or_else(|| {
            type_error(
                &item,
                "can't be imploded, unicode codepoint needs to be numeric",
            )
        })?;
        let character = if code < 0.0 {
            None
        } else {
            char::from_u32(code as u32)
        };
        text.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    ctx.string(text)
}

/// What the reference takes for white space when trimming.
fn is_space(character: char) -> bool {
    character.is_whitespace()
}

fn trimmed<'a>(
    ctx: &mut Ctx<'a>,
    input: Value<'a>,
    trim: impl for<'t> FnOnce(&'t str) -> &'t str,
) -> Res<'a> {
    let shorter = match &input.0 {
        Repr::StrRef(text) => return Ok(Value::str(trim(text))),
        Repr::StrOwn(text) => {
            let shorter = trim(text);
            if shorter.len() == text.len() {
                return Ok(input);
            }
            shorter.to_owned()
        }
        _ => return Err(Stop::message("trim input must be a string")),
    };
    ctx.string(shorter)
}

pub(crate) fn trim<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    trimmed(ctx, input, |text| text.trim_matches(is_space))
}

pub(crate) fn trim_start<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    trimmed(ctx, input, |text| text.trim_start_matches(is_space))
}

pub(crate) fn trim_end<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    trimmed(ctx, input, |text| text.trim_end_matches(is_space))
}

fn two_strings<'v, 'a>(
    left: &'v Value<'a>,
    right: &'v Value<'a>,
    message: &str,
) -> Result<(&'v str, &'v str), Stop<'a>> {
    match (left.as_str(), right.as_str()) {
        (Some(left), Some(right)) => Ok((left, right)),
        _ => Err(Stop::message(message)),
    }
}

const NEEDS_PREFIX: &str = "startswith() requires string inputs";
const NEEDS_SUFFIX: &str = "endswith() requires string inputs";

pub(crate) fn starts_with<'a>(_: &mut Ctx<'a>, input: Value<'a>, args: Args<'_, 'a>) -> Res<'a> {
    let prefix = argument(args);
    let (text, prefix) = two_strings(&input, &prefix, NEEDS_PREFIX)?;
    Ok(Value::boolean(text.starts_with(prefix)))
}

pub(crate) fn ends_with<'a>(_: &mut Ctx<'a>, input: Value<'a>, args: Args<'_, 'a>) -> Res<'a> {
    let suffix = argument(args);
    let (text, suffix) = two_strings(&input, &suffix, NEEDS_SUFFIX)?;
    Ok(Value::boolean(text.ends_with(suffix)))
}

pub(crate) fn trim_prefix<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, args: Args<'_, 'a>) -> Res<'a> {
    let prefix = argument(args);
    two_strings(&input, &prefix, NEEDS_PREFIX)?;
    let prefix = prefix.as_str().unwrap_or_default();
    trimmed(ctx, input, |text| text.strip_prefix(prefix).unwrap_or(text))
}

pub(crate) fn trim_suffix<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, args: Args<'_, 'a>) -> Res<'a> {
    let suffix = argument(args);
    two_strings(&input, &suffix, NEEDS_SUFFIX)?;
    let suffix = suffix.as_str().unwrap_or_default();
    trimmed(ctx, input, |text| text.strip_suffix(suffix).unwrap_or(text))
}

pub(crate) fn trim_both<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, args: Args<'_, 'a>) -> Res<'a> {
    let affix = argument(args);
    let shorter = trim_prefix(ctx, input, &mut [affix.clone()])?;
    trim_suffix(ctx, shorter, &mut [affix])
}

pub(crate) fn split<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, args: Args<'_, 'a>) -> Res<'a> {
    let separator = argument(args);
    two_strings(
        &input,
        &separator,
        "split input and separator must be strings",
    )?;
    ctx.split(&input, &separator)
}

/// Joins like a fold of additions: null counts as empty, numbers and booleans as their text.
pub(crate) fn join<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, args: Args<'_, 'a>) -> Res<'a> {
    let separator = argument(args);
    let Some(len) = input.len() else {
        return Err(Stop::message(format!(
            "Cannot iterate over {}",
            crate::eval::describe(&input)
        )));
    };
    let mut joined = Value::NULL;
    for at in 0..len {
        ctx.tick()?;
        let item = input.item_at(at).unwrap_or(Value::NULL);
        let head = match joined.kind() {
            Kind::Null => Value::str(""),
            _ => ctx.add(joined, separator.clone())?,
        };
        let item = match item.kind() {
            Kind::Null => Value::str(""),
            Kind::Number => ctx.text_of(item)?,
            Kind::Boolean => ctx.text_of(item)?,
            _ => item,
        };
        joined = ctx.add(head, item)?;
    }
    Ok(if joined.is_truthy() {
        joined
    } else {
        Value::str("")
    })
}

// === Searching ===

pub(crate) fn contains<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, args: Args<'_, 'a>) -> Res<'a> {
    let inner = argument(args);
    ctx.check_contains(&input, &inner)
}

pub(crate) fn has<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, args: Args<'_, 'a>) -> Res<'a> {
    let key = argument(args);
    ctx.has(&input, &key)
}

pub(crate) fn indices<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, args: Args<'_, 'a>) -> Res<'a> {
    let wanted = argument(args);
    match (input.kind(), wanted.kind()) {
        (Kind::Array, Kind::Array) => ctx.get(input, &wanted),
        (Kind::Array, _) => ctx.array_indices(&input, &Value::array(vec![wanted])),
        (Kind::String, Kind::String) => string_indices(ctx, &input, &wanted),
        _ => ctx.get(input, &wanted),
    }
}

pub(crate) fn string_indices_checked<'a>(
    ctx: &mut Ctx<'a>,
    input: Value<'a>,
    args: Args<'_, 'a>,
) -> Res<'a> {
    let wanted = argument(args);
    if input.kind() != Kind::String {
        return Err(type_error(
            &input,
            "cannot be searched, as it is not a string",
        ));
    }
    crate::eval::access::need_string(&wanted)?;
    string_indices(ctx, &input, &wanted)
}

/// Positions in characters, overlapping ones included.
fn string_indices<'a>(ctx: &mut Ctx<'a>, text: &Value<'a>, wanted: &Value<'a>) -> Res<'a> {
    let (text, wanted) = (
        text.as_str().unwrap_or_default(),
        wanted.as_str().unwrap_or_default(),
    );
    if wanted.is_empty() {
        return ctx.array(Vec::new());
    }
    let mut found = Vec::new();
    for (position, (at, _)) in text.char_indices().enumerate() {
        if text[at..].starts_with(wanted) {
            ctx.charge_items(1)?;
            found.push(Value::number(position as f64));
        }
        ctx.work(usize::from(position % 16 == 0))?;
    }
    ctx.array(found)
}

pub(crate) fn index<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, args: Args<'_, 'a>) -> Res<'a> {
    let found = indices(ctx, input, args)?;
    ctx.get(found, &Value::number(0.0))
}

pub(crate) fn rindex<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, args: Args<'_, 'a>) -> Res<'a> {
    let found = indices(ctx, input, args)?;
    let last = ctx.slice(found, &Value::number(-1.0), &Value::NULL)?;
    ctx.get(last, &Value::number(0.0))
}

pub(crate) fn binary_search<'a>(
    ctx: &mut Ctx<'a>,
    input: Value<'a>,
    args: Args<'_, 'a>,
) -> Res<'a> {
    let wanted = argument(args);
    if input.kind() != Kind::Array {
        return Err(type_error(&input, "cannot be searched from"));
    }
    let (mut start, mut end) = (0, input.len().unwrap_or(0));
    while start < end {
        ctx.work(1)?;
        let middle = start + (end - start) / 2;
        let item = input.get_index(middle).unwrap_or(Value::NULL);
        match ctx.compare(&wanted, &item)? {
            Ordering::Equal => return Ok(Value::number(middle as f64)),
            Ordering::Less => end = middle,
            Ordering::Greater => start = middle + 1,
        }
    }
    Ok(Value::number(-1.0 - start as f64))
}

// === Arrays and objects ===

fn need_array<'a>(input: &Value<'a>, problem: &str) -> Flow<'a> {
    match input.kind() {
        Kind::Array => Ok(()),
        _ => Err(type_error(input, problem)),
    }
}

const SORTABLE: &str = "cannot be sorted, as it is not an array";

pub(crate) fn sort<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    need_array(&input, SORTABLE)?;
    ctx.sort(input.into_items()).map(Value::array)
}

pub(crate) fn unique<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    need_array(&input, SORTABLE)?;
    let items: Vec<Value<'a>> = input.items().collect();
    ctx.unique(&items, &items)
}

pub(crate) fn min<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    extreme(ctx, &input, true)
}

pub(crate) fn max<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    extreme(ctx, &input, false)
}

fn extreme<'a>(ctx: &mut Ctx<'a>, input: &Value<'a>, least: bool) -> Res<'a> {
    if input.kind() != Kind::Array {
        return Err(type_error2(input, input, "cannot be iterated over"));
    }
    let items: Vec<Value<'a>> = input.items().collect();
    ctx.charge_items(items.len())?;
    ctx.extreme(&items, &items, least)
}

pub(crate) fn keys<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, args: Args<'_, 'a>) -> Res<'a> {
    if input.kind() != Kind::Object {
        return keys_unsorted(ctx, input, args);
    }
    let keys = ctx.sorted_keys(&input)?;
    ctx.array(keys.into_iter().map(Key::into_value).collect())
}

pub(crate) fn keys_unsorted<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    let keys = match input.kind() {
        Kind::Object => input.entries().map(|(key, _)| key.into_value()).collect(),
        Kind::Array => (0..input.len().unwrap_or(0))
            .map(|at| Value::number(at as f64))
            .collect(),
        _ => return Err(type_error(&input, "has no keys")),
    };
    ctx.array(keys)
}

/// As the reference computes it: items from behind, whatever has a length.
pub(crate) fn reverse<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, args: Args<'_, 'a>) -> Res<'a> {
    if input.kind() == Kind::Array {
        let mut items = input.into_items();
        ctx.charge_items(items.len())?;
        items.reverse();
        return Ok(Value::array(items));
    }
    let len = length(ctx, input.clone(), args)?.as_f64().unwrap_or(0.0);
    let mut items = Vec::new();
    let mut at = 0.0;
    while at < len {
        ctx.tick()?;
        items.push(ctx.get(input.clone(), &Value::number(len - 1.0 - at))?);
        at += 1.0;
    }
    ctx.array(items)
}

pub(crate) fn transpose<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    let Some(rows) = input.len() else {
        return Err(Stop::message(format!(
            "Cannot iterate over {}",
            crate::eval::describe(&input)
        )));
    };
    let mut width: Option<Value<'a>> = None;
    for row in input.items() {
        let len = length(ctx, row, &mut [])?;
        let wider = match &width {
            Some(width) => !ctx.compare(&len, width)?.is_lt(),
            None => true,
        };
        if wider {
            width = Some(len);
        }
    }
    let width = width.and_then(|width| width.as_f64()).unwrap_or(0.0);
    let mut columns = Vec::new();
    let mut column = 0.0;
    while column < width {
        ctx.charge_items(rows)?;
        let mut items = Vec::with_capacity(rows);
        for row in input.items() {
            ctx.work(1)?;
            items.push(ctx.get(row, &Value::number(column))?);
        }
        columns.push(Value::array(items));
        column += 1.0;
    }
    ctx.array(columns)
}

pub(crate) fn flatten<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    flatten_within(ctx, &input, f64::INFINITY)
}

pub(crate) fn flatten_levels<'a>(
    ctx: &mut Ctx<'a>,
    input: Value<'a>,
    args: Args<'_, 'a>,
) -> Res<'a> {
    let levels = argument(args);
    if ctx.compare(&levels, &Value::number(0.0))?.is_lt() {
        return Err(Stop::message("flatten depth must not be negative"));
    }
    match levels.as_f64() {
        Some(levels) => flatten_within(ctx, &input, levels),
        // The reference notices when it counts a level down.
        None => {
            let has_nested = input.items().any(|item| item.kind() == Kind::Array);
            if has_nested {
                ctx.subtract(levels, Value::number(1.0))?;
            }
            flatten_within(ctx, &input, 0.0)
        }
    }
}

/// Without recursion: open arrays wait on a list of their own.
fn flatten_within<'a>(ctx: &mut Ctx<'a>, input: &Value<'a>, levels: f64) -> Res<'a> {
    let Some(len) = input.len() else {
        return Err(Stop::message(format!(
            "Cannot iterate over {}",
            crate::eval::describe(input)
        )));
    };
    let mut flat = Vec::with_capacity(len);
    let mut open = vec![(input.clone(), 0)];
    while let Some((container, at)) = open.last_mut() {
        ctx.work(1)?;
        let Some(item) = container.item_at(*at) else {
            open.pop();
            continue;
        };
        *at += 1;
        let depth = (open.len() - 1) as f64;
        // A fraction of a level never becomes zero, so it never stops the reference.
        let stops = levels - depth == 0.0;
        if item.kind() == Kind::Array && !stops {
            open.push((item, 0));
        } else {
            ctx.charge_items(1)?;
            flat.push(item);
        }
    }
    Ok(Value::array(flat))
}

pub(crate) fn to_entries<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, args: Args<'_, 'a>) -> Res<'a> {
    let len = input.len().unwrap_or(0);
    if !matches!(input.kind(), Kind::Array | Kind::Object) {
        return keys_unsorted(ctx, input, args);
    }
    let mut entries = Vec::with_capacity(len);
    for at in 0..len {
        let (key, value) = match input.entry_at(at) {
            Some((key, value)) => (key.into_value(), value),
            None => (
                Value::number(at as f64),
                input.item_at(at).unwrap_or(Value::NULL),
            ),
        };
        let mut map = Map::with_capacity(2);
        map.push_unique(Key::Ref("key"), key);
        map.push_unique(Key::Ref("value"), value);
        entries.push(ctx.object(map)?);
    }
    ctx.array(entries)
}

/// Keys from `key`, `Key`, `name` or `Name`, the first that is true; values from `value` or `Value`.
pub(crate) fn from_entries<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: Args<'_, 'a>) -> Res<'a> {
    let Some(len) = input.len() else {
        return Err(Stop::message(format!(
            "Cannot iterate over {}",
            crate::eval::describe(&input)
        )));
    };
    let mut map = Map::with_capacity(len);
    for entry in input.items() {
        ctx.charge(size_of::<(Key<'_>, Value<'_>)>())?;
        ctx.work(1)?;
        let mut key = Value::NULL;
        for name in ["key", "Key", "name", "Name"] {
            key = ctx.get(entry.clone(), &Value::str(name))?;
            if key.is_truthy() {
                break;
            }
        }
        let has_value = ctx.has(&entry, &Value::str("value"))?.is_truthy();
        let value = ctx.get(
            entry,
            &Value::str(if has_value { "value" } else { "Value" }),
        )?;
        let key =
            Key::of(&key).ok_or_else(|| Stop::message(crate::compile::object_key_message(&key)))?;
        map.insert(key, value);
    }
    Ok(Value::object(map))
}

pub(crate) fn setpath<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, args: Args<'_, 'a>) -> Res<'a> {
    match args {
        [path, value] => ctx.setpath(input, path, value.clone()),
        _ => Ok(input),
    }
}

pub(crate) fn delpaths<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, args: Args<'_, 'a>) -> Res<'a> {
    let paths = argument(args);
    ctx.delpaths(input, &paths)
}
