//! `strptime` as the GNU C library has it, in the C locale.

use super::dates::{MONTH_STARTS, Tm, is_leap};
use super::strftime::{MONTHS, WEEKDAYS};

/// White space of the C locale.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// What has been seen so far, besides the fields themselves.
#[derive(Default)]
struct Seen {
    hour_of_12: bool,
    afternoon: bool,
    century: Option<i32>,
    /// A two-digit year that a century may complete.
    short_year: bool,
    /// Some date field, from which weekday and day of the year follow.
    date: bool,
    weekday: bool,
    yearday: bool,
    month: bool,
    day: bool,
    sunday_week: Option<i32>,
    monday_week: Option<i32>,
}

struct Parser<'t> {
    text: &'t [u8],
    at: usize,
    tm: Tm,
    seen: Seen,
}

/// The fields of a text, and what is left of the text; `None` when the format does not match.
pub(super) fn parse<'t>(text: &'t str, format: &str) -> Option<(Tm, &'t str)> {
    // The reference marks both fields to see whether they were set.
    let tm = Tm {
        weekday: 8,
        yearday: 367,
        ..Tm::default()
    };
    let mut parser = Parser {
        text: text.as_bytes(),
        at: 0,
        tm,
        seen: Seen::default(),
    };
    parser.format(format.as_bytes())?;
    parser.finish();
    let rest = text.get(parser.at..).unwrap_or_default();
    Some((parser.tm, rest))
}

// === impl Parser ===

