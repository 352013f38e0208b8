//! How fast the queue drains, and what a sender that was refused should be told.

use std::time::Duration;

/// The longest wait a sender is told: longer ones make senders give up.
const LONGEST: Duration = Duration::from_secs(300);
/// The wait when nothing drains at the moment, so that nothing can be computed.
const UNKNOWN: Duration = Duration::from_secs(30);

/// An exponentially weighted mean of bytes finished per second, over about ten seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DrainRate {
    bytes_per_second: f64,
}

impl DrainRate {
    /// Takes in that `bytes` were finished within `elapsed`.
    pub(super) fn observe(&mut self, bytes: u64, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        let weight = 1.0 - (-seconds / 10.0).exp();
        self.bytes_per_second += weight * (bytes as f64 / seconds - self.bytes_per_second);
    }

    /// The time in which `bytes` will probably be finished, from 1 s to 5 min.
    pub(super) fn time_for(&self, bytes: u64) -> Duration {
        if self.bytes_per_second < 1.0 {
            return UNKNOWN;
        }
        let seconds = bytes as f64 / self.bytes_per_second;
        Duration::from_secs_f64(seconds.clamp(1.0, LONGEST.as_secs_f64()).ceil())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(observed: &[(u64, u64)], bytes: u64, seconds: u64) {
        let mut rate = DrainRate::default();
        for &(bytes, elapsed) in observed {
            rate.observe(bytes, Duration::from_secs(elapsed));
        }
        assert_eq!(
            rate.time_for(bytes),
            Duration::from_secs(seconds),
            "{observed:?}"
        );
    }

    #[test]
    fn the_wait_follows_the_measured_rate() {
        check(&[], 1_000, 30);
        check(&[(0, 100)], 1_000, 30);
        check(&[(1_000_000, 1000)], 20_000, 20);
        check(&[(1_000_000, 1000)], 1, 1);
        check(&[(1_000_000, 1000)], u64::MAX, 300);
        // A burst long ago weighs little.
        check(&[(1_000_000, 1), (100_000, 100)], 20_000, 20);
    }
}
