//! Searching, arrays and objects.

use std::cmp::Ordering;

use super::core::{Args, argument, length};
use crate::eval::{Ctx, Flow, Res, Stop, type_error, type_error2};
use crate::value::{Key, Kind, Map, Value};

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
