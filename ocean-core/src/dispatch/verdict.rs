//! What follows from a failed attempt.

use std::time::Duration;

use super::attempt::guarded;
use crate::{
    error::{ErrorClass, ProcessorError},
    processor::{RetryPolicy, registry::Registered},
};

/// No wait is longer than this, whatever a tool or a mistaken policy says: a lane must not be held
/// up for weeks by one number.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// What follows from a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The event does not concern the processor.
    Dropped,
    /// Tried again after this time.
    Again(Duration),
    /// Given up.
    Dead,
}

/// Decides about `error`. `failures` counts the failed attempts before it, outages left out.
///
/// Rejections are final. Beyond that the processor's `should_retry` has the say, also against the
/// error's class. An outage is waited out however long it takes.
pub(super) fn verdict(registered: &Registered, error: &ProcessorError, failures: u32) -> Verdict {
    match error.class() {
        ErrorClass::Drop => return Verdict::Dropped,
        ErrorClass::Rejected => return Verdict::Dead,
        _ => {}
    }
    let processor = &registered.processor;
    let wanted = guarded("should_retry", || processor.should_retry(error));
    if !wanted.unwrap_or_else(|_| error.is_retryable()) {
        return Verdict::Dead;
    }
    let least = error.delay().unwrap_or_default();
    if error.is_outage() {
        return Verdict::Again(later(least.max(OUTAGE_WAIT)));
    }
    let policy = Policy::of(registered);
    if failures >= policy.max_retries() {
        return Verdict::Dead;
    }
    Verdict::Again(
        jittered(policy.delay(failures + 1))
            .max(later(least))
            .min(LONGEST_WAIT),
    )
}

/// The least wait in an outage, should it come without one: nothing may spin.
const OUTAGE_WAIT: Duration = Duration::from_secs(1);

/// 80 to 120 % of the delay, so that events that failed together do not come back together.
fn jittered(delay: Duration) -> Duration {
    delay.min(LONGEST_WAIT).mul_f64(0.8 + 0.4 * fastrand::f64())
}

/// The least delay that a tool named and up to a tenth of it: never earlier.
fn later(least: Duration) -> Duration {
    least.min(LONGEST_WAIT).mul_f64(1.0 + 0.1 * fastrand::f64())
}

// === Policy ===

