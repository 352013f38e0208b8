//! Port's rate limits, obeyed before they bite: `x-ratelimit-*` of each answer says how much is
//! left in its endpoint group; near the end of it calls are spread over the time that remains.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderMap, StatusCode, header};
use tokio::time::Instant;
use url::Url;

use crate::{
    clock::Clock,
    http::{Throttle, parse_hint},
    telemetry::Telemetry,
};

// With a twentieth of the limit left, calls are spread out.
const SPARE_SHARE: u64 = 20;
// Port names a reset time with a 429; this is for a proxy that does not.
const BLIND_PAUSE: Duration = Duration::from_secs(1);

/// Port's endpoint groups, each with a limit of its own (Port's public documentation).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Unauthenticated,
    Entities,
    Upsert,
    BulkUpsert,
    Search,
    Blueprints,
    Other,
}

/// What is known of the limits of each group.
#[derive(Debug)]
pub(super) struct RateLimits {
    windows: [Mutex<Window>; 7],
    telemetry: Arc<Telemetry>,
}

#[derive(Debug, Default)]
struct Window {
    limit: u64,
    remaining: u64,
    // Without it the other two mean nothing.
    reset: Option<Instant>,
    /// Nothing may be sent before.
    blocked_until: Option<Instant>,
    /// When calls are spread out: the next one may go then.
    next_slot: Option<Instant>,
}

impl RateLimits {
    pub(super) fn new(telemetry: Arc<Telemetry>) -> Self {
        Self {
            windows: Default::default(),
            telemetry,
        }
    }

    /// The group that is used up, and for how long, if one is.
    pub(super) fn exhausted(&self) -> Option<(&'static str, Duration)> {
        let now = Instant::now();
        GROUPS.iter().find_map(|group| {
            let window = self.window(*group);
            let wall = window.wall(now)?;
            Some((group.name(), wall))
        })
    }

    fn window(&self, group: Group) -> std::sync::MutexGuard<'_, Window> {
        self.windows[group as usize]
            .lock()
            .expect("no code panics while holding it")
    }
}

impl Throttle for RateLimits {
    fn before(&self, url: &Url) -> Option<Duration> {
        let wait = self.window(Group::of(url)).admit(Instant::now());
        if wait.is_some() {
            self.telemetry.catalog.held_back("rate limit");
        }
        wait
    }

    fn after(&self, url: &Url, status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
        let group = Group::of(url);
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        let time = |name: &str| {
            let text = headers.get(name)?.to_str().ok()?;
            parse_hint(text, Clock::system().now())
        };
        let reset = time("x-ratelimit-reset");
        let now = Instant::now();
        let mut window = self.window(group);
        if let (Some(remaining), Some(reset)) = (number("x-ratelimit-remaining"), reset) {
            window.learn(remaining, number("x-ratelimit-limit"), now + reset, now);
        }
        if status != StatusCode::TOO_MANY_REQUESTS {
            return None;
        }
        let wait = time(header::RETRY_AFTER.as_str()).or(reset);
        let wait = wait.unwrap_or(BLIND_PAUSE);
        let was_blocked = window.wall(now).is_some();
        window.blocked_until = window.blocked_until.max(Some(now + wait));
        if !was_blocked {
            self.telemetry.catalog.rate_limited(group.name(), wait);
        }
        Some(wait)
    }
}

impl Window {
    /// How long a call must wait; none lets it through and counts it.
    fn admit(&mut self, now: Instant) -> Option<Duration> {
        if let Some(wait) = self.wall(now) {
            return Some(wait);
        }
        let Some(left) = self.time_left(now) else {
            // A new window has begun; the next answer tells what is in it.
            self.reset = None;
            self.next_slot = None;
            return None;
        };
        if self.remaining <= self.limit / SPARE_SHARE {
            if let Some(slot) = self.next_slot.filter(|slot| *slot > now) {
                return Some(slot - now);
            }
            let gap = left / u32::try_from(self.remaining.max(1)).unwrap_or(u32::MAX);
            self.next_slot = Some(now + gap);
        }
        // Counted before the answer: calls in flight use the window up as well.
        self.remaining = self.remaining.saturating_sub(1);
        None
    }

    fn learn(&mut self, remaining: u64, limit: Option<u64>, reset: Instant, now: Instant) {
        // Answers overtake each other: within a window the smaller number is the newer one. Reset
        // times come in whole seconds, so windows are told apart with some tolerance.
        let is_same_window = self.time_left(now).is_some()
            && self
                .reset
                .is_some_and(|known| reset <= known + Duration::from_secs(2));
        if is_same_window {
            self.remaining = self.remaining.min(remaining);
        } else {
            self.remaining = remaining;
            self.reset = Some(reset);
            self.next_slot = None;
        }
        if let Some(limit) = limit {
            self.limit = limit;
        }
    }

    fn wall(&self, now: Instant) -> Option<Duration> {
        if let Some(until) = self.blocked_until.filter(|until| *until > now) {
            return Some(until - now);
        }
        self.time_left(now).filter(|_| self.remaining == 0)
    }

