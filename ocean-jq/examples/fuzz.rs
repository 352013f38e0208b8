//! Runs the fuzz harness: `cargo run --release -p ocean-jq --example fuzz -- --seconds 60`.
//!
//! `--seed N` starts elsewhere; `--executions N` stops early. A panic prints the program.

#[path = "../tests/fuzzing/mod.rs"]
mod fuzzing;

use std::io::Write;
use std::time::{Duration, Instant};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let option = |name: &str, default: u64| {
        let at = args.iter().position(|arg| arg == name);
        at.and_then(|at| args.get(at + 1))
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let (seconds, seed) = (option("--seconds", 60), option("--seed", 1));
    let max = option("--executions", u64::MAX);
    let start = Instant::now();
    let mut total = 0;
    // Rounds of a minute, so that progress shows and each failure has a seed of its own.
    let mut round = seed;
    while start.elapsed() < Duration::from_secs(seconds) && total < max {
        let left = Duration::from_secs(seconds).saturating_sub(start.elapsed());
        total += fuzzing::run(round, left.min(Duration::from_secs(60)), max - total);
        let elapsed = start.elapsed().as_secs();
        let _ = writeln!(
            std::io::stdout(),
            "{total} executions, {elapsed} s, seed {round}"
        );
        round += 1;
    }
}
