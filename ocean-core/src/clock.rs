//! The one source of wall-clock time.

use jiff::Timestamp;
use tokio::time::Instant;

/// Tells the time: the system's, or one that tests move.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Copy, Debug)]
enum Kind {
    System,
    Virtual { origin: Timestamp, started: Instant },
}

impl Clock {
    /// The system's clock.
    pub const fn system() -> Self {
        Self(Kind::System)
    }

    /// A clock that starts at `origin` and moves with tokio's time, which tests can pause.
    pub fn starting_at(origin: Timestamp) -> Self {
        Self(Kind::Virtual {
            origin,
            started: Instant::now(),
        })
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match self.0 {
            Kind::System => Timestamp::now(),
            Kind::Virtual { origin, started } => origin
                .saturating_add(started.elapsed())
                .unwrap_or(Timestamp::MAX),
        }
    }
}
