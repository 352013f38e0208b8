//! The runtime: settings, ordered start, shutdown, command line.

mod config;

/// Runs the integration's command line.
pub fn run<I: crate::Integration>() -> std::process::ExitCode {
    unimplemented!("the runtime")
}
