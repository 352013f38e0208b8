//! The command line: what every integration's binary understands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Arguments of the binary; its name, version and settings are filled in by the integration.
#[derive(Debug, Parser)]
#[command(
    propagate_version = true,
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Port of the public listener (`APPLICATION__PORT`).
    #[arg(short, long, global = true)]
    pub(crate) port: Option<u16>,
    /// DEBUG, INFO, WARNING, ERROR or a filter (`APPLICATION__LOG_LEVEL`).
    #[arg(short, long, global = true)]
    pub(crate) log_level: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Receives live events and keeps Port in step (the default).
    Run,
    /// The same with everything embedded and nothing to configure: sample data, local catalog.
    Dev(DevArgs),
    /// Lists the registered processors.
    Processors(JsonArgs),
    /// Checks settings, mapping and connectivity; all problems in one list.
    Check(JsonArgs),
    /// Runs the mapping over raw objects and prints the entities.
    Map(MapArgs),
    /// Shows what one event would do; writes nothing.
    Simulate(SimulateArgs),
    /// Shows received events; also while the server runs.
    Events {
        #[command(subcommand)]
        command: Option<EventsCommand>,
    },
    /// Shows, repeats or gives up dead letters; also while the server runs.
    Dead {
        #[command(subcommand)]
        command: Option<DeadCommand>,
    },
    /// Repeats finished events; also while the server runs.
    Replay(ReplayArgs),
    /// Shows entities of the local catalog.
    Entities(EntitiesArgs),
    /// Copies what can be read of a damaged event store into a new folder.
    Salvage {
        /// The folder to write to; it must not hold a store yet.
        to: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct JsonArgs {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// Post the sample events to the server once it listens.
    #[arg(long)]
    pub(crate) send_samples: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MapArgs {
    /// The kind of the objects.
    #[arg(long)]
    pub(crate) kind: String,
    /// A JSON file with one object or an array of objects; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// An app config, YAML or JSON; default: the integration's own.
    #[arg(long, value_name = "FILE")]
    pub(crate) mapping: Option<PathBuf>,
    /// The objects are gone: show what is deleted.
    #[arg(long)]
    pub(crate) deleted: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The path of the source, such as `/webhook`.
    #[arg(long)]
    pub(crate) path: String,
    /// A file with the event's body; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) body: PathBuf,
    /// A request header, `name=value`; may be repeated.
    #[arg(long = "header", value_name = "K=V")]
    pub(crate) headers: Vec<String>,
    /// An app config, YAML or JSON; default: the integration's own.
    #[arg(long, value_name = "FILE")]
    pub(crate) mapping: Option<PathBuf>,
    /// Ask the built-in stand-in instead of the tool; so it is anyway without settings of the tool.
    #[arg(long)]
    pub(crate) dev: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Lists events, newest first (the default).
    List(ListArgs),
    /// Tells the whole story of one event.
    Show {
        /// The event's id, or the sender's id of the delivery.
        id: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prints events as they come, until interrupted.
    Tail(JsonArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadCommand {
    /// Lists dead letters, newest first (the default).
    List(ListArgs),
    /// Tells the whole story of one dead letter.
    Show {
        /// The event's id, or the sender's id of the delivery.
        id: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Puts dead letters back at the end of the queue.
    Replay {
        /// Ids of dead letters.
        #[arg(required_unless_present = "all")]
        ids: Vec<String>,
        /// All dead letters.
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
    /// Gives dead letters up for good.
    Discard {
        /// Ids of dead letters.
        #[arg(required_unless_present = "all")]
        ids: Vec<String>,
        /// All dead letters.
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
}

#[derive(Debug, Default, Args)]
pub(crate) struct ListArgs {
    /// At most so many.
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which events.
#[derive(Debug, Default, Args)]
pub(crate) struct SelectionArgs {
    /// Received at this time or later: RFC 3339, or an age such as `2h`.
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// Received before this time: RFC 3339, or an age such as `10m`.
    #[arg(long)]
    pub(crate) until: Option<String>,
    /// Only events of this source.
    #[arg(long)]
    pub(crate) path: Option<String>,
    /// Only events with this name, such as `jira:issue_updated`.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Only events that processors of this kind are for.
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// Only events whose ordering key has this value; repeat it for a key of several.
    #[arg(long)]
    pub(crate) key: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Only show what would be repeated and what it would write.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EntitiesArgs {
    /// Only entities of this blueprint.
    #[arg(long)]
    pub(crate) blueprint: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
