//! Dates: broken-down times and seconds since 1970, always in UTC.
//!
//! The semantics are those of the C library as the reference calls it: fields out of range are
//! carried over, fractions are cut towards zero, years beyond 32 bits are errors.

use super::strftime;
use super::strptime as parser;
use crate::eval::{Ctx, Res, Stop};
use crate::value::{Kind, Value};

/// A broken-down time, with the fields of the C library's `tm`: years since 1900, months from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tm {
    pub(super) year: i32,
    pub(super) month: i32,
    pub(super) day: i32,
    pub(super) hour: i32,
    pub(super) minute: i32,
    pub(super) second: i32,
    pub(super) weekday: i32,
    pub(super) yearday: i32,
}

const SECONDS_PER_DAY: i64 = 86_400;

/// Days before each month, in common and leap years.
pub(super) const MONTH_STARTS: [[i32; 13]; 2] = [
    [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365],
    [0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366],
];

pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar; months from 0.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years start in March here, so that the leap day is the last one.
    let shifted = (month + 10) % 12;
    let year = year - i64::from(month < 2);
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leaps + (153 * shifted + 2) / 5 + day - 1 - 719_468
}

/// The year, and the day in it from 0, of a day counted from 1970-01-01.
fn year_of_day(days: i64) -> (i64, i32) {
    // An estimate that is at most one year off, then corrected.
    let mut year = 1970 + (days * 400).div_euclid(146_097);
    while days_from_civil(year, 0, 1) > days {
        year -= 1;
    }
    while days_from_civil(year + 1, 0, 1) <= days {
        year += 1;
    }
    (year, (days - days_from_civil(year, 0, 1)) as i32)
}

// === impl Tm ===

impl Tm {
    /// The time a number of seconds after 1970; `None` when the year does not fit.
    pub(super) fn from_seconds(seconds: i64) -> Option<Tm> {
        // Far beyond what fits anyway; keeps the arithmetic from overflowing.
        if seconds.unsigned_abs() > 1 << 57 {
            return None;
        }
        let days = seconds.div_euclid(SECONDS_PER_DAY);
        let rest = seconds.rem_euclid(SECONDS_PER_DAY) as i32;
        let (year, yearday) = year_of_day(days);
        let starts = &MONTH_STARTS[usize::from(is_leap(year))];
        let month = starts
            .iter()
            .rposition(|&start| start <= yearday)
            .unwrap_or(0)
            .min(11);
        Some(Tm {
            year: i32::try_from(year - 1900).ok()?,
            month: month as i32,
            day: yearday - starts[month] + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            weekday: (days + 4).rem_euclid(7) as i32,
            yearday,
        })
    }

    /// Seconds after 1970; fields out of range are carried over.
    pub(super) fn to_seconds(self) -> i64 {
        let months = i64::from(self.month);
        let year = i64::from(self.year) + 1900 + months.div_euclid(12);
        let days = days_from_civil(year, months.rem_euclid(12), 1) + i64::from(self.day) - 1;
        days * SECONDS_PER_DAY
            + i64::from(self.hour) * 3600
            + i64::from(self.minute) * 60
            + i64::from(self.second)
    }

    /// The same time with every field in its range.
    fn normalized(self) -> Tm {
        Tm::from_seconds(self.to_seconds()).unwrap_or(self)
    }

    /// Reads the array form; `None` when a field is no number.
    fn from_value(value: &Value<'_>) -> Option<Tm> {
        let mut tm = Tm::default();
        let fields = [
            &mut tm.year,
            &mut tm.month,
            &mut tm.day,
            &mut tm.hour,
            &mut tm.minute,
            &mut tm.second,
            &mut tm.weekday,
            &mut tm.yearday,
        ];
        for (at, field) in fields.into_iter().enumerate() {
            let Some(item) = value.get_index(at) else {
                break;
            };
            let number = item.as_f64().filter(|number| !number.is_nan())?;
            *field = if at == 0 { number - 1900.0 } else { number } as i32;
        }
        Some(tm.normalized())
    }

    /// The array form; seconds carry the fraction.
    fn to_value<'a>(self, fraction: f64) -> Vec<Value<'a>> {
        let number = |value: i32| Value::number(f64::from(value));
        vec![
            Value::number(f64::from(self.year) + 1900.0),
            number(self.month),
            number(self.day),
            number(self.hour),
            number(self.minute),
            Value::number(f64::from(self.second) + fraction),
            number(self.weekday),
            number(self.yearday),
        ]
    }
}

// === Builtins ===

fn broken_down<'a>(seconds: f64) -> Result<Tm, Stop<'a>> {
    const PROBLEM: &str = "error converting number of seconds since epoch to datetime";
    let in_range = seconds.abs() < 9.2e18;
    let tm = if in_range {
        Tm::from_seconds(seconds as i64)
    } else {
        None
    };
    tm.ok_or_else(|| Stop::message(PROBLEM))
}