impl Parser<'_> {
    fn skip_space(&mut self) {
        while self.text.get(self.at).copied().is_some_and(is_space) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.text.get(self.at) == Some(&byte)).then(|| self.at += 1)
    }

    fn format(&mut self, format: &[u8]) -> Option<()> {
        let mut bytes = format.iter().copied();
        while let Some(byte) = bytes.next() {
            if is_space(byte) {
                self.skip_space();
                continue;
            }
            if byte != b'%' {
                self.expect(byte)?;
                continue;
            }
            let mut letter = bytes.next()?;
            // Flags and widths change nothing, and there are no other calendars in the C locale.
            while matches!(letter, b'-' | b'_' | b'0'..=b'9' | b'^' | b'#') {
                letter = bytes.next()?;
            }
            if letter == b'E' {
                letter = bytes.next().filter(|letter| b"cCYxX".contains(letter))?;
            } else if letter == b'O' {
                letter = bytes
                    .next()
                    .filter(|letter| b"bBdeHImMSUVWwy".contains(letter))?;
            }
            self.conversion(letter)?;
        }
        Some(())
    }

    fn conversion(&mut self, letter: u8) -> Option<()> {
        match letter {
            b'%' => self.expect(b'%')?,
            b'a' | b'A' => {
                self.tm.weekday = self.name(&WEEKDAYS)?;
                self.seen.weekday = true;
            }
            b'b' | b'B' | b'h' => {
                self.tm.month = self.name(&MONTHS)?;
                (self.seen.month, self.seen.date) = (true, true);
            }
            b'c' => self.format(b"%a %b %e %H:%M:%S %Y")?,
            b'D' | b'x' => self.format(b"%m/%d/%y")?,
            b'F' => self.format(b"%Y-%m-%d")?,
            b'r' => self.format(b"%I:%M:%S %p")?,
            b'R' => self.format(b"%H:%M")?,
            b'T' | b'X' => self.format(b"%H:%M:%S")?,
            b'n' | b't' => self.skip_space(),
            b'C' => {
                self.seen.century = Some(self.number(0, 99, 2)?);
                self.seen.date = true;
            }
            b'd' | b'e' => {
                self.tm.day = self.number(1, 31, 2)?;
                (self.seen.day, self.seen.date) = (true, true);
            }
            b'H' | b'k' => {
                self.tm.hour = self.number(0, 23, 2)?;
                self.seen.hour_of_12 = false;
            }
            b'I' | b'l' => {
                self.tm.hour = self.number(1, 12, 2)? % 12;
                self.seen.hour_of_12 = true;
            }
            b'j' => {
                self.tm.yearday = self.number(1, 366, 3)? - 1;
                self.seen.yearday = true;
            }
            b'm' => {
                self.tm.month = self.number(1, 12, 2)? - 1;
                (self.seen.month, self.seen.date) = (true, true);
            }
            b'M' => self.tm.minute = self.number(0, 59, 2)?,
            b'S' => self.tm.second = self.number(0, 61, 2)?,
            b'p' => {
                let half = self.text.get(self.at..self.at + 2)?.to_ascii_lowercase();
                self.seen.afternoon = match half.as_slice() {
                    b"am" => false,
                    b"pm" => true,
                    _ => return None,
                };
                self.at += 2;
            }
            b's' => self.seconds()?,
            b'u' => {
                self.tm.weekday = self.number(1, 7, 1)? % 7;
                self.seen.weekday = true;
            }
            b'w' => {
                self.tm.weekday = self.number(0, 6, 1)?;
                self.seen.weekday = true;
            }
            b'U' => {
                self.seen.sunday_week = Some(self.number(0, 53, 2)?);
                self.seen.monday_week = None;
            }
            b'W' => self.seen.monday_week = Some(self.number(0, 53, 2)?),
            b'V' => drop(self.number(0, 53, 2)?),
            b'g' => drop(self.number(0, 99, 2)?),
            b'G' => {
                let digits = self.text[self.at..]
                    .iter()
                    .take_while(|byte| byte.is_ascii_digit())
                    .count();
                self.at += digits;
                (digits > 0).then_some(())?;
            }
            b'y' => {
                let year = self.number(0, 99, 2)?;
                self.tm.year = if year >= 69 { year } else { year + 100 };
                (self.seen.short_year, self.seen.date) = (true, true);
            }
            b'Y' => {
                self.tm.year = self.number(0, 9999, 4)? - 1900;
                (self.seen.short_year, self.seen.century) = (false, None);
                self.seen.date = true;
            }
            b'Z' => {
                self.skip_space();
                while self
                    .text
                    .get(self.at)
                    .copied()
                    .is_some_and(|byte| !is_space(byte))
                {
                    self.at += 1;
                }
            }
            b'z' => self.zone()?,
            _ => return None,
        }
        Some(())
    }

    /// Up to `digits` digits, as long as more of them can still be in range.
    fn number(&mut self, from: i32, to: i32, digits: usize) -> Option<i32> {
        self.skip_space();
        let mut value = 0;
        let mut count = 0;
        while let Some(&digit @ b'0'..=b'9') = self.text.get(self.at) {
            if count == digits || count > 0 && value * 10 > to {
                break;
            }
            value = value * 10 + i32::from(digit - b'0');
            self.at += 1;
            count += 1;
        }
        (count > 0 && (from..=to).contains(&value)).then_some(value)
    }

    /// A name in full or by its first three letters, whatever the case.
    fn name(&mut self, names: &[&str]) -> Option<i32> {
        let rest = &self.text[self.at..];
        let starts_with = |name: &str| {
            rest.get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
        };
        let full = names.iter().position(|name| starts_with(name));
        let (at, len) = match full {
            Some(at) => (at, names[at].len()),
            None => (names.iter().position(|name| starts_with(&name[..3]))?, 3),
        };
        self.at += len;
        Some(at as i32)
    }

    /// Seconds since 1970, which set every field.
    fn seconds(&mut self) -> Option<()> {
        let mut value: i64 = 0;
        let start = self.at;
        while let Some(&digit @ b'0'..=b'9') = self.text.get(self.at) {
            value = value
                .checked_mul(10)?
                .checked_add(i64::from(digit - b'0'))?;
            self.at += 1;
        }
        if self.at == start {
            return None;
        }
        self.tm = Tm::from_seconds(value)?;
        Some(())
    }

    /// `Z`, `+hh`, `+hhmm` or `+hh:mm`; read over, as the reference ignores it.
    fn zone(&mut self) -> Option<()> {
        self.skip_space();
        match self.text.get(self.at)? {
            b'Z' => {
                self.at += 1;
                return Some(());
            }
            b'+' | b'-' => self.at += 1,
            _ => return None,
        }
        let mut digits = Vec::new();
        while let Some(&digit @ b'0'..=b'9') = self.text.get(self.at) {
            if digits.len() == 4 {
                break;
            }
            digits.push(digit - b'0');
            self.at += 1;
            if digits.len() == 2
                && self.text.get(self.at) == Some(&b':')
                && self.text.get(self.at + 1).is_some_and(u8::is_ascii_digit)
            {
                self.at += 1;
            }
        }
        match digits.as_slice() {
            [_, _] => Some(()),
            [_, _, tens, _] if *tens < 6 => Some(()),
            _ => None,
        }
    }

    /// Derives the fields that the text did not give from those that it did.
    fn finish(&mut self) {
        if self.seen.hour_of_12 && self.seen.afternoon {
            self.tm.hour += 12;
        }
        if let Some(century) = self.seen.century {
            let year = if self.seen.short_year {
                self.tm.year % 100
            } else {
                0
            };
            self.tm.year = year + (century - 19) * 100;
        }
        let has_month = self.seen.month || (0..=11).contains(&self.tm.month);
        if self.seen.date && !self.seen.weekday {
            if !(self.seen.month && self.seen.day) && self.seen.yearday {
                self.date_from_yearday();
                (self.seen.month, self.seen.day) = (true, true);
            }
            if has_month {
                self.tm.weekday = weekday(&self.tm);
            }
        }
        if self.seen.date && !self.seen.yearday && has_month {
            self.tm.yearday = self.month_starts()[self.tm.month as usize] + self.tm.day - 1;
        }
        let week = match (self.seen.sunday_week, self.seen.monday_week) {
            (Some(week), _) => Some((week, 0)),
            (None, Some(week)) => Some((week, 1)),
            (None, None) => None,
        };
        if let (Some((week, offset)), true) = (week, self.seen.weekday) {
            self.date_from_week(week, offset);
        }
    }

    fn month_starts(&self) -> &'static [i32; 13] {
        &MONTH_STARTS[usize::from(is_leap(i64::from(self.tm.year) + 1900))]
    }

    fn date_from_yearday(&mut self) {
        let starts = self.month_starts();
        let next = starts
            .iter()
            .position(|&start| start > self.tm.yearday)
            .unwrap_or(12);
        let month = next.saturating_sub(1);
        if !self.seen.month {
            self.tm.month = month as i32;
        }
        if !self.seen.day {
            self.tm.day = self.tm.yearday - starts[month] + 1;
        }
    }

    /// The date of a weekday in a numbered week; `offset` is the first day of the week.
    fn date_from_week(&mut self, week: i32, offset: i32) {
        let wanted = self.tm.weekday;
        let first = weekday(&Tm {
            month: 0,
            day: 1,
            ..self.tm
        });
        if !self.seen.yearday {
            self.tm.yearday =
                (7 - (first - offset)) % 7 + (week - 1) * 7 + (wanted - offset + 7) % 7;
        }
        if !(self.seen.month && self.seen.day) {
            self.date_from_yearday();
        }
    }
}

