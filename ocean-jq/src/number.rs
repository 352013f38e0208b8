//! Numbers as jq sees them: doubles, and literals that remember their text.
//!
//! Owns the rules for reading a literal into a double, printing a double the way jq prints it,
//! printing a literal in its canonical decimal form, and ordering literals exactly, so that
//! identifiers beyond 2^53 neither lose digits nor compare equal to their neighbours. It never
//! does arithmetic: computed numbers are always doubles.

use std::cmp::Ordering;

/// Digits that survive the conversion of a literal to a double.
const DOUBLE_DIGITS: usize = 17;
/// Largest adjusted exponent that the reference keeps before a literal becomes infinite.
const MAX_EXPONENT: i64 = 999_999_999;
/// Largest adjusted exponent that survives the conversion of a literal to a double.
const MAX_DOUBLE_EXPONENT: i64 = 384;

/// A decimal number taken apart: sign, coefficient without leading zeros, exponent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// Reads `[+-]digits[.digits][e[+-]digits]`; `None` when the text is anything else.
    pub(crate) fn parse(text: &str) -> Option<Decimal> {
        let bytes = text.as_bytes();
        let mut at = 0;
        let mut negative = false;
        if let Some(sign @ (b'+' | b'-')) = bytes.first() {
            negative = *sign == b'-';
            at = 1;
        }
        let mut digits = Vec::with_capacity(bytes.len());
        let mut exponent: i64 = 0;
        let mut seen_digit = false;
        let mut seen_point = false;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'0'..=b'9' => {
                    seen_digit = true;
                    if byte != b'0' || !digits.is_empty() {
                        digits.push(byte);
                    }
                    if seen_point {
                        exponent -= 1;
                    }
                }
                b'.' if !seen_point => seen_point = true,
                _ => break,
            }
            at += 1;
        }
        if !seen_digit {
            return None;
        }
        if let Some(b'e' | b'E') = bytes.get(at) {
            exponent = exponent.saturating_add(parse_exponent(&bytes[at + 1..])?);
        } else if at != bytes.len() {
            return None;
        }
        if digits.is_empty() {
            digits.push(b'0');
        }
        Some(Decimal {
            negative,
            digits,
            exponent,
        })
    }

    fn is_zero(&self) -> bool {
        self.digits == [b'0']
    }

    /// The power of ten of the first digit.
    fn adjusted(&self) -> i64 {
        self.exponent.saturating_add(self.digits.len() as i64 - 1)
    }

    fn is_infinite(&self) -> bool {
        !self.is_zero() && self.adjusted() > MAX_EXPONENT
    }

    /// The canonical text (General Decimal Arithmetic, "to-scientific-string").
    fn write(&self, out: &mut String) {
        let digits = || self.digits.iter().map(|&digit| char::from(digit));
        if self.negative {
            out.push('-');
        }
        let adjusted = self.adjusted();
        if self.exponent <= 0 && adjusted >= -6 {
            let point = self.digits.len() as i64 + self.exponent;
            if self.exponent == 0 {
                out.extend(digits());
            } else if point > 0 {
                out.extend(digits().take(point as usize));
                out.push('.');
                out.extend(digits().skip(point as usize));
            } else {
                out.push_str("0.");
                out.extend(std::iter::repeat_n('0', (-point) as usize));
                out.extend(digits());
            }
            return;
        }
        out.extend(digits().take(1));
        if self.digits.len() > 1 {
            out.push('.');
            out.extend(digits().skip(1));
        }
        out.push('E');
        out.push(if adjusted < 0 { '-' } else { '+' });
        out.push_str(&adjusted.unsigned_abs().to_string());
    }

    fn cmp(&self, other: &Decimal) -> Ordering {
        match (self.is_zero(), other.is_zero()) {
            (true, true) => return Ordering::Equal,
            (true, false) => {
                return if other.negative {
                    Ordering::Greater
                } else {
                    Ordering::Less
                };
            }
            (false, true) => {
                return if self.negative {
                    Ordering::Less
                } else {
                    Ordering::Greater
                };
            }
            (false, false) => {}
        }
        if self.negative != other.negative {
            return if self.negative {
                Ordering::Less
            } else {
                Ordering::Greater
            };
        }
        let significant = |decimal: &Decimal| {
            let end = decimal
                .digits
                .iter()
                .rposition(|&digit| digit != b'0')
                .unwrap_or(0);
            decimal.digits[..=end].to_vec()
        };
        let magnitude = self
            .adjusted()
            .cmp(&other.adjusted())
            .then_with(|| significant(self).cmp(&significant(other)));
        if self.negative {
            magnitude.reverse()
        } else {
            magnitude
        }
    }

    /// Rounded to the digits that a double can hold, half to even.
    fn rounded_to_double(mut self) -> Decimal {
        if self.digits.len() <= DOUBLE_DIGITS {
            return self;
        }
        let dropped = self.digits.split_off(DOUBLE_DIGITS);
        self.exponent = self.exponent.saturating_add(dropped.len() as i64);
        let rest_is_zero = dropped[1..].iter().all(|&digit| digit == b'0');
        let round_up = match dropped[0].cmp(&b'5') {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal => !rest_is_zero || (self.digits[DOUBLE_DIGITS - 1] - b'0') % 2 == 1,
        };
        if round_up {
            for digit in self.digits.iter_mut().rev() {
                if *digit == b'9' {
                    *digit = b'0';
                } else {
                    *digit += 1;
                    return self;
                }
            }
            self.digits.insert(0, b'1');
            self.digits.pop();
            self.exponent = self.exponent.saturating_add(1);
        }
        self
    }
}

