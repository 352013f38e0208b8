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

/// An age, a size, or both separated by `/`; what is not given keeps its default.
pub(crate) fn retention(text: &str) -> Result<Retention, String> {
    let mut retention = Retention::default();
    for part in text.split('/') {
        if let Ok(age) = duration(part) {
            retention.age = age;
        } else if let Ok(size) = bytes(part) {
            retention.bytes = size;
        } else {
            return Err(format!(
                "`{text}` is not a retention; write 7d, 1GiB or 7d/1GiB"
            ));
        }
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
        assert_eq!(
            retention("7d/1GiB"),
            Ok(Retention {
                age: day * 7,
                bytes: 1 << 30
            })
        );
        assert_eq!(
            retention("1d"),
            Ok(Retention {
                age: day,
                bytes: 1 << 30
            })
        );
        assert_eq!(
            retention("2GiB / 1d"),
            Ok(Retention {
                age: day,
                bytes: 2 << 30
            })
        );
        assert!(retention("forever").is_err());
    }
}
