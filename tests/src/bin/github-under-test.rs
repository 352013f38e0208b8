//! The binary of the GitHub integration, built with this package so that its tests can find it.

fn main() -> std::process::ExitCode {
    ocean_core::run::<ocean_github::GitHub>()
}
