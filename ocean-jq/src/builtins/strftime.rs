//! `strftime` as the GNU C library has it, in the C locale.

use super::dates::{Tm, is_leap};

pub(super) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Longest field that a width may ask for.
const MAX_WIDTH: usize = 4096;

/// Flags and width between `%` and the conversion.
#[derive(Default, Clone, Copy)]
struct Spec {
    pad: Option<u8>,
    upper: bool,
    swap_case: bool,
    width: Option<usize>,
}

/// The text of a time; `None` when it does not fit the room, or is empty for a non-empty format.
pub(super) fn write(format: &str, tm: &Tm, zone: &str, room: usize) -> Option<String> {
    let mut out = String::with_capacity(32);
    expand(format, tm, zone, room, &mut out)?;
    if out.is_empty() && !format.is_empty() {
        return None;
    }
    Some(out)
}

fn expand(format: &str, tm: &Tm, zone: &str, room: usize, out: &mut String) -> Option<()> {
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let directive = &rest[at..];
        rest = conversion(directive, tm, zone, room, out)?;
        if out.len() >= room {
            return None;
        }
    }
    out.push_str(rest);
    (out.len() < room).then_some(())
}

/// Writes the conversion that the text starts with, and returns what follows it.
fn conversion<'f>(
    directive: &'f str,
    tm: &Tm,
    zone: &str,
    room: usize,
    out: &mut String,
) -> Option<&'f str> {
    let bytes = directive.as_bytes();
    let mut at = 1;
    let mut spec = Spec::default();
    while let Some(&flag) = bytes.get(at) {
        match flag {
            b'_' | b'-' | b'0' => spec.pad = Some(flag),
            b'^' => spec.upper = true,
            b'#' => spec.swap_case = true,
            _ => break,
        }
        at += 1;
    }
    while let Some(&digit @ b'0'..=b'9') = bytes.get(at) {
        let width = spec.width.unwrap_or(0) * 10 + usize::from(digit - b'0');
        spec.width = Some(width.min(MAX_WIDTH));
        at += 1;
    }
    if let Some(b'E' | b'O') = bytes.get(at) {
        at += 1;
    }
    let known = bytes
        .get(at)
        .is_some_and(|&letter| field(letter, spec, tm, zone, room, out));
    if known {
        return Some(&directive[at + 1..]);
    }
    // An unknown conversion stands for itself.
    let end = directive[at..]
        .chars()
        .next()
        .map_or(at, |next| at + next.len_utf8());
    out.push_str(&directive[..end]);
    Some(&directive[end..])
}

fn field(letter: u8, spec: Spec, tm: &Tm, zone: &str, room: usize, out: &mut String) -> bool {
    let year = tm.year.wrapping_add(1900);
    let hour12 = match tm.hour % 12 {
        0 => 12,
        hour => hour,
    };
    let name = |names: &[&'static str], at: i32| {
        usize::try_from(at)
            .ok()
            .and_then(|at| names.get(at).copied())
            .unwrap_or("?")
    };
    let weekday = name(&WEEKDAYS, tm.weekday);
    let month = name(&MONTHS, tm.month);
    let short = |name: &'static str| name.get(..3).unwrap_or(name);
    let mut number = |value: i32, digits: usize, pad: u8| {
        self::number(spec, i64::from(value), digits, pad, out);
    };
    match letter {
        b'd' => number(tm.day, 2, b'0'),
        b'e' => number(tm.day, 2, b'_'),
        b'H' => number(tm.hour, 2, b'0'),
        b'k' => number(tm.hour, 2, b'_'),
        b'I' => number(hour12, 2, b'0'),
        b'l' => number(hour12, 2, b'_'),
        b'j' => number(tm.yearday + 1, 3, b'0'),
        b'm' => number(tm.month + 1, 2, b'0'),
        b'M' => number(tm.minute, 2, b'0'),
        b'S' => number(tm.second, 2, b'0'),
        b'u' => number((tm.weekday + 6) % 7 + 1, 1, b'0'),
        b'w' => number(tm.weekday, 1, b'0'),
        b'y' => number(year.rem_euclid(100), 2, b'0'),
        b'C' => number(year.div_euclid(100), 1, b'0'),
        b'Y' => number(year, 1, b'0'),
        b'U' => number((tm.yearday - tm.weekday + 7) / 7, 2, b'0'),
        b'W' => number((tm.yearday - (tm.weekday + 6) % 7 + 7) / 7, 2, b'0'),
        b'V' => number(iso_week(tm).1, 2, b'0'),
        b'G' => number(iso_week(tm).0, 1, b'0'),
        b'g' => number(iso_week(tm).0.rem_euclid(100), 2, b'0'),
        b's' => self::number(spec, tm.to_seconds(), 1, b'0', out),
        b'a' => text(
            Spec {
                upper: spec.upper || spec.swap_case,
                ..spec
            },
            short(weekday),
            out,
        ),
        b'A' => text(
            Spec {
                upper: spec.upper || spec.swap_case,
                ..spec
            },
            weekday,
            out,
        ),
        b'b' | b'h' => text(
            Spec {
                upper: spec.upper || spec.swap_case,
                ..spec
            },
            short(month),
            out,
        ),
        b'B' => text(
            Spec {
                upper: spec.upper || spec.swap_case,
                ..spec
            },
            month,
            out,
        ),
        b'p' => {
            let half = if tm.hour > 11 { "PM" } else { "AM" };
            lower_when(spec, spec.swap_case, half, out);
        }
        b'P' => lower_when(spec, true, if tm.hour > 11 { "PM" } else { "AM" }, out),
        b'Z' => lower_when(spec, spec.swap_case, zone, out),
        b'z' => text(spec, "+0000", out),
        b'%' => text(spec, "%", out),
        b'n' => text(spec, "\n", out),
        b't' => text(spec, "\t", out),
        b'c' => composite(spec, "%a %b %e %H:%M:%S %Y", tm, zone, room, out),
        b'D' | b'x' => composite(spec, "%m/%d/%y", tm, zone, room, out),
        b'F' => composite(spec, "%Y-%m-%d", tm, zone, room, out),
        b'r' => composite(spec, "%I:%M:%S %p", tm, zone, room, out),
        b'R' => composite(spec, "%H:%M", tm, zone, room, out),
        b'T' | b'X' => composite(spec, "%H:%M:%S", tm, zone, room, out),
        _ => return false,
    }
    true
}

