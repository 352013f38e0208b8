//! The binary: `ocean-github`.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    ocean_core::run::<ocean_github::GitHub>()
}