fn time_array<'a>(ctx: &mut Ctx<'a>, input: &Value<'a>, name: &str) -> Res<'a> {
    let Some(seconds) = input.as_f64() else {
        return Err(Stop::message(format!("{name}() requires numeric inputs")));
    };
    let tm = broken_down(seconds)?;
    ctx.array(tm.to_value(seconds - seconds.floor()))
}

pub(crate) fn gmtime<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: &mut [Value<'a>]) -> Res<'a> {
    time_array(ctx, &input, "gmtime")
}

/// There is no time zone but UTC.
pub(crate) fn localtime<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: &mut [Value<'a>]) -> Res<'a> {
    time_array(ctx, &input, "localtime")
}

pub(crate) fn mktime<'a>(_: &mut Ctx<'a>, input: Value<'a>, _: &mut [Value<'a>]) -> Res<'a> {
    if input.kind() != Kind::Array {
        return Err(Stop::message("mktime requires array inputs"));
    }
    let Some(tm) = Tm::from_value(&input) else {
        return Err(Stop::message("mktime requires parsed datetime inputs"));
    };
    match tm.to_seconds() {
        // The C library cannot tell this second from a failure.
        -1 => Err(Stop::message("invalid gmtime representation")),
        -2 => Err(Stop::message("mktime not supported on this platform")),
        seconds => Ok(Value::number(seconds as f64)),
    }
}

fn formatted<'a>(
    ctx: &mut Ctx<'a>,
    input: &Value<'a>,
    format: &Value<'a>,
    name: &str,
    zone: &str,
) -> Res<'a> {
    let not_parsed = || Stop::message(format!("{name}/1 requires parsed datetime inputs"));
    let tm = match input.as_f64() {
        Some(seconds) => Some(broken_down(seconds)?),
        None if input.kind() == Kind::Array => None,
        None => return Err(not_parsed()),
    };
    let Some(format) = format.as_str() else {
        return Err(Stop::message(format!("{name}/1 requires a string format")));
    };
    let tm = match tm {
        Some(tm) => tm,
        None => Tm::from_value(input).ok_or_else(not_parsed)?,
    };
    ctx.work(format.len() / 8)?;
    // The reference gives the C library this much room, and fails beyond it.
    let room = format.len() + 100;
    match strftime::write(format, &tm, zone, room) {
        Some(text) => ctx.string(text),
        None => Err(Stop::message(format!("{name}/1: unknown system failure"))),
    }
}

pub(crate) fn strftime<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, args: &mut [Value<'a>]) -> Res<'a> {
    let format = args.first().cloned().unwrap_or(Value::NULL);
    formatted(ctx, &input, &format, "strftime", "GMT")
}

pub(crate) fn strflocaltime<'a>(
    ctx: &mut Ctx<'a>,
    input: Value<'a>,
    args: &mut [Value<'a>],
) -> Res<'a> {
    let format = args.first().cloned().unwrap_or(Value::NULL);
    formatted(ctx, &input, &format, "strflocaltime", "UTC")
}

const ISO_8601: &str = "%Y-%m-%dT%H:%M:%SZ";

pub(crate) fn to_date<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: &mut [Value<'a>]) -> Res<'a> {
    formatted(ctx, &input, &Value::str(ISO_8601), "strftime", "GMT")
}

pub(crate) fn from_date<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, _: &mut [Value<'a>]) -> Res<'a> {
    let parsed = strptime(ctx, input, &mut [Value::str(ISO_8601)])?;
    mktime(ctx, parsed, &mut [])
}

pub(crate) fn strptime<'a>(ctx: &mut Ctx<'a>, input: Value<'a>, args: &mut [Value<'a>]) -> Res<'a> {
    let format = args.first().cloned().unwrap_or(Value::NULL);
    let (Some(text), Some(format)) = (input.as_str(), format.as_str()) else {
        return Err(Stop::message(
            "strptime/1 requires string inputs and arguments",
        ));
    };
    ctx.work((text.len() + format.len()) / 8)?;
    let no_match = || {
        Stop::message(format!(
            "date \"{text}\" does not match format \"{format}\""
        ))
    };
    let (tm, rest) = parser::parse(text, format).ok_or_else(no_match)?;
    if rest
        .bytes()
        .next()
        .is_some_and(|byte| !parser::is_space(byte))
    {
        return Err(no_match());
    }
    let mut fields = tm.to_value(0.0);
    if !rest.is_empty() {
        fields.push(Value::string(rest));
    }
    ctx.array(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_fields_agree_over_four_centuries() {
        for day in -150_000..150_000 {
            let seconds = day * SECONDS_PER_DAY + 12_345;
            let tm = Tm::from_seconds(seconds).unwrap();
            assert_eq!(tm.to_seconds(), seconds);
            assert_eq!(tm.normalized(), tm);
        }
    }

    #[test]
    fn known_dates() {
        let tm = Tm::from_seconds(951_782_400).unwrap();
        assert_eq!(
            (tm.year, tm.month, tm.day, tm.weekday, tm.yearday),
            (100, 1, 29, 2, 59)
        );
        assert!(Tm::from_seconds(67_768_036_191_676_799).is_some());
        assert!(Tm::from_seconds(67_768_036_191_676_800).is_none());
    }
}