/// The weekday by the C library's own formula, which also takes a day of zero.
fn weekday(tm: &Tm) -> i32 {
    // Before March the leap day of the year has not been.
    let year = tm.year + 1900 - i32::from(tm.month < 2);
    let quarter = year / 4;
    let yearday = MONTH_STARTS[0][tm.month.clamp(0, 11) as usize] + tm.day - 1;
    let days = -473 + 365 * (tm.year - 70) + quarter - quarter / 25
        + i32::from(quarter % 25 < 0)
        + quarter / 25 / 4
        + yearday;
    days.rem_euclid(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, format: &str, expected: Option<[i32; 8]>) {
        let fields = parse(text, format).map(|(tm, _)| {
            [
                tm.year + 1900,
                tm.month,
                tm.day,
                tm.hour,
                tm.minute,
                tm.second,
                tm.weekday,
                tm.yearday,
            ]
        });
        assert_eq!(fields, expected, "{text} {format}");
    }

    #[test]
    fn formats() {
        check(
            "2015-03-05T23:51:47Z",
            "%Y-%m-%dT%H:%M:%SZ",
            Some([2015, 2, 5, 23, 51, 47, 4, 63]),
        );
        check("15", "%y", Some([2015, 0, 0, 0, 0, 0, 3, -1]));
        check("20", "%C", Some([2000, 0, 0, 0, 0, 0, 5, -1]));
        check("064 2015", "%j %Y", Some([2015, 2, 5, 0, 0, 0, 4, 63]));
        check("10 2015 4", "%U %Y %w", Some([2015, 2, 12, 0, 0, 0, 4, 70]));
        check("12 am", "%I %p", Some([1900, 0, 0, 0, 0, 0, 8, 367]));
        check("may", "%B", Some([1900, 4, 0, 0, 0, 0, 1, 119]));
        check("99999", "%Y", Some([9999, 0, 0, 0, 0, 0, 4, -1]));
        check("2015-13-01", "%Y-%m-%d", None);
        check("+0560", "%z", None);
    }
}
