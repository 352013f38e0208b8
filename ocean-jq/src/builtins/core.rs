//! Types, control and numbers.

use crate::document;
use crate::eval::{Ctx, Res, Stop, StopKind, type_error};
use crate::number;
use crate::value::{Kind, Repr, Text, Value};

pub(super) type Args<'s, 'a> = &'s mut [Value<'a>];

pub(super) fn argument<'a>(args: Args<'_, 'a>) -> Value<'a> {
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
