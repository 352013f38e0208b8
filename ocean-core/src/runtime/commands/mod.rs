//! The commands. They print to standard output and fail with `anyhow`: together they are every
//! integration's `main`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use serde_json::Value;

use super::{
    cli::{Cli, Command},
    config::{self, Layers, data_folder},
    logging,
    prepared::Prepared,
    server,
};
use crate::{
    error::StartError, integration::Integration, processor::Registered, queue::embedded,
    supervisor::Supervisor,
};

mod check;
mod dev;
mod entities;
mod events;
mod map;
mod processors;
mod simulate;
mod table;

/// The exit code for wrong settings, as clap's for wrong arguments.
const MISUSE: u8 = 2;

/// Runs the chosen command.
pub(super) fn dispatch<I: Integration>(arguments: Cli, processors: Vec<Registered>) -> ExitCode {
    let layers = match layers(&arguments) {
        Ok(layers) => layers,
        // `check` says 1 whatever is wrong.
        Err(problems) if matches!(arguments.command, Some(Command::Check(_))) => {
            return failure(&problems);
        }
        Err(problems) => return misuse(&problems),
    };
    let folder = store_folder(data_folder(&layers));
    let result = match arguments.command.unwrap_or(Command::Run) {
        Command::Run => return run::<I>(&layers, processors),
        Command::Dev(arguments) => return dev::dev::<I>(layers, processors, &arguments),
        Command::Check(arguments) => {
            return check::check::<I>(&layers, processors, arguments.json);
        }
        Command::Processors(arguments) => {
            processors::processors::<I>(processors, &layers, arguments.json)
        }
        Command::Map(arguments) => map::map::<I>(processors, &layers, &arguments),
        Command::Simulate(arguments) => {
            blocking(simulate::simulate::<I>(layers, processors, arguments))
        }
        Command::Events { command } => events::events(&folder, command),
        Command::Dead { command } => events::dead(&folder, command),
        Command::Replay(arguments) => blocking(simulate::replay::<I>(
            layers, processors, &folder, arguments,
        )),
        Command::Entities(arguments) => blocking(entities::entities(&folder, &arguments)),
        Command::Salvage { to } => events::salvage(&folder, &to),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(&format!("{error:#}")),
    }
}

/// The folder that operators mean: that of `run`, or where there is none that of `dev`.
fn store_folder(folder: PathBuf) -> PathBuf {
    let dev = folder.join(dev::FOLDER);
    let has_store = |folder: &Path| folder.join(embedded::FILE).exists();
    if !has_store(&folder) && has_store(&dev) {
        dev
    } else {
        folder
    }
}

/// All settings given. The environment wins over the command line, as upstream has it.
fn layers(arguments: &Cli) -> Result<Layers, StartError> {
    let mut layers = Layers::read(Path::new("."))?;
    let given = [
        ("APPLICATION__PORT", arguments.port.map(Value::from)),
        (
            "APPLICATION__LOG_LEVEL",
            arguments.log_level.clone().map(Value::from),
        ),
    ];
    for (name, value) in given {
        if let (Some(value), None) = (value, layers.get(name)) {
            layers.set(name, value);
        }
    }
    Ok(layers)
}

fn run<I: Integration>(layers: &Layers, processors: Vec<Registered>) -> ExitCode {
    #[cfg(feature = "failpoints")]
    config::arm_failpoint();
    if let Err(problem) = start_logging(layers) {
        return misuse(&problem);
    }
    let prepared = match Prepared::<I>::new(layers, processors) {
        Ok(prepared) => prepared,
        Err(problems) => {
            let hint = format!("to try it without settings: `ocean-{} dev`", I::NAME);
            return misuse(&format!("{problems}\n{hint}"));
        }
    };
    for name in config::unknown_names(layers, &prepared.spec) {
        tracing::warn!("{name}");
    }
    serve(prepared, |_, _| {})
}

/// Starts the runtime and serves until the process is asked to end.
fn serve<I: Integration>(
    prepared: Prepared<I>,
    on_listening: impl FnOnce(&Prepared<I>, server::Listening),
) -> ExitCode {
    let supervisor = Arc::new(Supervisor::default());
    let served = match runtime() {
        Ok(runtime) => runtime.block_on(server::serve(prepared, supervisor, on_listening)),
        Err(error) => Err(StartError::new(format!(
            "cannot start the tokio runtime: {error}"
        ))),
    };
    served.unwrap_or_else(|problems| failure(&problems))
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

fn blocking<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    runtime()?.block_on(future)
}

fn start_logging(layers: &Layers) -> Result<(), String> {
    let (level, format) = config::logging(layers);
    logging::start(&level, &format)
}

#[expect(clippy::print_stderr, reason = "the last words of a command")]
fn misuse(problems: &impl std::fmt::Display) -> ExitCode {
    eprintln!("error: {problems}");
    ExitCode::from(MISUSE)
}

#[expect(clippy::print_stderr, reason = "the last words of a command")]
fn failure(problem: &(impl std::fmt::Display + ?Sized)) -> ExitCode {
    eprintln!("error: {problem}");
    ExitCode::FAILURE
}
