//! The binary: `ocean-template`.

fn main() -> std::process::ExitCode {
    ocean_core::run::<ocean_template::Template>()
}
