//! When a request is repeated, and after how long (upstream's `helpers/retry.py`; 500 is repeated
//! too, a 401 only once, a time-out never: it has taken long enough for the event to wait on disk).

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use jiff::{Timestamp, fmt::rfc2822};

// Waits beyond five minutes are cut: servers send nonsense in these headers.
const MAX_HINT: Duration = Duration::from_secs(300);
// Larger numbers are Unix times, as upstream reads them.
const MAX_SECONDS: i64 = 10_000;

/// Whether an answer with this status is worth a repeat, the `repeats`-th so far.
pub(super) fn is_worth_repeating(status: StatusCode, repeats: u32) -> bool {
    match status.as_u16() {
        // A token may just have been replaced; a wrong one does not become right by trying.
        401 => repeats == 0,
        408 | 429 | 500 | 502 | 503 | 504 => true,
        _ => false,
    }
}

/// The delay before repeat `number`, counted from 1: `base * 2^(number - 1)`, up to 10 % more or
/// less.
pub(crate) fn backoff(base: Duration, number: u32) -> Duration {
    let factor = 2f64.powi(number.saturating_sub(1).min(30) as i32);
    let jitter = 0.9 + 0.2 * fastrand::f64();
    base.mul_f64(factor * jitter).min(MAX_HINT)
}

/// The wait a server asks for: the first readable of `Retry-After` and `x-ratelimit-reset`.
pub(super) fn hint(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    [header::RETRY_AFTER.as_str(), "x-ratelimit-reset"]
        .into_iter()
        .filter_map(|name| headers.get(name)?.to_str().ok())
        .find_map(|text| parse_hint(text, now))
}

/// Reads seconds, a Unix time, ISO 8601 or an HTTP date, five minutes at most. Dates in the past say
/// nothing, a Unix time in the past says "now", as upstream has it.
pub(crate) fn parse_hint(text: &str, now: Timestamp) -> Option<Duration> {
    uncapped_hint(text, now).map(|wait| wait.min(MAX_HINT))
}

fn uncapped_hint(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        if !number.is_finite() || number < 0.0 {
            return None;
        }
        if number <= MAX_SECONDS as f64 {
            return Some(Duration::from_secs_f64(number));
        }
        let Ok(at) = Timestamp::from_millisecond((number * 1000.0) as i64) else {
            // Beyond the end of all calendars.
            return Some(Duration::MAX);
        };
        return Some(at.duration_since(now).try_into().unwrap_or_default());
    }
    let at = text
        .parse::<Timestamp>()
        .ok()
        .or_else(|| rfc2822::parse(text).ok().map(|zoned| zoned.timestamp()))?;
    at.duration_since(now).try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_hint(text: &str, expected: Option<u64>) {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let expected = expected.map(Duration::from_secs);
        assert_eq!(parse_hint(text, now), expected, "{text}");
    }

    #[test]
    fn hints_are_seconds_unix_times_or_dates() {
        check_hint("7", Some(7));
        check_hint(" 0 ", Some(0));
        check_hint("300", Some(300));
        check_hint("301", Some(300));
        check_hint("10000", Some(300));
        check_hint("1767225690", Some(90));
        check_hint("1767225000", Some(0));
        check_hint("2026-01-01T00:00:30Z", Some(30));
        check_hint("2026-01-01T02:00:30+02:00", Some(30));
        check_hint("2025-12-31T23:59:59Z", None);
        check_hint("Thu, 01 Jan 2026 00:01:00 GMT", Some(60));
        check_hint("9999-12-30T22:00:00Z", Some(300));
        check_hint("18446744073709551615", Some(300));
        check_hint("1e300", Some(300));
        check_hint("inf", None);
        check_hint("NaN", None);
        check_hint("-3", None);
        check_hint("soon", None);
        check_hint("", None);
    }

    #[test]
    fn the_first_readable_header_counts_and_is_capped() {
        let now = Timestamp::UNIX_EPOCH;
        let mut headers = HeaderMap::new();
        assert_eq!(hint(&headers, now), None);
        headers.insert("x-ratelimit-reset", "9000".parse().unwrap());
        assert_eq!(hint(&headers, now), Some(MAX_HINT));
        headers.insert(header::RETRY_AFTER, "soon".parse().unwrap());
        assert_eq!(hint(&headers, now), Some(MAX_HINT));
        headers.insert(header::RETRY_AFTER, "2".parse().unwrap());
        assert_eq!(hint(&headers, now), Some(Duration::from_secs(2)));
    }

    #[test]
    fn delays_double_with_a_tenth_of_jitter() {
        for (number, expected) in [(1, 100.0), (2, 200.0), (5, 1600.0)] {
            let millis = backoff(Duration::from_millis(100), number).as_secs_f64() * 1000.0;
            assert!((millis - expected).abs() <= expected * 0.1001, "{millis}");
        }
        assert_eq!(backoff(Duration::from_secs(1), 40), MAX_HINT);
    }
}
