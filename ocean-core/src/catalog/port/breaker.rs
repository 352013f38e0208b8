//! The circuit breaker: after several outages in a row nothing is sent for a while, then one probe.
//!
//! Only what says "the whole host is in trouble" counts: no connection, no answer, 502, 503, 504. A
//! 500 or a refusal proves that the host works, however little the caller likes it.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use http::StatusCode;
use tokio::time::Instant;

use crate::{
    http::{HttpError, backoff},
    telemetry::Telemetry,
};

const OUTAGES_TO_OPEN: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(60);
// While one call probes, the others come back this soon to see how it went.
const PROBE_PAUSE: Duration = Duration::from_millis(500);

/// The breaker of one host.
#[derive(Debug)]
pub(super) struct Breaker {
    host: String,
    state: Mutex<State>,
    telemetry: Arc<Telemetry>,
}

#[derive(Debug, Default)]
struct State {
    outages_in_a_row: u32,
    /// How often in a row it opened; the pause doubles with each.
    openings: u32,
    open_until: Option<Instant>,
    is_probing: bool,
    reason: String,
}

/// Leave to send one call; tells the breaker how it went.
#[derive(Debug)]
pub(super) struct Admission<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
}

/// The breaker is open.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) reason: String,
    pub(super) after: Duration,
}

impl Breaker {
    pub(super) fn new(host: String, telemetry: Arc<Telemetry>) -> Self {
        Self {
            host,
            state: Mutex::default(),
            telemetry,
        }
    }

    /// Asks for leave to send a call.
    pub(super) fn admit(&self) -> Result<Admission<'_>, Open> {
        let mut state = self.state();
        let Some(until) = state.open_until else {
            return Ok(self.admission(false));
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() && !state.is_probing {
            state.is_probing = true;
            return Ok(self.admission(true));
        }
        self.telemetry.catalog.held_back("outage");
        Err(Open {
            reason: state.reason.clone(),
            after: left.max(PROBE_PAUSE),
        })
    }

    /// Why nothing is sent, and for how long, if that is so.
    pub(super) fn open(&self) -> Option<Open> {
        let state = self.state();
        let until = state.open_until?;
        Some(Open {
            reason: state.reason.clone(),
            after: until
                .saturating_duration_since(Instant::now())
                .max(PROBE_PAUSE),
        })
    }

    fn admission(&self, is_probe: bool) -> Admission<'_> {
        Admission {
            breaker: self,
            is_probe,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while holding it")
    }
}

impl Admission<'_> {
    /// Tells how the call went.
    pub(super) fn record<T>(self, result: &Result<T, HttpError>) {
        let mut state = self.breaker.state();
        let telemetry = &self.breaker.telemetry.catalog;
        let host = &self.breaker.host;
        let Err(error) = result else {
            return self.breaker.close(state);
        };
        if matches!(error, HttpError::Throttled { status: None, .. }) {
            return; // Not sent, so it says nothing; a probe's place is given back.
        }
        if !is_outage(error) {
            return self.breaker.close(state);
        }
        state.outages_in_a_row += 1;
        state.reason = error.to_string();
        let was_open = state.open_until.is_some();
        // Calls that were under way when it opened do not make the pause longer.
        if self.is_probe || (!was_open && state.outages_in_a_row >= OUTAGES_TO_OPEN) {
            state.openings += 1;
            let pause = backoff(FIRST_PAUSE, state.openings).min(MAX_PAUSE);
            state.open_until = Some(Instant::now() + pause);
            if was_open {
                telemetry.outage_continues(host, &state.reason, pause);
            } else {
                telemetry.outage_began(host, &state.reason, pause);
            }
        }
    }
}

impl Breaker {
    fn close(&self, mut state: MutexGuard<'_, State>) {
        if state.open_until.is_some() {
            self.telemetry.catalog.outage_ended(&self.host);
        }
        // `is_probing` is left to the probe's own end.
        *state = State {
            is_probing: state.is_probing,
            ..State::default()
        };
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            self.breaker.state().is_probing = false;
        }
    }
}

fn is_outage(error: &HttpError) -> bool {
    match error {
        HttpError::Connect { .. } | HttpError::Timeout { .. } | HttpError::Broken { .. } => true,
        _ => matches!(
            error.status(),
            Some(
                StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            )
        ),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn breaker() -> Breaker {
        Breaker::new("port".to_owned(), Arc::default())
    }

    fn answer(status: u16) -> Result<(), HttpError> {
        Err(HttpError::Status {
            method: http::Method::GET,
            url: "http://port/x".to_owned(),
            status: StatusCode::from_u16(status).unwrap(),
            body: bytes::Bytes::new(),
            retry_after: None,
        })
    }

    fn fail(breaker: &Breaker, times: u32) {
        for _ in 0..times {
            breaker.admit().unwrap().record(&answer(503));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_outages_in_a_row_and_probes_once() {
        let breaker = breaker();
        fail(&breaker, 4);
        breaker.admit().unwrap().record(&Ok(()));
        fail(&breaker, 4);
        assert_eq!(breaker.open(), None);
        fail(&breaker, 1);
        let open = breaker.admit().unwrap_err();
        assert!(open.after <= Duration::from_millis(1100), "{open:?}");
        assert!(open.reason.contains("503"), "{open:?}");

        advance(Duration::from_millis(1200)).await;
        let probe = breaker.admit().unwrap();
        assert!(breaker.admit().is_err(), "one probe at a time");
        drop(probe);
        let probe = breaker.admit().expect("a lost probe gives its place back");
        probe.record(&answer(504));
        let open = breaker.admit().unwrap_err();
        assert!(
            open.after >= Duration::from_millis(1700),
            "the pause grows: {open:?}"
        );

        advance(Duration::from_millis(2300)).await;
        breaker.admit().unwrap().record(&Ok(()));
        assert_eq!(breaker.open(), None);
        fail(&breaker, 4);
        assert_eq!(
            breaker.open(),
            None,
            "closed means that counting starts anew"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_and_500_are_no_outage() {
        for status in [400, 401, 404, 422, 429, 500] {
            let breaker = breaker();
            for _ in 0..20 {
                breaker.admit().unwrap().record(&answer(status));
            }
            assert_eq!(breaker.open(), None, "{status}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_pause_has_a_limit() {
        let breaker = breaker();
        fail(&breaker, 5);
        for _ in 0..12 {
            advance(MAX_PAUSE + Duration::from_secs(10)).await;
            breaker.admit().unwrap().record(&answer(502));
        }
        assert!(breaker.open().unwrap().after <= MAX_PAUSE);
    }
}
