//! Readable values: durations and sizes as operators write them.

use std::time::Duration;

use crate::queue::embedded::Retention;

/// `90s`, `5m`, `1h`, `7d`, `500ms`, or plain seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => {
            return Err(format!(
                "`{text}` is not a duration; write 90s, 5m, 1h, 7d or seconds"
            ));
        }
    };
    number
        .parse::<f64>()
        .ok()
        .and_then(|number| Duration::try_from_secs_f64(number * factor).ok())
        .ok_or_else(|| format!("`{text}` is not a duration; write 90s, 5m, 1h, 7d or seconds"))
}

/// `8GiB`, `512MiB`, `64KiB`, or plain bytes.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => {
            return Err(format!(
                "`{text}` is not a size; write 8GiB, 512MiB or bytes"
            ));
        }
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| format!("`{text}` is not a size; write 8GiB, 512MiB or bytes"))
}

/// An age, a size, or an age and a size separated by `/`; what is not given keeps its default. A
/// bare number is an age in first place and a size in second.
pub(crate) fn retention(text: &str) -> Result<Retention, String> {
    let wrong = |_| format!("`{text}` is not a retention; write 7d, 1GiB or 7d/1GiB");
    let mut retention = Retention::default();
    match text.split_once('/') {
        Some((age, size)) => {
            retention.age = duration(age).map_err(wrong)?;
            retention.bytes = bytes(size).map_err(wrong)?;
        }
        None => match duration(text) {
            Ok(age) => retention.age = age,
            Err(_) => retention.bytes = bytes(text).map_err(wrong)?,
        },
    }
    Ok(retention)
}

/// `true` or `false`, with the spellings upstream's settings library takes.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "t" | "y" => Ok(true),
        "false" | "0" | "no" | "off" | "f" | "n" => Ok(false),
        _ => Err(format!(
            "`{text}` is not a truth value; write true or false"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("90", 90_000),
            ("90s", 90_000),
            ("90.5", 90_500),
            ("5m", 300_000),
            ("250ms", 250),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "-1", "5 weeks", "1e999"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes("8GiB"), Ok(8 << 30));
        assert_eq!(bytes("26214400"), Ok(26_214_400));
        for text in ["", "GiB", "1GB", "99999999999TiB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn retention_takes_age_size_or_both() {
        let day = Duration::from_secs(86_400);
        let check = |text, age, bytes| {
            assert_eq!(retention(text), Ok(Retention { age, bytes }), "{text}");
        };
        check("7d/1GiB", day * 7, 1 << 30);
        check("1d", day, 1 << 30);
        check("86400", day, 1 << 30);
        check("2GiB", day * 7, 2 << 30);
        check("1d / 1073741824", day, 1 << 30);
        for text in ["forever", "1GiB/1d", "1d/2d"] {
            assert!(retention(text).is_err(), "{text}");
        }
    }
}
