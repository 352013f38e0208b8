//! Strings and their JSON.

use super::core::{Args, argument};
use crate::document;
use crate::eval::{Ctx, Res, Stop, type_error};
use crate::value::{Kind, Repr, Value};

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
