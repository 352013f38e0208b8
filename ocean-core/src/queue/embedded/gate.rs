//! What callers and the writer share: whether events are let in, and how full the store is.

use std::{
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use jiff::Timestamp;

use crate::queue::{Pressure, QueueError, rate::DrainRate};

/// The bound on bytes that wait for the disk: beyond it the disk does not keep up.
const MAX_IN_FLIGHT: u64 = 256 << 20;
/// What a sender is told while the store fails: it tries again by itself within seconds.
const FAILING_RETRY: Duration = Duration::from_secs(5);

/// Lets events in, or says why not.
#[derive(Debug)]
pub(super) struct Gate {
    max_pending_bytes: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    refusal: Option<Refusal>,
    /// Why what an earlier process left cannot be read, if so.
    stall: Option<String>,
    level: Level,
    in_flight: u64,
    /// The size of what was last turned away for lack of room; 0 once something was let in again.
    turned_away: u64,
    rate: DrainRate,
}

impl State {
    /// By how much the bound would be exceeded with these bytes.
    fn excess(&self, bytes: u64, bound: u64) -> Option<u64> {
        let pending = self.level.pending_bytes + self.in_flight + bytes;
        pending.checked_sub(bound + 1).map(|over| over + 1)
    }
}

/// Why nothing is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no room on the disk.
    NoRoom(String),
    /// Writes fail.
    Failing(String),
    /// The process is about to end.
    Closed,
}

/// How full the store is, as of the last commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) pending: u64,
    pub(super) pending_bytes: u64,
    pub(super) dead: u64,
    /// The bytes of dead letters that still have their bodies.
    pub(super) dead_bytes: u64,
    pub(super) oldest: Option<Timestamp>,
}

impl Gate {
    pub(super) fn new(max_pending_bytes: u64, level: Level) -> Self {
        Self {
            max_pending_bytes,
            state: Mutex::new(State {
                level,
                ..State::default()
            }),
        }
    }

    /// Lets `bytes` in, which count as in flight until [`settle`](Self::settle).
    pub(super) fn admit(&self, bytes: u64) -> Result<(), QueueError> {
        let mut state = self.lock();
        if let Some(refusal) = &state.refusal {
            return Err(refusal.error(&state.rate));
        }
        if let Some(stall) = &state.stall {
            return Err(Refusal::Failing(stall.clone()).error(&state.rate));
        }
        if bytes > self.max_pending_bytes {
            return Err(QueueError::TooLarge {
                bytes,
                limit: self.max_pending_bytes,
            });
        }
        if let Some(over) = state.excess(bytes, self.max_pending_bytes) {
            state.turned_away = bytes;
            return Err(QueueError::Full {
                reason: self.bound_reached(),
                retry_after: state.rate.time_for(over),
            });
        }
        // A single body may be larger than the bound as long as it is alone.
        if state.in_flight > 0 && state.in_flight + bytes > MAX_IN_FLIGHT {
            return Err(QueueError::Full {
                reason: format!("{} bytes wait for the disk", state.in_flight),
                retry_after: Duration::from_secs(1),
            });
        }
        state.in_flight += bytes;
        state.turned_away = 0;
        Ok(())
    }

    /// How many bytes more may become pending, and why not more.
    pub(super) fn room(&self) -> (u64, String) {
        let state = self.lock();
        let taken = state.level.pending_bytes + state.in_flight;
        (
            self.max_pending_bytes.saturating_sub(taken),
            self.bound_reached(),
        )
    }

    /// After a commit, failed or not: `bytes` are no longer in flight, and how full the store is
    /// now.
    pub(super) fn settle(&self, bytes: u64, level: Level) {
        let mut state = self.lock();
        state.in_flight -= bytes;
        state.level = level;
        if level.pending == 0 {
            state.turned_away = 0;
        }
    }

    /// `bytes` never got into the mailbox.
    pub(super) fn withdraw(&self, bytes: u64) {
        self.lock().in_flight -= bytes;
    }

    pub(super) fn observe_drain(&self, bytes: u64, elapsed: Duration) {
        self.lock().rate.observe(bytes, elapsed);
    }

    /// Refuses everything for this reason, or nothing. Once closed it stays closed. Returns whether
    /// that is a change.
    pub(super) fn refuse(&self, refusal: Option<Refusal>) -> bool {
        let mut state = self.lock();
        if state.refusal == refusal || state.refusal == Some(Refusal::Closed) {
            return false;
        }
        state.refusal = refusal;
        true
    }

    /// Events would wait behind a backlog that cannot be read, for this reason, or not any more.
    pub(super) fn stall(&self, reason: Option<String>) {
        self.lock().stall = reason;
    }

    /// The error for callers who are refused now.
    pub(super) fn refusal(&self) -> Option<QueueError> {
        let state = self.lock();
        let refusal = state.refusal.as_ref()?;
        Some(refusal.error(&state.rate))
    }

    /// The error for callers for whom there is no room, for this reason.
    pub(super) fn full(&self, reason: String) -> QueueError {
        Refusal::NoRoom(reason).error(&self.lock().rate)
    }

    pub(super) fn pressure(&self, now: Timestamp) -> Pressure {
        let state = self.lock();
        let Level {
            pending,
            pending_bytes,
            dead,
            dead_bytes,
            oldest,
        } = state.level;
        let refusing = match &state.refusal {
            Some(Refusal::NoRoom(reason) | Refusal::Failing(reason)) => Some(reason.clone()),
            Some(Refusal::Closed) => Some("shutting down".into()),
            None if state.stall.is_some() => state.stall.clone(),
            // Full means that an event like the one last turned away still finds no room.
            None => state
                .excess(state.turned_away, self.max_pending_bytes)
                .map(|_| self.bound_reached()),
        };
        let age = |oldest| Duration::try_from(now.duration_since(oldest)).unwrap_or_default();
        Pressure {
            pending,
            pending_bytes,
            dead,
            dead_bytes,
            refusing,
            oldest: oldest.map(age),
        }
    }

    fn bound_reached(&self) -> String {
        format!(
            "pending events take up the {} bytes allowed",
            self.max_pending_bytes
        )
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while holding it")
    }
}

impl Refusal {
    fn error(&self, rate: &DrainRate) -> QueueError {
        match self {
            Self::NoRoom(reason) => QueueError::Full {
                reason: reason.clone(),
                // Room for a usual group of events; finished ones make it, at the drain rate.
                retry_after: rate.time_for(16 << 20),
            },
            Self::Failing(reason) => QueueError::Failing {
                reason: reason.clone(),
                retry_after: FAILING_RETRY,
            },
            Self::Closed => QueueError::Closed,
        }
    }
}
