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
const SAME_WINDOW: Duration = Duration::from_secs(1);
// Longer hints are nonsense or a wrong clock; after this time it costs one request to know better.
const MAX_WAIT: Duration = Duration::from_secs(300);

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
        let ends = now + answer.reset.unwrap_or(DEFAULT_WINDOW);
        // Resets are told in whole seconds at best, so a little later is still the same window.
        let is_same = self
            .ends
            .is_some_and(|known| known > now && ends <= known + SAME_WINDOW);
        self.near_limit = answer.near_limit;
        if is_same {
            // Requests that are under way are not in the count of this answer yet.
            self.remaining = match (self.remaining, answer.remaining) {
                (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
                (ours, theirs) => theirs.or(ours),
            };
        } else {
            self.remaining = answer.remaining;
            self.ends = Some(ends);
            self.next = None;
        }
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
            let wait = Duration::try_from(time.duration_since(Clock::system().now()));
            wait.unwrap_or_default().min(MAX_WAIT)
        };
        Self {
            // Upstream's rule: one of the two alone says nothing.
            remaining: number("x-ratelimit-limit").and(number("x-ratelimit-remaining")),
            reset: text("x-ratelimit-reset")
                .and_then(|text| text.parse().ok())
                .map(until),
            near_limit: text("x-ratelimit-nearlimit")
                .is_some_and(|text| text.eq_ignore_ascii_case("true")),
            retry_after: number("retry-after")
                .map(|seconds| Duration::from_secs(seconds).min(MAX_WAIT)),
            holds_for_all: !text("ratelimit-reason")
                .is_some_and(|reason| reason.contains("burst") || reason.contains("per-issue")),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const SEARCH: &str = "https://example.atlassian.net/rest/api/3/search/jql";
    const ISSUE: &str = "https://example.atlassian.net/rest/api/3/issue/10007";
    const OTHER_ISSUE: &str = "https://example.atlassian.net/rest/api/3/issue/10008";

    struct Site(RateLimits);

    impl Site {
        fn answers(
            &self,
            url: &str,
            status: u16,
            headers: &[(&'static str, &str)],
        ) -> Option<Duration> {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(*name, HeaderValue::from_str(value).unwrap());
            }
            let url = Url::parse(url).unwrap();
            self.0
                .after(&url, StatusCode::from_u16(status).unwrap(), &map)
        }

        /// The wait in whole milliseconds; 0 lets the request through.
        fn wait(&self, url: &str) -> u128 {
            let wait = self.0.before(&Url::parse(url).unwrap());
            wait.unwrap_or_default().as_millis()
        }
    }

    fn site() -> Site {
        Site(RateLimits::default())
    }

    fn in_seconds(seconds: i64) -> String {
        let time = Clock::system().now() + jiff::SignedDuration::from_secs(seconds);
        time.to_string()
    }

    #[tokio::test(start_paused = true)]
    async fn an_unlimited_site_is_never_waited_for() {
        let site = site();
        assert_eq!(site.answers(SEARCH, 200, &[]), None);
        assert_eq!(
            site.answers(SEARCH, 200, &[("x-ratelimit-remaining", "0")]),
            None
        );
        assert_eq!(
            site.wait(SEARCH),
            0,
            "the limit itself is missing, so the rest says nothing"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_limit_holds_back_its_endpoint_only() {
        let site = site();
        let headers = [
            ("retry-after", "3"),
            ("ratelimit-reason", "jira-burst-based"),
        ];
        assert_eq!(
            site.answers(ISSUE, 429, &headers),
            Some(Duration::from_secs(3))
        );
        assert_eq!(site.wait(OTHER_ISSUE), 3_000);
        assert_eq!(site.wait(SEARCH), 0);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(site.wait(ISSUE), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_quota_holds_back_everything_and_is_never_shortened() {
        let site = site();
        let refuse = |seconds| {
            let headers = [
                ("retry-after", seconds),
                ("ratelimit-reason", "jira-quota-tenant-based"),
            ];
            site.answers(ISSUE, 429, &headers)
        };
        refuse("60");
        refuse("1");
        assert_eq!(site.wait(SEARCH), 60_000);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_request_of_a_window_is_not_sent() {
        let site = site();
        let reset = in_seconds(10);
        let headers = [
            ("x-ratelimit-limit", "100"),
            ("x-ratelimit-remaining", "3"),
            ("x-ratelimit-reset", reset.as_str()),
        ];
        site.answers(SEARCH, 200, &headers);
        assert_eq!((site.wait(SEARCH), site.wait(SEARCH)), (0, 0));
        let wait = site.wait(SEARCH);
        assert!((9_000..=10_000).contains(&wait), "{wait}");
        assert_eq!(site.wait(ISSUE), 0);
        // An answer to an earlier request does not bring back what was sent since.
        site.answers(SEARCH, 200, &headers);
        assert!(site.wait(SEARCH) > 0);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(site.wait(SEARCH), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn near_the_limit_requests_are_spread_over_the_window() {
        let site = site();
        let reset = in_seconds(11);
        let headers = [
            ("x-ratelimit-limit", "100"),
            ("x-ratelimit-remaining", "10"),
            ("x-ratelimit-reset", reset.as_str()),
            ("x-ratelimit-nearlimit", "true"),
        ];
        site.answers(SEARCH, 200, &headers);
        assert_eq!(site.wait(SEARCH), 0);
        let wait = site.wait(SEARCH);
        assert!(
            (900..=1_100).contains(&wait),
            "a tenth of the window, not {wait} ms"
        );
        tokio::time::advance(Duration::from_millis(1_100)).await;
        assert_eq!(site.wait(SEARCH), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn absurd_hints_hold_back_for_five_minutes_at_most() {
        let most = u64::MAX.to_string();
        let ends_of_time = "9999-12-30T22:00:00Z";
        for headers in [
            [("retry-after", &*most), ("ratelimit-reason", "burst")],
            [
                ("x-ratelimit-reset", ends_of_time),
                ("ratelimit-reason", "burst"),
            ],
        ] {
            let site = site();
            assert_eq!(site.answers(SEARCH, 429, &headers), Some(MAX_WAIT));
            assert_eq!(site.wait(SEARCH), MAX_WAIT.as_millis());
        }
        let site = site();
        let headers = [
            ("x-ratelimit-limit", "100"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", ends_of_time),
        ];
        site.answers(SEARCH, 200, &headers);
        assert_eq!(site.wait(SEARCH), MAX_WAIT.as_millis());
    }

    #[tokio::test(start_paused = true)]
    async fn near_the_limit_of_an_empty_window_nothing_is_sent() {
        let site = site();
        let headers = [("x-ratelimit-nearlimit", "true")];
        site.answers(SEARCH, 200, &headers);
        assert_eq!(site.wait(SEARCH), DEFAULT_WINDOW.as_millis());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_without_hints_waits_a_moment() {
        let site = site();
        assert_eq!(site.answers(SEARCH, 429, &[]), Some(DEFAULT_PAUSE));
        assert_eq!(
            site.wait(ISSUE),
            1_000,
            "without a reason it may be a quota"
        );
    }

    #[test]
    fn endpoints_are_told_apart_without_ids_and_keys() {
        let endpoint = |path: &str| endpoint(&Url::parse(&format!("https://x.net{path}")).unwrap());
        assert_eq!(
            endpoint("/rest/api/3/project/OPS"),
            endpoint("/rest/api/3/project/10000")
        );
        assert_ne!(
            endpoint("/rest/api/3/project/OPS"),
            endpoint("/rest/api/3/project/search")
        );
        assert_ne!(
            endpoint("/rest/agile/1.0/board/5"),
            endpoint("/rest/agile/1.0/board/5/project")
        );
    }
}
