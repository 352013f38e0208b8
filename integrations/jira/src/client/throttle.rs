//! Jira's rate limits.
//!
//! By Atlassian's guide "Rate limiting" an answer may say how many requests its *endpoint* still
//! takes (`x-ratelimit-remaining`, `-reset`, `-nearlimit`), and a refusal (429) says how long to
//! stay away and why (`retry-after`, `ratelimit-reason`): burst limits hold for the endpoint, quotas
//! for everything. So each endpoint has a window of its own, and only a quota holds all back.
//! Nothing is locked while a request waits.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use ocean_core::{Clock, http::Throttle};
use tokio::time::Instant;
use url::Url;

// Upstream's: how long a window lasts that names no end.
const DEFAULT_WINDOW: Duration = Duration::from_secs(1);
// A refusal without any hint.
const DEFAULT_PAUSE: Duration = Duration::from_secs(1);

/// The rate limits as the latest answers told them.
#[derive(Debug, Default)]
pub(super) struct RateLimits(Mutex<Limits>);

#[derive(Debug, Default)]
struct Limits {
    /// Nothing is sent before this time.
    all: Option<Instant>,
    endpoints: HashMap<String, Window>,
}

/// What one endpoint still takes.
#[derive(Debug, Default)]
struct Window {
    /// Nothing is sent before this time.
    refused_until: Option<Instant>,
    ends: Option<Instant>,
    remaining: Option<u64>,
    /// While the limit is near, requests are spread over the rest of the window.
    near_limit: bool,
    next: Option<Instant>,
}

impl Throttle for RateLimits {
    fn before(&self, url: &Url) -> Option<Duration> {
        let now = Instant::now();
        let mut limits = self.0.lock().expect("no code panics while holding it");
        if let Some(wait) = wait(limits.all, now) {
            return Some(wait);
        }
        limits
            .endpoints
            .get_mut(&endpoint(url))
            .and_then(|window| window.before(now))
    }

    fn after(&self, url: &Url, status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
        let now = Instant::now();
        let answer = Answer::read(headers);
        let mut limits = self.0.lock().expect("no code panics while holding it");
        let window = limits.endpoints.entry(endpoint(url)).or_default();
        window.learn(&answer, now);
        if status != StatusCode::TOO_MANY_REQUESTS {
            return None;
        }
        let pause = answer.retry_after.or(answer.reset).unwrap_or(DEFAULT_PAUSE);
        let until = Some(now + pause);
        if answer.holds_for_all {
            // A refusal never shortens an earlier one.
            limits.all = limits.all.max(until);
        } else {
            window.refused_until = window.refused_until.max(until);
        }
        Some(pause)
    }
}

impl Window {
    fn before(&mut self, now: Instant) -> Option<Duration> {
        if let Some(wait) = wait(self.refused_until, now) {
            return Some(wait);
        }
        let Some(left) = wait(self.ends, now) else {
            *self = Self::default();
            return None;
        };
        match &mut self.remaining {
            // The last one is left for another client of the same account.
            Some(0 | 1) => return Some(left),
            Some(remaining) => {
                if let Some(wait) = wait(self.next, now) {
                    return Some(wait);
                }
                if self.near_limit {
                    let share = u32::try_from(*remaining).unwrap_or(u32::MAX);
                    self.next = Some(now + left / share);
                }
                *remaining -= 1;
            }
            None if self.near_limit => return Some(left),
            None => {}
        }
        None
    }

    fn learn(&mut self, answer: &Answer, now: Instant) {
        if answer.remaining.is_none() && !answer.near_limit {
            return;
        }
        let is_open = wait(self.ends, now).is_some();
        self.remaining = match (is_open, self.remaining, answer.remaining) {
            // Answers arrive out of order, and requests under way are not in their count yet.
            (true, Some(ours), Some(theirs)) => Some(ours.min(theirs)),
            (_, ours, theirs) => theirs.or(ours.filter(|_| is_open)),
        };
        let ends = now + answer.reset.unwrap_or(DEFAULT_WINDOW);
        self.ends = match is_open {
            true => self.ends.max(Some(ends)),
            false => Some(ends),
        };
        self.near_limit = answer.near_limit;
    }
}

fn wait(until: Option<Instant>, now: Instant) -> Option<Duration> {
    let wait = until?.saturating_duration_since(now);
    (!wait.is_zero()).then_some(wait)
}

/// The endpoint of an address: its path without ids and keys.
fn endpoint(url: &Url) -> String {
    let is_name = |segment: &&str| {
        !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_lowercase()) && segment.len() < 32
    };
    let segments = url.path_segments().into_iter().flatten();
    segments.filter(is_name).collect::<Vec<_>>().join("/")
}

// === Answer ===

/// What an answer says about rate limits.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    remaining: Option<u64>,
    reset: Option<Duration>,
    near_limit: bool,
    retry_after: Option<Duration>,
    holds_for_all: bool,
}

impl Answer {
    fn read(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
        let number = |name: &str| text(name)?.parse::<u64>().ok();
        let until = |time: Timestamp| {
            Duration::try_from(time.duration_since(Clock::system().now())).unwrap_or_default()
        };
        Self {
            // Upstream's rule: one of the two alone says nothing.
            remaining: number("x-ratelimit-limit").and(number("x-ratelimit-remaining")),
            reset: text("x-ratelimit-reset")
                .and_then(|text| text.parse().ok())
                .map(until),
            near_limit: text("x-ratelimit-nearlimit")
                .is_some_and(|text| text.eq_ignore_ascii_case("true")),
            retry_after: number("retry-after").map(Duration::from_secs),
            holds_for_all: !text("ratelimit-reason").is_some_and(|reason| {
                reason.contains("burst") || reason.contains("per-issue")
            }),
        }
    }
}
