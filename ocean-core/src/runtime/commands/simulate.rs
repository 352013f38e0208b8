//! `simulate`, and the dry run of `replay`: what an event would do, without doing it.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, bail};
use serde_json::json;

use super::{
    dev,
    events::{self, KindOf, print},
    map::{load_mapping, read},
};
use crate::{
    dispatch::{self, Comparison, Trial, TrialReport},
    event::{Headers, WebhookEvent},
    ingress::{self, StandIn, Verdict},
    integration::Integration,
    mapping::Mapping,
    processor::{Registered, Registry},
    queue::Stored,
    runtime::{
        cli::{ReplayArgs, SimulateArgs},
        config::{Layers, data_folder},
        prepared::Prepared,
        rooms,
    },
    supervisor::Supervisor,
};

/// Shows what one event would do: verification, processors, results, entities. Asks the tool, writes
/// nothing.
pub(super) async fn simulate<I: Integration>(
    mut layers: Layers,
    processors: Vec<Registered>,
    arguments: SimulateArgs,
) -> anyhow::Result<()> {
    let supervisor = Supervisor::default();
    // Without settings of the tool there is nothing to ask but the stand-in.
    let configured = layers.get("OCEAN__INTEGRATION__CONFIG").is_some();
    match I::dev() {
        Some(kit) if arguments.dev || !configured => {
            let stand_in = StandIn::serve(kit.api, &supervisor)?;
            dev::settings::<I>(&mut layers, &stand_in.url());
        }
        None if arguments.dev => bail!("{} brings no stand-in of its tool", I::NAME),
        // Nothing is written, so no catalog needs to be reached.
        _ => layers.set("OCEAN__CATALOG__TYPE", "dry-run".into()),
    }
    let mapping = load_mapping::<I>(processors.clone(), &layers, arguments.mapping.as_deref())?;
    let prepared = Prepared::<I>::new(&layers, processors)?;
    let source = prepared
        .sources
        .iter()
        .find(|source| source.source().path == arguments.path)
        .with_context(|| {
            let paths = prepared.sources.iter().map(|source| &*source.source().path);
            let paths: Vec<_> = paths.collect();
            format!(
                "no source `{}`; there are {}",
                arguments.path,
                paths.join(", ")
            )
        })?;
    let headers = headers(&arguments.headers)?;
    let body = read(&arguments.body)?;
    let (verdict, received) =
        ingress::receive(source, headers, body.into(), prepared.clock).await?;
    let mut reports = Vec::new();
    for event in &received {
        reports.push(trial(&prepared, &mapping, event).await);
    }
    if arguments.json {
        let report = json!({
            "source": {"path": arguments.path, "verified": source.is_verified()},
            "verdict": verdict.to_string(),
            "events": reports,
        });
        print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
    } else {
        print(&format!("source {}: {verdict}\n", arguments.path))?;
        for report in &reports {
            print(&report.to_string())?;
        }
    }
    supervisor.stop();
    match verdict {
        Verdict::Refused(_) => bail!("the event would be refused"),
        _ => Ok(()),
    }
}

async fn trial<I: Integration>(
    prepared: &Prepared<I>,
    mapping: &Mapping,
    event: &WebhookEvent,
) -> TrialReport {
    let trial = Trial {
        registry: &prepared.registry,
        mapping,
        state: &prepared.state,
    };
    dispatch::trial(&trial, event).await
}

fn headers(given: &[String]) -> anyhow::Result<Headers> {
    let pairs = given.iter().map(|header| {
        let (name, value) = header
            .split_once('=')
            .with_context(|| format!("`{header}` is not a header; write --header name=value"))?;
        Ok((name.trim(), value.trim()))
    });
    Ok(Headers::new(pairs.collect::<anyhow::Result<Vec<_>>>()?))
}

/// Runs `replay`: the selection is the operator's, kinds and dry run need the integration.
pub(super) async fn replay<I: Integration>(
    mut layers: Layers,
    processors: Vec<Registered>,
    folder: &Path,
    arguments: ReplayArgs,
) -> anyhow::Result<()> {
    let registry = Kinds(Registry::unchecked(processors.clone()));
    if !arguments.dry_run {
        return events::replay(folder, arguments, &registry, async |_| Ok(String::new())).await;
    }
    let supervisor = Supervisor::default();
    // Events of `dev` came from its stand-in, and their entities are in its catalog.
    let is_of_dev = folder == data_folder(&layers).join(dev::FOLDER);
    let kit = I::dev().filter(|_| is_of_dev);
    let stand_in = kit
        .map(|kit| StandIn::serve(kit.api, &supervisor))
        .transpose()?;
    if let Some(stand_in) = &stand_in {
        dev::settings::<I>(&mut layers, &stand_in.url());
    }
    let prepared = Prepared::<I>::new(&layers, processors)?;
    let (catalog, _) = rooms::catalog(&prepared, &supervisor)?;
    let config = catalog
        .app_config()
        .await
        .context("the mapping cannot be loaded")?;
    let mapping = Arc::new(Mapping::compile(&config, &prepared.mapping_options())?);
    let merge = mapping.write_options().merge;
    events::replay(folder, arguments, &registry, async |stored| {
        let report = trial(&prepared, &mapping, &stored.event).await;
        let comparison = Comparison::of(report, &*catalog, merge).await?;
        Ok(comparison.to_string())
    })
    .await
}

struct Kinds(Registry);

impl KindOf for Kinds {
    fn is_for(&self, stored: &Stored, kind: &str) -> bool {
        let route = self.0.route(&stored.event);
        route
            .iter()
            .any(|&place| self.0.get(place).spec.kinds.contains(&kind))
    }
}
