//! The binary of the Jira integration, built with this package so that its tests can find it.

/// That of the integration's own binary, so that measurements are about what is shipped.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    ocean_core::run::<ocean_jira::Jira>()
}
