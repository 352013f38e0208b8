//! Named points of the code at which a test can end the process, to see that nothing is lost
//! there.
//!
//! Without the feature `failpoints` a point compiles to nothing and nothing can be armed. With it,
//! the runtime arms the point that `OCEAN_FAILPOINT=name[:n]` names; the process aborts when it is
//! passed for the `n`th time.
//!
//! ```
//! // Not armed, so nothing happens, with the feature or without.
//! ocean_core::failpoint::hit("queue.before_commit");
//! ```

/// Passes the point `name`: aborts the process if it is armed and its count is up.
#[inline]
pub fn hit(name: &str) {
    #[cfg(feature = "failpoints")]
    armed::hit(name);
    #[cfg(not(feature = "failpoints"))]
    let _ = name;
}

/// Aborts the process when the point `name` is passed for the `n`th time, from 1. Only the first
/// call has an effect.
#[cfg(feature = "failpoints")]
pub fn arm(name: &str, n: u32) {
    armed::arm(name, n);
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    };

    // The only global of the house: a failpoint sits below every argument list, and is in no
    // release.
    static ARMED: OnceLock<(String, AtomicU32)> = OnceLock::new();

    pub(super) fn arm(name: &str, n: u32) {
        ARMED.get_or_init(|| (name.to_owned(), AtomicU32::new(n.max(1))));
    }

    pub(super) fn hit(name: &str) {
        let Some((armed, left)) = ARMED.get() else {
            return;
        };
        if armed == name && left.fetch_sub(1, Ordering::Relaxed) == 1 {
            // As a crash would: no destructor runs, nothing is flushed.
            std::process::abort();
        }
    }
}
