//! Liveness, readiness and metrics.

use std::{fmt, sync::Arc};

use serde_json::json;

use crate::queue::Queue;

type Probe = dyn Fn() -> Result<(), String> + Send + Sync;

/// One thing that must work before events should be sent here.
///
/// ```
/// use ocean_core::ingress::Check;
///
/// let check = Check::new("mapping", || Err("none loaded yet".to_owned()));
/// assert_eq!(check.run(), Err("none loaded yet".to_owned()));
/// ```
#[derive(Clone)]
pub struct Check {
    name: &'static str,
    effect: Effect,
    probe: Arc<Probe>,
}

/// What a failing check means for readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// Events should not be sent here.
    Unready,
    /// Events are accepted and kept, but their effect is late.
    Degraded,
}

impl Check {
    /// The dependency `name` works as long as `probe` says so. It is asked on every request to
    /// `/health/ready`, on a thread that serves requests, so it looks at something known rather
    /// than trying.
    pub fn new(
        name: &'static str,
        probe: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            effect: Effect::Unready,
            probe: Arc::new(probe),
        }
    }

    /// The same for a dependency without which events are still accepted: it is named in the
    /// answer, which stays 200. The queue is there to bridge exactly such a time, so senders must
    /// not be turned away.
    pub fn degrading(
        name: &'static str,
        probe: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            effect: Effect::Degraded,
            ..Self::new(name, probe)
        }
    }

    /// The check that `queue` accepts events.
    pub(super) fn queue(queue: Arc<dyn Queue>) -> Self {
        Self::new("queue", move || match queue.pressure().refusing {
            Some(reason) => Err(reason),
            None => Ok(()),
        })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// # Errors
    /// Why the dependency does not work.
    pub fn run(&self) -> Result<(), String> {
        (self.probe)()
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Check({})", self.name)
    }
}

/// The body of `/health/live`: the process answers, and that is all it says.
pub(super) fn live() -> String {
    json!({"status": "healthy", "check": "live", "core_version": VERSION}).to_string()
}

/// Whether events should be sent here, and the body of `/health/ready`.
pub(super) fn ready(checks: &[Check]) -> (bool, String) {
    let failing = |effect| -> Vec<_> {
        let relevant = checks.iter().filter(|check| check.effect == effect);
        relevant
            .filter_map(|check| {
                let reason = check.run().err()?;
                Some(json!({"dependency": check.name, "reason": reason}))
            })
            .collect()
    };
    let (unready, degraded) = (failing(Effect::Unready), failing(Effect::Degraded));
    let ready = unready.is_empty();
    let status = match (ready, degraded.is_empty()) {
        (true, true) => "healthy",
        (true, false) => "degraded",
        (false, _) => "unhealthy",
    };
    let mut body = json!({"status": status, "check": "ready", "core_version": VERSION});
    if !ready {
        body["failing"] = unready.into();
    }
    if !degraded.is_empty() {
        body["degraded"] = degraded.into();
    }
    (ready, body.to_string())
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
