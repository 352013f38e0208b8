//! How many calls are in flight: additive increase, multiplicative decrease.

// Enough to hide a round trip at once, few enough to be polite to a catalog that just came back.
const START: f64 = 10.0;

/// The current limit of calls in flight.
#[derive(Debug)]
pub(super) struct Concurrency {
    limit: f64,
    max: f64,
    in_flight: usize,
    // Calls carry the generation they started in; only those of the current one may lower the
    // limit, so that one overload seen by many calls counts once.
    generation: u64,
}

impl Concurrency {
    pub(super) fn new(max: usize) -> Self {
        let max = max.max(1) as f64;
        Self {
            limit: START.min(max),
            max,
            in_flight: 0,
            generation: 0,
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit as usize
    }

    /// Whether `calls` more may start.
    pub(super) fn has_room_for(&self, calls: usize) -> bool {
        self.in_flight + calls <= self.limit()
    }

    /// Counts a call in; the answer is what [`finish`](Self::finish) wants to know.
    pub(super) fn start(&mut self) -> u64 {
        self.in_flight += 1;
        self.generation
    }

    pub(super) fn finish(&mut self, generation: u64, overloaded: bool) {
        let was_full = self.in_flight >= self.limit();
        self.in_flight -= 1;
        if !overloaded {
            // A limit that is not reached proves nothing about a higher one.
            if was_full {
                self.limit = (self.limit + 1.0 / self.limit).min(self.max);
            }
        } else if generation == self.generation {
            self.generation += 1;
            self.limit = (self.limit / 2.0).max(1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_slowly_and_halves_once_an_overload() {
        let mut limit = Concurrency::new(50);
        assert_eq!(limit.limit(), 10);
        let calls: Vec<_> = (0..10).map(|_| limit.start()).collect();
        assert!(!limit.has_room_for(1));
        for generation in calls {
            limit.finish(generation, true);
        }
        assert_eq!(limit.limit(), 5);
        for _ in 0..100 {
            let calls: Vec<_> = (0..limit.limit()).map(|_| limit.start()).collect();
            for generation in calls {
                limit.finish(generation, false);
            }
        }
        assert!((10..=50).contains(&limit.limit()), "{limit:?}");
        for _ in 0..20 {
            let generation = limit.start();
            limit.finish(generation, true);
        }
        assert_eq!(limit.limit(), 1);
    }

    #[test]
    fn an_idle_limit_does_not_grow() {
        let mut limit = Concurrency::new(50);
        for _ in 0..100 {
            let generation = limit.start();
            limit.finish(generation, false);
        }
        assert_eq!(limit.limit(), 10);
    }
}
