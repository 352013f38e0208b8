//! The runtime: settings, ordered start, shutdown, command line.

use std::{marker::PhantomData, process::ExitCode};

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::{
    integration::Integration,
    processor::{ProcessorSpec, Registered, Registry, WebhookProcessor},
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
    Ocean::<I>::builder().run()
}

// === Ocean ===

/// An integration put together by hand.
///
/// ```no_run
/// use ocean_core::{Integration, Ocean, prelude::*, processor::ProcessorSpec};
///
/// struct Pings;
///
/// impl WebhookProcessor for Pings {
///     async fn handle_event(&self, cx: &EventContext<'_>) -> Result<Outcome, ProcessorError> {
///         let ping = Raw::parse(cx.event.body().clone())?;
///         Ok(RawResults::updated([ping]).into_outcome())
///     }
/// }
///
/// const PINGS: ProcessorSpec = ProcessorSpec::new("pings", "/webhook").kinds(&["ping"]);
///
/// fn run<I: Integration>() -> std::process::ExitCode {
///     Ocean::<I>::builder().processor(PINGS, Pings).run()
/// }
/// ```
#[derive(Debug)]
pub struct Ocean<I> {
    processors: Vec<Registered>,
    integration: PhantomData<I>,
}

impl<I: Integration> Ocean<I> {
    /// The integration with the processors that the attribute registered.
    pub fn builder() -> Self {
        Self {
            processors: Registry::discover(),
            integration: PhantomData,
        }
    }

    /// With one more processor: the road without macros.
    #[must_use]
    pub fn processor(mut self, spec: ProcessorSpec, processor: impl WebhookProcessor) -> Self {
        self.processors.push(Registered::new(spec, processor));
        self
    }

    /// Runs the command line, as [`run`] does.
    pub fn run(self) -> ExitCode {
        let arguments = match arguments::<I>() {
            Ok(arguments) => arguments,
            Err(error) => error.exit(),
        };
        commands::dispatch::<I>(arguments, self.processors)
    }
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
