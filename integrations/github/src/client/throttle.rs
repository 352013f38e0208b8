//! GitHub's rate limits.
//!
//! By GitHub's guide "Rate limits for the REST API" every answer tells what is left of the primary
//! limit of its *resource* (`x-ratelimit-resource`, `-remaining`, `-reset` in seconds since 1970),
//! a refusal is 403 or 429, and a secondary limit, which holds for everything, names its end in
//! `retry-after`. Nothing is locked while a request waits.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use ocean_core::{Clock, http::Throttle};
use tokio::time::Instant;
use url::Url;

/// How long to stay away from a refusal without any hint, by GitHub's guide.
const DEFAULT_PAUSE: Duration = Duration::from_secs(60);

/// The rate limits as the latest answers told them.
#[derive(Debug, Default)]
pub(super) struct RateLimits(Mutex<Limits>);

#[derive(Debug, Default)]
struct Limits {
    /// Nothing is sent before this time.
    all: Option<Instant>,
    /// Nothing is sent to a resource before its time.
    resources: HashMap<String, Instant>,
}

impl Throttle for RateLimits {
    fn before(&self, url: &Url) -> Option<Duration> {
        let limits = self.0.lock().expect("no code panics while holding it");
        let until = limits.all.max(limits.resources.get(resource(url)).copied());
        let wait = until?.saturating_duration_since(Instant::now());
        (!wait.is_zero()).then_some(wait)
    }

    fn after(&self, url: &Url, status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
        let number = |name: &str| text(name)?.parse::<u64>().ok();
        let is_refusal = matches!(status.as_u16(), 403 | 429);
        let is_used_up = number("x-ratelimit-remaining") == Some(0);
        let until_reset = number("x-ratelimit-reset").map(until);
        let retry_after = number("retry-after").map(Duration::from_secs);

        let now = Instant::now();
        let mut limits = self.0.lock().expect("no code panics while holding it");
        if let (true, Some(wait)) = (is_used_up, until_reset) {
            let resource = text("x-ratelimit-resource").unwrap_or_else(|| resource(url));
            limits.resources.insert(resource.to_owned(), now + wait);
        }
        let pause = match (status.as_u16(), retry_after) {
            _ if !is_refusal => return None,
            (_, Some(wait)) => wait,
            _ if is_used_up => return Some(until_reset.unwrap_or(DEFAULT_PAUSE)),
            (429, None) => DEFAULT_PAUSE,
            // A lack of permission, or a limit that only the text names.
            _ => return None,
        };
        // A refusal never shortens an earlier one.
        limits.all = limits.all.max(Some(now + pause));
        Some(pause)
    }
}

/// The resource whose limit a request counts against, as far as the address tells.
fn resource(url: &Url) -> &'static str {
    let mut segments = url.path_segments().into_iter().flatten();
    match segments.find(|segment| !matches!(*segment, "api" | "v3")) {
        Some("search") => "search",
        Some("graphql") => "graphql",
        _ => "core",
    }
}

fn until(seconds: u64) -> Duration {
    let time = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok());
    let wait = time.map(|time| time.duration_since(Clock::system().now()));
    wait.and_then(|wait| Duration::try_from(wait).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const ISSUE: &str = "https://api.github.com/repos/octo-org/shop/issues/7";
    const SEARCH: &str = "https://ghe.example.com/api/v3/search/repositories";
    const GRAPHQL: &str = "https://ghe.example.com/api/graphql";

    #[derive(Default)]
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
            let status = StatusCode::from_u16(status).unwrap();
            self.0.after(&Url::parse(url).unwrap(), status, &map)
        }

        /// The wait in whole seconds, rounded up; 0 lets the request through.
        fn wait(&self, url: &str) -> u64 {
            let wait = self.0.before(&Url::parse(url).unwrap());
            wait.map_or(0, |wait| wait.as_millis().div_ceil(1_000) as u64)
        }
    }

    fn in_seconds(seconds: i64) -> String {
        (Clock::system().now().as_second() + seconds).to_string()
    }

    #[tokio::test(start_paused = true)]
    async fn a_used_up_limit_holds_back_its_resource_until_it_is_reset() {
        let site = Site::default();
        let reset = in_seconds(30);
        let headers = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", reset.as_str()),
            ("x-ratelimit-resource", "core"),
        ];
        assert_eq!(site.answers(ISSUE, 200, &headers), None, "it was answered");
        assert!((29..=30).contains(&site.wait(ISSUE)));
        assert_eq!((site.wait(SEARCH), site.wait(GRAPHQL)), (0, 0));
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(site.wait(ISSUE), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_403_by_the_primary_limit_is_a_refusal_until_the_reset() {
        let site = Site::default();
        let reset = in_seconds(90);
        let headers = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", reset.as_str()),
        ];
        let wait = site.answers(SEARCH, 403, &headers).unwrap();
        assert!((89..=90).contains(&wait.as_secs()), "{wait:?}");
        assert_eq!(site.wait(ISSUE), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_secondary_limit_holds_back_everything_and_is_never_shortened() {
        let site = Site::default();
        let pause = |seconds| site.answers(ISSUE, 403, &[("retry-after", seconds)]);
        assert_eq!(pause("60"), Some(Duration::from_secs(60)));
        assert_eq!(pause("1"), Some(Duration::from_secs(1)));
        assert_eq!((site.wait(ISSUE), site.wait(GRAPHQL)), (60, 60));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lack_of_permission_is_no_rate_limit() {
        let site = Site::default();
        let headers = [("x-ratelimit-remaining", "4999")];
        assert_eq!(site.answers(ISSUE, 403, &headers), None);
        assert_eq!(site.wait(ISSUE), 0);
        assert_eq!(site.answers(ISSUE, 429, &headers), Some(DEFAULT_PAUSE));
    }
}