/// Whose numbers count: the description's where it says something of its own, as the attribute
/// does with `max_retries = 5`; else the processor's constants and its `retry_delay`.
enum Policy<'a> {
    Spec(&'a RetryPolicy),
    Processor(&'a Registered, RetryPolicy),
}

impl<'a> Policy<'a> {
    fn of(registered: &'a Registered) -> Self {
        let declared = &registered.spec.retry;
        let own = registered.processor.retry_policy();
        if *declared == RetryPolicy::DEFAULT || *declared == own {
            Self::Processor(registered, own)
        } else {
            Self::Spec(declared)
        }
    }

    fn max_retries(&self) -> u32 {
        match self {
            Self::Spec(policy) => policy.max_retries,
            Self::Processor(_, policy) => policy.max_retries,
        }
    }

    fn delay(&self, retry: u32) -> Duration {
        match self {
            Self::Spec(policy) => policy.delay(retry),
            Self::Processor(registered, own) => {
                guarded("retry_delay", || registered.processor.retry_delay(retry))
                    .unwrap_or_else(|_| own.delay(retry))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::prelude::*;
    use crate::{Rejection, processor::ProcessorSpec};

    struct Plain;

    impl WebhookProcessor for Plain {
        async fn handle_event(&self, _: &EventContext<'_>) -> Result<Outcome, ProcessorError> {
            Ok(Outcome::NotFound)
        }
    }

    struct Stubborn;

    impl WebhookProcessor for Stubborn {
        const MAX_RETRIES: u32 = 1;

        async fn handle_event(&self, _: &EventContext<'_>) -> Result<Outcome, ProcessorError> {
            Ok(Outcome::NotFound)
        }

        fn should_retry(&self, _: &ProcessorError) -> bool {
            true
        }

        fn retry_delay(&self, retry: u32) -> Duration {
            assert_eq!(retry, 1, "asked for a retry that cannot be");
            Duration::from_secs(100)
        }
    }

    fn registered(processor: impl WebhookProcessor, spec: ProcessorSpec) -> Registered {
        Registered {
            spec,
            processor: Arc::new(processor),
        }
    }

    fn plain() -> Registered {
        registered(Plain, ProcessorSpec::new("plain", "/webhook"))
    }

    fn check_delay(verdict: Verdict, low: f64, high: f64) {
        let Verdict::Again(delay) = verdict else {
            panic!("{verdict:?}, not again");
        };
        let range = low..=high;
        assert!(
            range.contains(&delay.as_secs_f64()),
            "{delay:?} not in {range:?}"
        );
    }

    #[test]
    fn delays_are_one_two_and_four_seconds_with_jitter() {
        let error = ProcessorError::retry("busy");
        for _ in 0..100 {
            for (failures, seconds) in [(0, 1.0), (1, 2.0), (2, 4.0)] {
                let verdict = verdict(&plain(), &error, failures);
                check_delay(verdict, seconds * 0.8, seconds * 1.2);
            }
        }
        assert_eq!(verdict(&plain(), &error, 3), Verdict::Dead);
    }

    #[test]
    fn jitter_spreads() {
        let error = ProcessorError::retry("busy");
        let verdicts: Vec<_> = (0..10).map(|_| verdict(&plain(), &error, 0)).collect();
        assert!(verdicts.iter().any(|verdict| *verdict != verdicts[0]));
    }

    #[test]
    fn retry_after_is_the_least_delay() {
        let error = ProcessorError::retry_after("slow down", Duration::from_secs(60));
        check_delay(verdict(&plain(), &error, 0), 60.0, 66.0);
        let error = ProcessorError::retry_after("slow down", Duration::from_millis(1));
        check_delay(verdict(&plain(), &error, 0), 0.8, 1.2);
    }

    #[test]
    fn an_outage_uses_up_no_retry() {
        let error = ProcessorError::unavailable("port is down", Duration::from_secs(30));
        check_delay(verdict(&plain(), &error, 1_000), 30.0, 33.0);
        let error = ProcessorError::unavailable("port is down", Duration::ZERO);
        check_delay(verdict(&plain(), &error, 0), 1.0, 1.1);
    }

    #[test]
    fn waits_are_bounded() {
        let error = ProcessorError::retry_after("next year", Duration::MAX);
        assert_eq!(verdict(&plain(), &error, 0), Verdict::Again(LONGEST_WAIT));
        let error = ProcessorError::unavailable("next year", Duration::MAX);
        check_delay(verdict(&plain(), &error, 0), 86_400.0, 95_040.0);
    }

    #[test]
    fn classes_decide() {
        let rejected = ProcessorError::from(Rejection::invalid("no issue"));
        assert_eq!(verdict(&plain(), &rejected, 0), Verdict::Dead);
        assert_eq!(
            verdict(&plain(), &ProcessorError::permanent("400"), 0),
            Verdict::Dead
        );
        assert_eq!(
            verdict(&plain(), &ProcessorError::drop("draft"), 0),
            Verdict::Dropped
        );
    }

    #[test]
    fn the_processor_has_the_say_about_retries() {
        let stubborn = registered(Stubborn, ProcessorSpec::new("stubborn", "/webhook"));
        let error = ProcessorError::permanent("400");
        check_delay(verdict(&stubborn, &error, 0), 80.0, 120.0);
        assert_eq!(verdict(&stubborn, &error, 1), Verdict::Dead);
        let rejected = ProcessorError::from(Rejection::unauthenticated("forged"));
        assert_eq!(verdict(&stubborn, &rejected, 0), Verdict::Dead);
    }

    #[test]
    fn a_declared_policy_counts() {
        let policy = RetryPolicy {
            max_retries: 5,
            initial_delay: Duration::from_secs(10),
            ..RetryPolicy::DEFAULT
        };
        let spec = ProcessorSpec::new("plain", "/webhook").retry(policy);
        let plain = registered(Plain, spec);
        let error = ProcessorError::retry("busy");
        check_delay(verdict(&plain, &error, 0), 8.0, 12.0);
        check_delay(verdict(&plain, &error, 4), 24.0, 36.0);
        assert_eq!(verdict(&plain, &error, 5), Verdict::Dead);
    }

    #[test]
    fn a_panic_in_a_hook_decides_nothing() {
        struct Broken;
        impl WebhookProcessor for Broken {
            async fn handle_event(&self, _: &EventContext<'_>) -> Result<Outcome, ProcessorError> {
                Ok(Outcome::NotFound)
            }
            fn should_retry(&self, _: &ProcessorError) -> bool {
                panic!("as the test wants")
            }
            fn retry_delay(&self, _: u32) -> Duration {
                panic!("as the test wants")
            }
        }
        let broken = registered(Broken, ProcessorSpec::new("broken", "/webhook"));
        check_delay(
            verdict(&broken, &ProcessorError::retry("busy"), 0),
            0.8,
            1.2,
        );
        assert_eq!(
            verdict(&broken, &ProcessorError::permanent("400"), 0),
            Verdict::Dead
        );
    }
}
