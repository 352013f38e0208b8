//! A short, reproducible run of the fuzz harness; `examples/fuzz.rs` runs it for longer.

mod fuzzing;

use std::time::Duration;

#[test]
fn random_programs_are_harmless() {
    let executions = fuzzing::run(1, Duration::from_secs(15), 100_000);
    assert!(executions > 1_000, "{executions}");
}