fn parse_exponent(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes.first()? {
        b'-' => (true, &bytes[1..]),
        b'+' => (false, &bytes[1..]),
        _ => (false, bytes),
    };
    if digits.is_empty() {
        return None;
    }
    let mut exponent: i64 = 0;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        exponent = exponent
            .saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'));
        exponent = exponent.min(i64::MAX / 4);
    }
    Some(if negative { -exponent } else { exponent })
}

/// The double that a literal stands for.
pub(crate) fn literal_to_f64(text: &str) -> f64 {
    if text.len() <= DOUBLE_DIGITS {
        // Short enough to be converted in one correctly rounded step.
        return text.parse().unwrap_or(f64::NAN);
    }
    let Some(decimal) = Decimal::parse(text) else {
        return f64::NAN;
    };
    if !decimal.is_zero() && decimal.adjusted() > MAX_DOUBLE_EXPONENT {
        return if decimal.negative {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        };
    }
    let mut rounded = String::with_capacity(DOUBLE_DIGITS + 8);
    decimal.rounded_to_double().write(&mut rounded);
    rounded.parse().unwrap_or(f64::NAN)
}

/// Orders two literals exactly, whatever their number of digits.
pub(crate) fn cmp_literals(left: &str, right: &str) -> Ordering {
    if left == right {
        return Ordering::Equal;
    }
    let (left_double, right_double) = (literal_to_f64(left), literal_to_f64(right));
    if left_double != right_double {
        return left_double.total_cmp(&right_double);
    }
    match (Decimal::parse(left), Decimal::parse(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => Ordering::Equal,
    }
}

/// Whether an integer text is what the double of the same value prints as.
pub(crate) fn is_plain_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    !digits.is_empty()
        && digits.len() <= 15
        && digits.iter().all(u8::is_ascii_digit)
        && (digits[0] != b'0' || text == b"0")
}

/// Prints a literal in canonical decimal form.
pub(crate) fn write_literal(text: &str, out: &mut String) {
    if is_plain_integer(text.as_bytes()) {
        out.push_str(text);
        return;
    }
    match Decimal::parse(text) {
        Some(decimal) if decimal.is_infinite() => {
            write_f64(if decimal.negative { f64::MIN } else { f64::MAX }, out);
        }
        Some(decimal) => decimal.write(out),
        None => out.push_str("null"),
    }
}

/// The literal with its sign turned, or without it; keeps every digit.
pub(crate) fn with_sign(text: &str, negative: bool) -> String {
    let digits = text.trim_start_matches(['-', '+']);
    // A zero loses its sign here: the reference computes `-0` as `0`.
    let zero = Decimal::parse(digits).is_some_and(|decimal| decimal.is_zero());
    if negative && !zero {
        format!("-{digits}")
    } else {
        digits.to_owned()
    }
}

/// Whether the literal has a minus sign.
pub(crate) fn is_negative(text: &str) -> bool {
    text.starts_with('-')
}

/// Prints a double with the fewest digits that read back as the same double.
pub(crate) fn write_f64(value: f64, out: &mut String) {
    use std::fmt::Write;
    if value.is_nan() {
        out.push_str("null");
        return;
    }
    let value = value.clamp(f64::MIN, f64::MAX);
    if value == value.trunc() && value.abs() < 1e15 {
        if value == 0.0 && value.is_sign_negative() {
            out.push_str("-0");
        } else {
            let _ = write!(out, "{}", value as i64);
        }
        return;
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    out.push_str(sign);
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let count = digits.len() as i32;
    let point = exponent + 1;
    if point <= -4 || point > count + 15 {
        out.push_str(&digits[..1]);
        if count > 1 {
            out.push('.');
            out.push_str(&digits[1..]);
        }
        let _ = write!(
            out,
            "e{}{:02}",
            if exponent < 0 { '-' } else { '+' },
            exponent.abs()
        );
    } else if point <= 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', (-point) as usize));
        out.push_str(&digits);
    } else if point >= count {
        out.push_str(&digits);
        out.extend(std::iter::repeat_n('0', (point - count) as usize));
    } else {
        out.push_str(&digits[..point as usize]);
        out.push('.');
        out.push_str(&digits[point as usize..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> String {
        let mut out = String::new();
        write_literal(text, &mut out);
        out
    }

    fn double(value: f64) -> String {
        let mut out = String::new();
        write_f64(value, &mut out);
        out
    }

    #[test]
    fn literals_print_canonically() {
        for (text, expected) in [
            ("1.0", "1.0"),
            ("1e2", "1E+2"),
            ("1e-05", "0.00001"),
            ("0.00000001", "1E-8"),
            ("1.50e3", "1.50E+3"),
            ("0e10", "0E+10"),
            ("00012", "12"),
            (".5", "0.5"),
            ("5.", "5"),
            ("100000000000000000000", "100000000000000000000"),
        ] {
            assert_eq!(literal(text), expected, "{text}");
        }
    }

    #[test]
    fn doubles_print_shortest() {
        for (value, expected) in [
            (1e17, "1e+17"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000"),
            (123456789012345680.0, "123456789012345680"),
            (0.00001, "1e-05"),
            (0.0001, "0.0001"),
            (1.5e300, "1.5e+300"),
            (f64::INFINITY, "1.7976931348623157e+308"),
            (-0.0, "-0"),
            (-1.5, "-1.5"),
        ] {
            assert_eq!(double(value), expected);
        }
    }

    #[test]
    fn literals_order_exactly() {
        assert_eq!(
            cmp_literals("9007199254740993", "9007199254740992"),
            Ordering::Greater
        );
        assert_eq!(cmp_literals("1.0", "1"), Ordering::Equal);
        assert_eq!(
            cmp_literals("-9007199254740993", "-9007199254740992"),
            Ordering::Less
        );
    }
}
