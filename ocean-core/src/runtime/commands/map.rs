//! `map`: the mapping over raw objects, without a server.

use std::{io::Read as _, path::Path};

use anyhow::Context as _;

use super::events::print;
use crate::{
    integration::Integration,
    mapping::{self, Mapping},
    outcome::RawResults,
    processor::{Registered, Registry},
    runtime::{
        cli::MapArgs,
        config::{Layers, Spec, jq_environment},
        prepared::mapping_options,
    },
};

/// Prints the entities that the mapping makes of the given objects. Needs no settings.
pub(crate) fn map<I: Integration>(
    registered: Vec<Registered>,
    layers: &Layers,
    arguments: &MapArgs,
) -> anyhow::Result<()> {
    let mapping = load_mapping::<I>(registered, layers, arguments.mapping.as_deref())?;
    let input = read(&arguments.input)?;
    let items = mapping::read_items(&input).with_context(|| {
        format!(
            "{} is neither a JSON object nor an array of objects",
            arguments.input.display()
        )
    })?;
    let results = if arguments.deleted {
        RawResults::deleted(items)
    } else {
        RawResults::updated(items)
    };
    let report = mapping::report(&mapping, &arguments.kind, &results)?;
    if arguments.json {
        print(&format!("{}\n", serde_json::to_string(&report)?))
    } else {
        print(&report.to_string())
    }
}

/// The mapping of a file, or the integration's own.
pub(super) fn load_mapping<I: Integration>(
    registered: Vec<Registered>,
    layers: &Layers,
    file: Option<&Path>,
) -> anyhow::Result<Mapping> {
    let text = match file {
        Some(file) => std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?,
        None => I::assets().app_config.to_owned(),
    };
    let registry = Registry::unchecked(registered);
    let kinds = Spec::parse(I::assets().spec)?.kinds();
    let options = mapping_options(&registry, &kinds, jq_environment(layers));
    Ok(Mapping::compile(&mapping::parse_text(&text)?, &options)?)
}

/// The text of a file, or of standard input for `-`.
pub(super) fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    if file == Path::new("-") {
        std::io::stdin()
            .read_to_end(&mut text)
            .context("cannot read standard input")?;
    } else {
        text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    }
    Ok(text)
}
