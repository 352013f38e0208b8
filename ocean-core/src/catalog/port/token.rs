//! The access token: fetched once for all callers, renewed before it expires.

use std::{future::Future, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};

// Renewed this long before it expires, or a tenth of its life if that is shorter.
const MAX_MARGIN: Duration = Duration::from_secs(60);

/// Holds the current token.
#[derive(Debug, Default)]
pub(super) struct TokenCache {
    current: ArcSwapOption<Token>,
    // Held while one caller fetches; the others wait, or go on with a token that is still valid.
    fetching: Mutex<()>,
}

/// A token as Port hands it out.
pub(super) struct Token {
    /// The value of the header `Authorization`.
    pub(super) authorization: String,
    renew_at: Instant,
    expires_at: Instant,
}

/// Port's answer to a token request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TokenAnswer {
    access_token: String,
    #[serde(default = "three_hours")]
    expires_in: f64,
    #[serde(default = "bearer")]
    token_type: String,
}

fn three_hours() -> f64 {
    10_800.0
}

fn bearer() -> String {
    "Bearer".to_owned()
}

impl TokenCache {
    /// A valid token, fetched with `fetch` if there is none.
    pub(super) async fn get<E, F>(&self, fetch: impl FnOnce() -> F) -> Result<Arc<Token>, E>
    where
        F: Future<Output = Result<Token, E>>,
    {
        let now = Instant::now();
        if let Some(token) = self
            .current
            .load_full()
            .filter(|token| token.expires_at > now)
        {
            if token.renew_at > now {
                return Ok(token);
            }
            let Ok(_fetching) = self.fetching.try_lock() else {
                return Ok(token);
            };
            // The old one is still good: a failed renewal is tried again by the next caller.
            return Ok(match fetch().await {
                Ok(token) => self.put(token),
                Err(_) => token,
            });
        }
        self.replace(None, fetch).await
    }

    /// A token other than `refused`, fetched at most once for all callers it was refused to.
    pub(super) async fn replace<E, F>(
        &self,
        refused: Option<&Arc<Token>>,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<Token>, E>
    where
        F: Future<Output = Result<Token, E>>,
    {
        let _fetching = self.fetching.lock().await;
        let now = Instant::now();
        let current = self.current.load_full();
        // Somebody else may have fetched one while this caller waited for the lock.
        if let Some(token) = current.filter(|token| token.expires_at > now)
            && refused.is_none_or(|refused| !Arc::ptr_eq(refused, &token))
        {
            return Ok(token);
        }
        fetch().await.map(|token| self.put(token))
    }

    fn put(&self, token: Token) -> Arc<Token> {
        let token = Arc::new(token);
        self.current.store(Some(token.clone()));
        token
    }
}

impl From<TokenAnswer> for Token {
    fn from(answer: TokenAnswer) -> Self {
        let life = Duration::try_from_secs_f64(answer.expires_in).unwrap_or_default();
        let now = Instant::now();
        Self {
            authorization: format!("{} {}", answer.token_type, answer.access_token),
            renew_at: now + life.saturating_sub(MAX_MARGIN.min(life / 10)),
            expires_at: now + life,
        }
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::atomic::{AtomicU32, Ordering},
    };

    use tokio::time::{advance, sleep};

    use super::*;

    #[derive(Default)]
    struct Fetches(AtomicU32);

    impl Fetches {
        async fn one(&self) -> Result<Token, Infallible> {
            let number = self.0.fetch_add(1, Ordering::SeqCst) + 1;
            sleep(Duration::from_millis(10)).await;
            Ok(TokenAnswer {
                access_token: number.to_string(),
                expires_in: 100.0,
                token_type: bearer(),
            }
            .into())
        }
    }

    async fn get(cache: &TokenCache, fetches: &Fetches) -> String {
        let Ok(token) = cache.get(|| fetches.one()).await;
        token.authorization.clone()
    }

    #[tokio::test(start_paused = true)]
    async fn many_callers_share_one_fetch() {
        let (cache, fetches) = (TokenCache::default(), Fetches::default());
        let all = (0..50).map(|_| get(&cache, &fetches));
        let all = futures_util::future::join_all(all).await;
        assert!(all.iter().all(|token| token == "Bearer 1"));
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_renewed_before_it_expires_and_nobody_waits() {
        let (cache, fetches) = (TokenCache::default(), Fetches::default());
        get(&cache, &fetches).await;
        advance(Duration::from_secs(89)).await;
        assert_eq!(get(&cache, &fetches).await, "Bearer 1");
        advance(Duration::from_secs(2)).await;
        let (renewing, others) = tokio::join!(get(&cache, &fetches), get(&cache, &fetches));
        assert_eq!((&*renewing, &*others), ("Bearer 2", "Bearer 1"));
        advance(Duration::from_secs(200)).await;
        assert_eq!(get(&cache, &fetches).await, "Bearer 3");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_token_is_replaced_once() {
        let (cache, fetches) = (TokenCache::default(), Fetches::default());
        let Ok(refused) = cache.get(|| fetches.one()).await;
        let all = (0..20).map(|_| cache.replace(Some(&refused), || fetches.one()));
        for token in futures_util::future::join_all(all).await {
            let Ok(token) = token;
            assert_eq!(token.authorization, "Bearer 2");
        }
    }
}
