//! The runtime: settings, ordered start, shutdown, command line.

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::{
    integration::Integration,
    processor::{Registered, Registry},
};

mod cli;
mod commands;
mod config;
mod help;
mod logging;
mod prepared;
mod rooms;
mod server;

/// Runs the integration's command line with the processors of all linked crates: the body of every
/// integration's `main`.
///
/// The exit code is 0 for success, 1 for a failure, and 2 for wrong arguments or settings.
pub fn run<I: Integration>() -> ExitCode {
    run_with::<I>(Registry::discover())
}

/// As [`run`], with these processors: the road without macros.
pub fn run_with<I: Integration>(processors: Vec<Registered>) -> ExitCode {
    let arguments = match arguments::<I>() {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    commands::dispatch::<I>(arguments, processors)
}

fn arguments<I: Integration>() -> Result<cli::Cli, clap::Error> {
    let settings = config::Spec::parse(I::assets().spec).map(|spec| help::settings(&spec));
    let settings = settings.unwrap_or_default();
    let name = format!("ocean-{}", I::NAME);
    let command = cli::Cli::command()
        .name(name.clone())
        .bin_name(name)
        .version(I::VERSION)
        .about(format!(
            "Keeps Port in step with {}, event by event",
            I::NAME
        ))
        .mut_subcommand("run", |run| run.after_long_help(settings.clone()))
        .after_help("`run --help` lists every setting.");
    cli::Cli::from_arg_matches(&command.try_get_matches()?)
}
