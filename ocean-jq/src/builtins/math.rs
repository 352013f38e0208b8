//! The mathematical functions of the C library, under their names there.

use crate::compile::natives::Run;
use crate::eval::{Ctx, Res, Stop, type_error};
use crate::value::Value;

fn number<'a>(value: &Value<'a>) -> Result<f64, Stop<'a>> {
    value
        .as_f64()
        .ok_or_else(|| type_error(value, "number required"))
}

/// A function of the input.
macro_rules! of_input {
    ($function:expr) => {{
        fn run<'a>(_: &mut Ctx<'a>, input: Value<'a>, _: &mut [Value<'a>]) -> Res<'a> {
            let function: fn(f64) -> f64 = $function;
            Ok(Value::number(function(number(&input)?)))
        }
        run as Run
    }};
}

/// A function of two arguments; the input does not matter.
macro_rules! of_two {
    ($function:expr) => {{
        fn run<'a>(_: &mut Ctx<'a>, _: Value<'a>, args: &mut [Value<'a>]) -> Res<'a> {
            let function: fn(f64, f64) -> f64 = $function;
            match args {
                [first, second] => Ok(Value::number(function(number(first)?, number(second)?))),
                _ => Ok(Value::NULL),
            }
        }
        run as Run
    }};
}

/// The mathematical builtin of a name and arity.
pub(crate) fn function(name: &str, arity: usize) -> Option<Run> {
    match arity {
        0 => function0(name),
        2 => function2(name),
        3 if name == "fma" => Some(fma),
        _ => None,
    }
}

fn function0(name: &str) -> Option<Run> {
    Some(match name {
        "acos" => of_input!(f64::acos),
        "acosh" => of_input!(libm::acosh),
        "asin" => of_input!(f64::asin),
        "asinh" => of_input!(libm::asinh),
        "atan" => of_input!(f64::atan),
        "atanh" => of_input!(libm::atanh),
        "cbrt" => of_input!(f64::cbrt),
        "ceil" => of_input!(f64::ceil),
        "cos" => of_input!(f64::cos),
        "cosh" => of_input!(f64::cosh),
        "erf" => of_input!(libm::erf),
        "erfc" => of_input!(libm::erfc),
        "exp" => of_input!(f64::exp),
        "exp10" => of_input!(exp10),
        "exp2" => of_input!(f64::exp2),
        "expm1" => of_input!(f64::exp_m1),
        "fabs" => of_input!(f64::abs),
        "floor" => of_input!(f64::floor),
        "gamma" | "lgamma" => of_input!(libm::lgamma),
        "j0" => of_input!(libm::j0),
        "j1" => of_input!(libm::j1),
        "log" => of_input!(f64::ln),
        "log10" => of_input!(f64::log10),
        "log1p" => of_input!(f64::ln_1p),
        "log2" => of_input!(f64::log2),
        "logb" => of_input!(logb),
        "nearbyint" | "rint" => of_input!(f64::round_ties_even),
        "round" => of_input!(f64::round),
        "significand" => of_input!(significand),
        "sin" => of_input!(f64::sin),
        "sinh" => of_input!(f64::sinh),
        "sqrt" => of_input!(f64::sqrt),
        "tan" => of_input!(f64::tan),
        "tanh" => of_input!(f64::tanh),
        "tgamma" => of_input!(libm::tgamma),
        "trunc" => of_input!(f64::trunc),
        "y0" => of_input!(libm::y0),
        "y1" => of_input!(libm::y1),
        "frexp" => frexp,
        "modf" => modf,
        "lgamma_r" => lgamma_r,
        _ => return None,
    })
}

fn function2(name: &str) -> Option<Run> {
    Some(match name {
        "atan2" => of_two!(f64::atan2),
        "copysign" => of_two!(f64::copysign),
        "drem" | "remainder" => of_two!(libm::remainder),
        "fdim" => of_two!(libm::fdim),
        "fmax" => of_two!(f64::max),
        "fmin" => of_two!(f64::min),
        "fmod" => of_two!(|left, right| left % right),
        "hypot" => of_two!(f64::hypot),
        "jn" => of_two!(|order, x| libm::jn(order as i32, x)),
        "yn" => of_two!(|order, x| libm::yn(order as i32, x)),
        "ldexp" => of_two!(|x, exponent| libm::ldexp(x, exponent as i32)),
        "nextafter" | "nexttoward" => of_two!(libm::nextafter),
        "pow" => of_two!(f64::powf),
        "scalb" => of_two!(scalb),
        "scalbln" => of_two!(|x, exponent| libm::scalbn(x, exponent as i32)),
        _ => return None,
    })
}

fn fma<'a>(_: &mut Ctx<'a>, _: Value<'a>, args: &mut [Value<'a>]) -> Res<'a> {
    match args {
        [x, y, z] => Ok(Value::number(number(x)?.mul_add(number(y)?, number(z)?))),
        _ => Ok(Value::NULL),
    }
}

fn exp10(x: f64) -> f64 {
    // Whole powers are exact in the C library.
    if x == x.trunc() && x.abs() <= 308.0 {
        return format!("1e{x}").parse().unwrap_or(f64::NAN);
    }
    libm::exp10(x)
}

/// The exponent of a number as a number.
fn logb(x: f64) -> f64 {
    if x == 0.0 {
        f64::NEG_INFINITY
    } else if x.is_infinite() {
        f64::INFINITY
    } else if x.is_nan() {
        x
    } else {
        f64::from(libm::ilogb(x))
    }
}

/// The fraction of a number, scaled to between one and two.
fn significand(x: f64) -> f64 {
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    libm::scalbn(x, -libm::ilogb(x))
}

fn scalb(x: f64, exponent: f64) -> f64 {
    if exponent.is_nan() || x.is_nan() {
        return f64::NAN;
    }
    if exponent.is_infinite() {
        return if exponent > 0.0 {
            x * exponent
        } else {
            x / -exponent
        };
    }
    if exponent != exponent.trunc() {
        return f64::NAN;
    }
    libm::scalbn(x, exponent as i32)
}

fn frexp<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: &mut [Value<'a>]) -> Res<'a> {
    let x = number(&input)?;
    let (fraction, exponent) = if x.is_finite() {
        libm::frexp(x)
    } else {
        (x, 0)
    };
    ctx.array(vec![
        Value::number(fraction),
        Value::number(f64::from(exponent)),
    ])
}

fn modf<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: &mut [Value<'a>]) -> Res<'a> {
    let x = number(&input)?;
    let fraction = if x.is_infinite() {
        0.0_f64.copysign(x)
    } else {
        x - x.trunc()
    };
    ctx.array(vec![
        Value::number(fraction.copysign(x)),
        Value::number(x.trunc()),
    ])
}

fn lgamma_r<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: &mut [Value<'a>]) -> Res<'a> {
    let (value, sign) = libm::lgamma_r(number(&input)?);
    ctx.array(vec![Value::number(value), Value::number(f64::from(sign))])
}
