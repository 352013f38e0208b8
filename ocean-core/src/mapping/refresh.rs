//! The refresher: keeps the mapping in step with the catalog, in the background and never on the
//! path of an event. **A version that cannot be used, or that breaks a kind that works now, is
//! refused loudly and once; the last good one stays.**

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::{Mapping, MappingHandle, MappingOptions};
use crate::{
    catalog::{Catalog, CatalogError},
    clock::Clock,
    supervisor::Shutdown,
    telemetry::Telemetry,
};

/// The time between two looks at the catalog, if nothing else is set
/// (`OCEAN__PORT__PORT_APP_CONFIG_CACHE_TTL`).
pub const DEFAULT_TTL: Duration = Duration::from_secs(60);

const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// The longest a fetch may take, the catalog's own repeats included: a fetch that hangs must not
/// end all refreshing.
const FETCH_DEADLINE: Duration = Duration::from_secs(120);

/// What the refresher works with.
#[derive(Debug)]
pub struct RefreshParts {
    /// Where mappings are put.
    pub handle: MappingHandle,
    /// Where they come from.
    pub catalog: Arc<dyn Catalog>,
    /// How they are compiled.
    pub options: MappingOptions,
    /// The time between two looks, such as [`DEFAULT_TTL`].
    pub ttl: Duration,
    /// The time.
    pub clock: Clock,
    /// Metrics.
    pub telemetry: Arc<Telemetry>,
}

/// Loads the mapping and reloads it when its time to live is over or
/// [`MappingHandle::refresh_now`] was called, until `shutdown`. A catalog that is out of reach is
/// asked again after 1, 2, 4, … 30 seconds or when it said to.
pub async fn refresh(parts: RefreshParts, mut shutdown: Shutdown) {
    let handle = parts.handle.clone();
    let mut refresher = Refresher {
        parts,
        accepted: None,
        refused: None,
        failures: 0,
    };
    loop {
        let wait = tokio::select! {
            () = shutdown.requested() => return,
            wait = refresher.look() => wait,
        };
        tokio::select! {
            () = shutdown.requested() => return,
            () = handle.refresh_wanted() => {}
            () = sleep(wait) => {}
        }
    }
}

struct Refresher {
    parts: RefreshParts,
    // Compared with what the catalog delivers: an equal config is neither compiled nor complained
    // about again.
    accepted: Option<Value>,
    refused: Option<(Value, String)>,
    failures: u32,
}

impl Refresher {
    /// Looks at the catalog once; returns the wait before the next look.
    async fn look(&mut self) -> Duration {
        let fetched = timeout(FETCH_DEADLINE, self.parts.catalog.app_config())
            .await
            .unwrap_or_else(|_| {
                Err(CatalogError::Retry {
                    message: format!("no answer within {FETCH_DEADLINE:?}").into(),
                    after: None,
                })
            });
        match fetched {
            Ok(config) => {
                self.failures = 0;
                self.take(config);
                self.parts.ttl
            }
            Err(error) => self.fail(&error),
        }
    }

    fn take(&mut self, config: Value) {
        let metrics = &self.parts.telemetry.mapping;
        let handle = &self.parts.handle;
        let now = self.parts.clock.now();
        if self.accepted.as_ref() == Some(&config) {
            // The team went back to what is in use, or never left it.
            self.refused = None;
            handle.confirm(now);
            metrics.unchanged();
            return;
        }
        if let Some((refused, fault)) = &self.refused
            && *refused == config
        {
            handle.fault(fault.clone());
            metrics.refused_again();
            return;
        }
        let current = handle.current();
        match judge(&config, &self.parts.options, current.as_deref()) {
            Ok(mapping) => {
                metrics.loaded(&mapping, now);
                handle.replace(Arc::new(mapping), Some(now));
                self.accepted = Some(config);
                self.refused = None;
            }
            Err(reason) => {
                metrics.refused(&reason, current.is_some());
                let fault = format!("the newest mapping is refused: {reason}");
                handle.fault(fault.clone());
                self.refused = Some((config, fault));
            }
        }
    }

    fn fail(&mut self, error: &CatalogError) -> Duration {
        self.failures += 1;
        let metrics = &self.parts.telemetry.mapping;
        let has_mapping = self.parts.handle.current().is_some();
        metrics.fetch_failed(error, self.failures, has_mapping);
        let fault = format!("the mapping cannot be fetched: {error}");
        self.parts.handle.fault(fault);
        let named = match error {
            CatalogError::Retry { after, .. } => *after,
            CatalogError::Unavailable { after, .. } => Some(*after),
            CatalogError::Permanent { .. } => None,
        };
        named.unwrap_or_default().max(backoff(self.failures))
    }
}

/// Compiles `config` unless it cannot replace `current`.
fn judge(
    config: &Value,
    options: &MappingOptions,
    current: Option<&Mapping>,
) -> Result<Mapping, String> {
    let mapping = Mapping::compile_after(config, options, current)
        .map_err(|error| error.problems.join("; "))?;
    match mapping.worse_than(current) {
        None => Ok(mapping),
        Some(reason) => Err(reason),
    }
}

fn backoff(failures: u32) -> Duration {
    let doubled = FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(16));
    // Many integrations lose the same catalog at the same moment.
    doubled.min(LAST_RETRY).mul_f64(0.9 + fastrand::f64() / 5.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_half_a_minute() {
        for (failures, seconds) in [(1, 1.0), (2, 2.0), (5, 16.0), (6, 30.0), (u32::MAX, 30.0)] {
            let wait = backoff(failures).as_secs_f64();
            assert!(
                (0.9 * seconds..=1.1 * seconds).contains(&wait),
                "{failures}: {wait}"
            );
        }
    }
}