    fn time_left(&self, now: Instant) -> Option<Duration> {
        let reset = self.reset.filter(|reset| *reset > now)?;
        Some(reset - now)
    }
}

const GROUPS: [Group; 7] = [
    Group::Unauthenticated,
    Group::Entities,
    Group::Upsert,
    Group::BulkUpsert,
    Group::Search,
    Group::Blueprints,
    Group::Other,
];

impl Group {
    fn of(url: &Url) -> Self {
        let path = url.path();
        if path.ends_with("/auth/access_token") {
            Self::Unauthenticated
        } else if path.ends_with("/entities/bulk") {
            Self::BulkUpsert
        } else if path.ends_with("/entities/search") {
            Self::Search
        } else if path.contains("/bulk/entities/") {
            Self::Entities
        } else if path.ends_with("/entities") {
            Self::Upsert
        } else if path.contains("/v1/blueprints") {
            Self::Blueprints
        } else {
            Self::Other
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Unauthenticated => "tokens",
            Self::Entities => "entities",
            Self::Upsert => "single upserts",
            Self::BulkUpsert => "bulk upserts",
            Self::Search => "search",
            Self::Blueprints => "blueprints",
            Self::Other => "everything else",
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const BULK: &str = "https://port/v1/blueprints/issue/entities/bulk";

    fn check_group(path: &str, expected: Group) {
        let url = Url::parse(&format!("https://port/v1{path}")).unwrap();
        assert_eq!(Group::of(&url), expected, "{path}");
    }

    #[test]
    fn each_call_counts_in_its_group() {
        check_group("/auth/access_token", Group::Unauthenticated);
        check_group("/blueprints/a/entities/bulk?upsert=true", Group::BulkUpsert);
        check_group("/blueprints/a/entities?upsert=true", Group::Upsert);
        check_group("/blueprints/a/bulk/entities/delete", Group::Entities);
        check_group("/entities/search", Group::Search);
        check_group("/blueprints/a", Group::Blueprints);
        check_group("/integration/my-jira", Group::Other);
    }

    fn limits() -> (RateLimits, Url) {
        (RateLimits::new(Arc::default()), Url::parse(BULK).unwrap())
    }

    fn headers(entries: &[(&'static str, u64)]) -> HeaderMap {
        entries
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), (*value).into()))
            .collect()
    }

    fn answer(limits: &RateLimits, url: &Url, remaining: u64, reset: u64) {
        let headers = headers(&[
            ("x-ratelimit-limit", 1000),
            ("x-ratelimit-remaining", remaining),
            ("x-ratelimit-reset", reset),
        ]);
        assert_eq!(limits.after(url, StatusCode::OK, &headers), None);
    }

    #[tokio::test(start_paused = true)]
    async fn plenty_is_not_held_back_and_nothing_left_is_a_wall() {
        let (limits, url) = limits();
        assert_eq!(limits.before(&url), None, "nothing is known yet");
        answer(&limits, &url, 900, 60);
        for _ in 0..100 {
            assert_eq!(limits.before(&url), None);
        }
        answer(&limits, &url, 0, 60);
        assert_eq!(limits.before(&url), Some(Duration::from_secs(60)));
        assert_eq!(limits.exhausted().unwrap().0, "bulk upserts");
        let search = Url::parse("https://port/v1/entities/search").unwrap();
        assert_eq!(limits.before(&search), None, "another group");
        advance(Duration::from_secs(61)).await;
        assert_eq!(limits.before(&url), None, "a new window");
        assert_eq!(limits.exhausted(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_twentieth_is_spread_over_the_rest_of_the_window() {
        let (limits, url) = limits();
        answer(&limits, &url, 50, 100);
        let start = Instant::now();
        let mut sent = 0;
        while start.elapsed() < Duration::from_secs(100) {
            match limits.before(&url) {
                None => sent += 1,
                Some(wait) => advance(wait).await,
            }
        }
        assert!((45..=52).contains(&sent), "{sent} calls");
    }

    #[tokio::test(start_paused = true)]
    async fn an_older_answer_does_not_give_back_what_is_used() {
        let (limits, url) = limits();
        answer(&limits, &url, 2, 60);
        answer(&limits, &url, 0, 60);
        answer(&limits, &url, 5, 60);
        assert!(limits.before(&url).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_blocks_its_group_for_the_time_named() {
        let (limits, url) = limits();
        for (entries, seconds) in [
            (headers(&[("retry-after", 7)]), 7),
            (headers(&[("x-ratelimit-reset", 9)]), 9),
            (headers(&[]), 1),
            (headers(&[("retry-after", 9999)]), 300),
            (headers(&[("retry-after", u64::MAX)]), 300),
            (headers(&[("x-ratelimit-reset", u64::MAX)]), 300),
        ] {
            let wait = Some(Duration::from_secs(seconds));
            let refused = StatusCode::TOO_MANY_REQUESTS;
            assert_eq!(limits.after(&url, refused, &entries), wait);
            assert_eq!(limits.before(&url), wait);
            advance(Duration::from_secs(seconds)).await;
            assert_eq!(limits.before(&url), None);
        }
    }
}
