//! Log lines that strangers cause: so many a second, the rest only counted.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

const WINDOW: Duration = Duration::from_secs(1);
const LINES_PER_WINDOW: u32 = 5;

/// Lets five lines a second through for each reason.
#[derive(Debug, Default)]
pub(super) struct FloodGate(Mutex<HashMap<&'static str, Window>>);

#[derive(Debug)]
struct Window {
    began: Instant,
    lines: u32,
    suppressed: u64,
}

impl FloodGate {
    /// Whether a line with this reason may be written now: if so, how many were not written since the
    /// last one, if any.
    pub(super) fn line(&self, reason: &'static str) -> Option<Option<u64>> {
        let suppressed = self.admit(reason, Instant::now())?;
        Some((suppressed > 0).then_some(suppressed))
    }

    /// The same at `now`, with the number as it is.
    fn admit(&self, reason: &'static str, now: Instant) -> Option<u64> {
        let mut windows = self.0.lock().expect("no code panics while holding it");
        let window = windows.entry(reason).or_insert(Window {
            began: now,
            lines: 0,
            suppressed: 0,
        });
        if now.saturating_duration_since(window.began) >= WINDOW {
            window.began = now;
            window.lines = 0;
        }
        if window.lines >= LINES_PER_WINDOW {
            window.suppressed += 1;
            return None;
        }
        window.lines += 1;
        Some(std::mem::take(&mut window.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_leaves_five_lines_a_second_and_the_number_of_the_others() {
        let gate = FloodGate::default();
        let start = Instant::now();
        let admitted = |reason, at| (0..100).filter_map(|_| gate.admit(reason, at)).collect();
        let lines: Vec<u64> = admitted("unauthenticated", start);
        assert_eq!(lines, [0; 5]);
        let lines: Vec<u64> = admitted("not_found", start);
        assert_eq!(lines, [0; 5], "another reason");
        let lines: Vec<u64> = admitted("unauthenticated", start + WINDOW);
        assert_eq!(lines, [95, 0, 0, 0, 0]);
    }
}
