//! `processors`: what is registered, and how events find it.

use serde_json::Value;

use super::{events::print, table::table};
use crate::{
    admin::view,
    integration::Integration,
    processor::{Registered, Registry},
    runtime::config::{Layers, Settings, Spec},
    source::Source,
};

/// Prints all processors of the integration. Needs no settings.
pub(crate) fn processors<I: Integration>(
    registered: Vec<Registered>,
    layers: &Layers,
    as_json: bool,
) -> anyhow::Result<()> {
    let registry = Registry::unchecked(registered);
    // Sources may depend on settings; where those are missing, what verifies them is unknown.
    let sources = sources::<I>(layers).unwrap_or_default();
    if as_json {
        let all: Vec<Value> = registry.iter().map(|one| describe(one, &sources)).collect();
        return print(&format!("{}\n", serde_json::to_string_pretty(&all)?));
    }
    let rows: Vec<Vec<String>> = registry
        .iter()
        .map(|one| {
            let spec = &one.spec;
            vec![
                spec.name.to_owned(),
                spec.path.to_owned(),
                spec.kinds.join(","),
                filter(one).join(" and "),
                spec.key.join(","),
                spec.retry.max_retries.to_string(),
                verifier(spec.path, &sources),
                spec.location.to_string(),
            ]
        })
        .collect();
    let head = [
        "NAME", "PATH", "KINDS", "FILTER", "KEY", "RETRIES", "VERIFIER", "AT",
    ];
    print(&table(&head, &rows))
}

/// The sources, as far as they can be known without settings: those of the dev kit stand in.
fn sources<I: Integration>(layers: &Layers) -> Option<Vec<Source>> {
    let spec = Spec::parse(I::assets().spec).ok()?;
    let settings = Settings::check(layers, &spec, I::NAME).or_else(|_| {
        let mut layers = layers.clone();
        super::dev::settings::<I>(&mut layers, "http://127.0.0.1");
        Settings::check(&layers, &spec, I::NAME)
    });
    let config = serde_json::from_value(settings.ok()?.integration.config.into()).ok()?;
    Some(I::sources(&config))
}

fn describe(one: &Registered, sources: &[Source]) -> Value {
    let mut processor = view::processor(one);
    processor["verifier"] = verifier(one.spec.path, sources).into();
    processor
}

/// The declared conditions, each as words.
fn filter(one: &Registered) -> Vec<String> {
    let spec = &one.spec;
    let mut filter = vec![spec.event.to_string()];
    filter.extend(spec.conditions.iter().map(ToString::to_string));
    if spec.guard.is_some() {
        filter.push("guard".to_owned());
    }
    filter
}

fn verifier(path: &str, sources: &[Source]) -> String {
    match sources.iter().find(|source| source.path == path) {
        None => "unknown".to_owned(),
        Some(source) => match (&source.verification, source.unverified) {
            (Some(verification), None) => verification.to_string(),
            (Some(verification), Some(_)) => format!("{verification} or unverified"),
            (None, _) => "unverified".to_owned(),
        },
    }
}
