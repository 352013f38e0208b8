//! `check`: everything that can be wrong before the first event, in one list.

use std::process::ExitCode;

use serde_json::json;

use super::{events::print, failure, runtime};
use crate::{
    ingress::stream::Stream,
    integration::Integration,
    mapping::Mapping,
    processor::Registered,
    runtime::{
        config::{Layers, unknown_names},
        prepared::Prepared,
        rooms,
    },
    supervisor::Supervisor,
};

/// What was found.
#[derive(Default)]
struct Findings {
    problems: Vec<String>,
    hints: Vec<String>,
    passed: Vec<String>,
}

/// Checks settings, sources, state, mapping and connectivity. Exit code 0, or 1 with problems.
pub(super) fn check<I: Integration>(
    layers: &Layers,
    processors: Vec<Registered>,
    as_json: bool,
) -> ExitCode {
    let mut findings = Findings::default();
    match Prepared::<I>::new(layers, processors) {
        Err(error) => findings.problems.extend(error.problems().iter().cloned()),
        Ok(prepared) => {
            findings.passed.push(format!(
                "settings and {} processors",
                prepared.registry.iter().len()
            ));
            findings.hints.extend(unknown_names(layers, &prepared.spec));
            match runtime() {
                Ok(runtime) => runtime.block_on(reach(&prepared, &mut findings)),
                Err(error) => findings
                    .problems
                    .push(format!("cannot start a runtime: {error}")),
            }
        }
    }
    match report(&findings, as_json) {
        Ok(()) if findings.problems.is_empty() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => failure(&error),
    }
}

/// Talks to the tool and the catalog, and compiles the mapping that the catalog has.
async fn reach<I: Integration>(prepared: &Prepared<I>, findings: &mut Findings) {
    match I::probe(&prepared.state).await {
        Ok(()) => findings.passed.push(format!("{} answers", I::NAME)),
        Err(error) => findings.problems.extend(error.problems().iter().cloned()),
    }
    if let Some(options) = &prepared.settings.stream {
        match Stream::probe(options).await {
            Ok(()) => findings
                .passed
                .push(format!("the Redis stream of {options}")),
            Err(error) => findings.problems.extend(error.problems().iter().cloned()),
        }
    }
    let supervisor = Supervisor::default();
    let catalog = match rooms::catalog(prepared, &supervisor) {
        Ok((catalog, _)) => catalog,
        Err(error) => return findings.problems.extend(error.problems().iter().cloned()),
    };
    if let Err(error) = catalog.probe().await {
        return findings
            .problems
            .push(format!("the catalog cannot be used: {error}"));
    }
    findings.passed.push("the catalog answers".to_owned());
    let config = match catalog.app_config().await {
        Ok(config) => config,
        Err(error) => {
            return findings
                .problems
                .push(format!("the mapping cannot be loaded: {error}"));
        }
    };
    match Mapping::compile(&config, &prepared.mapping_options()) {
        Ok(mapping) => {
            findings.passed.push(format!(
                "the mapping has {} resources",
                mapping.resources().len()
            ));
            findings
                .problems
                .extend(mapping.problems().iter().map(ToString::to_string));
        }
        Err(error) => findings.problems.extend(error.problems),
    }
}

fn report(findings: &Findings, as_json: bool) -> anyhow::Result<()> {
    let Findings {
        problems,
        hints,
        passed,
    } = findings;
    if as_json {
        let report = json!({"ok": problems.is_empty(), "problems": problems, "hints": hints, "passed": passed});
        return print(&format!("{}\n", serde_json::to_string_pretty(&report)?));
    }
    let mut text = String::new();
    for (sign, lines) in [
        ("ok      ", passed),
        ("hint    ", hints),
        ("problem ", problems),
    ] {
        for line in lines {
            text.push_str(&format!("{sign} {line}\n"));
        }
    }
    print(&text)
}
