//! The binary of the integration made for tests.

fn main() -> std::process::ExitCode {
    ocean_core::run::<ocean_tests::probe::Probe>()
}