fn number(spec: Spec, value: i64, digits: usize, pad: u8, out: &mut String) {
    let pad = spec.pad.unwrap_or(pad);
    let text = value.unsigned_abs().to_string();
    let sign = if value < 0 { "-" } else { "" };
    let width = match pad {
        b'-' => 0,
        _ => spec.width.unwrap_or(digits),
    };
    let fill = width.saturating_sub(text.len() + sign.len());
    if pad == b'_' {
        out.extend(std::iter::repeat_n(' ', fill));
        out.push_str(sign);
    } else {
        out.push_str(sign);
        out.extend(std::iter::repeat_n('0', fill));
    }
    out.push_str(&text);
}

fn text(spec: Spec, text: &str, out: &mut String) {
    let fill = match spec.pad {
        Some(b'-') => 0,
        _ => spec.width.unwrap_or(0).saturating_sub(text.len()),
    };
    let filler = if spec.pad == Some(b'0') { '0' } else { ' ' };
    out.extend(std::iter::repeat_n(filler, fill));
    if spec.upper {
        out.push_str(&text.to_ascii_uppercase());
    } else {
        out.push_str(text);
    }
}

fn lower_when(spec: Spec, lower: bool, name: &str, out: &mut String) {
    if lower {
        text(
            Spec {
                upper: false,
                ..spec
            },
            &name.to_ascii_lowercase(),
            out,
        );
    } else {
        text(spec, name, out);
    }
}

fn composite(spec: Spec, format: &str, tm: &Tm, zone: &str, room: usize, out: &mut String) {
    let mut whole = String::new();
    // Room is checked by the caller after every conversion.
    let _ = expand(format, tm, zone, room.max(256), &mut whole);
    text(spec, &whole, out);
}

/// The year and week of ISO 8601.
fn iso_week(tm: &Tm) -> (i32, i32) {
    let mut year = i64::from(tm.year) + 1900;
    // Days from the year's first Monday of an ISO week to the date.
    let days_into = |yearday: i32| {
        let big_enough = 3 * 7;
        yearday - (yearday - tm.weekday + 4 + big_enough) % 7 + 4 - 1
    };
    let mut days = days_into(tm.yearday);
    let length = |year: i64| 365 + i32::from(is_leap(year));
    if days < 0 {
        year -= 1;
        days = days_into(tm.yearday + length(year));
    } else {
        let next = days_into(tm.yearday - length(year));
        if next >= 0 {
            year += 1;
            days = next;
        }
    }
    (year as i32, days / 7 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seconds: i64, format: &str, expected: &str) {
        let tm = Tm::from_seconds(seconds).unwrap();
        assert_eq!(
            write(format, &tm, "GMT", 500).as_deref(),
            Some(expected),
            "{format}"
        );
    }

    #[test]
    fn conversions() {
        let seconds = 1_425_599_621;
        check(
            seconds,
            "%a %A %b %B %c",
            "Thu Thursday Mar March Thu Mar  5 23:53:41 2015",
        );
        check(
            seconds,
            "%C %d %D %e %F %g %G",
            "20 05 03/05/15  5 2015-03-05 15 2015",
        );
        check(
            seconds,
            "%I %j %k %l %p %P %r",
            "11 064 23 11 PM pm 11:53:41 PM",
        );
        check(
            seconds,
            "%s %u %U %V %w %W %z %Z %%",
            "1425599621 4 09 10 4 09 +0000 GMT %",
        );
        check(
            seconds,
            "%-d %_d %05d %^a %10Y %#Z %q",
            "5  5 00005 THU 0000002015 gmt %q",
        );
        check(1_735_603_200, "%G-%V %U %W", "2025-01 52 53");
        check(0, "%G-%V", "1970-01");
    }
}
