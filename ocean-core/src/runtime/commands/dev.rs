//! `dev`: the whole server with everything embedded and nothing to configure.

use std::process::ExitCode;

use serde_json::Value;

use super::{misuse, runtime, start_logging};
use crate::{
    dev::{DevKit, Sample},
    ingress::StandIn,
    integration::Integration,
    processor::Registered,
    runtime::{
        cli::DevArgs,
        config::{Layers, data_folder},
        prepared::Prepared,
        server::{self, Listening},
    },
    supervisor::Supervisor,
};
use std::sync::Arc;

/// The folder of `dev` in the data folder.
pub(super) const FOLDER: &str = "dev";

/// Runs the server against the integration's stand-in and the local catalog.
pub(super) fn dev<I: Integration>(
    mut layers: Layers,
    processors: Vec<Registered>,
    arguments: &DevArgs,
) -> ExitCode {
    if let Err(problem) = start_logging(&layers) {
        return misuse(&problem);
    }
    let Some(kit) = I::dev() else {
        return misuse(&format!(
            "{} brings no stand-in of its tool: `dev` cannot run",
            I::NAME
        ));
    };
    let result = runtime().map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            let supervisor = Arc::new(Supervisor::default());
            let stand_in = StandIn::serve(kit.api, &supervisor)?;
            settings::<I>(&mut layers, &stand_in.url());
            let prepared = Prepared::<I>::new(&layers, processors)?;
            let send = arguments.send_samples;
            let code = server::serve(prepared, Arc::clone(&supervisor), |prepared, listening| {
                let prefix = &prepared.settings.path_prefix;
                welcome::<I>(&kit, prefix, &stand_in.url(), listening);
                if send {
                    supervisor.spawn("samples", send_samples(kit, prefix.clone(), listening));
                }
            })
            .await?;
            anyhow::Ok(code)
        })
    });
    result.unwrap_or_else(|error| misuse(&format!("{error:#}")))
}

/// Lays the settings of `dev` over what is given: an operator's own choice of ports, folder and
/// log level stays.
pub(super) fn settings<I: Integration>(layers: &mut Layers, api: &str) {
    sample_settings::<I>(layers, api);
    let fixed = [
        ("OCEAN__CATALOG__TYPE", "local"),
        ("OCEAN__ALLOW_UNVERIFIED_SOURCES", "true"),
        ("OCEAN__INITIALIZE_PORT_RESOURCES", "true"),
        ("OCEAN__PROCESSING_MODE", "ocean-core"),
        ("OCEAN__LAKEHOUSE_ENABLED", "false"),
        ("OCEAN__QUEUE__TYPE", "embedded"),
        (
            "OCEAN__LIVE_EVENTS__IS_REDIS_STREAM_CONSUMER_ENABLED",
            "false",
        ),
        ("APPLICATION__HOST", "127.0.0.1"),
    ];
    for (name, value) in fixed {
        layers.set(name, Value::from(value));
    }
    // Apart from what `run` keeps: a backlog of real events must never end in a stand-in.
    let folder = data_folder(layers).join(FOLDER);
    layers.set(
        "OCEAN__QUEUE__PATH",
        folder.to_string_lossy().into_owned().into(),
    );
    // A webhook registered at the stand-in would be nonsense, and a public address is not needed.
    layers.remove("OCEAN__BASE_URL");
}

/// The integration's own settings as its dev kit has them.
fn sample_settings<I: Integration>(layers: &mut Layers, api: &str) {
    layers.remove("OCEAN__INTEGRATION__CONFIG");
    for (name, value) in I::dev().map(|kit| kit.config).unwrap_or_default() {
        let name = format!("OCEAN__INTEGRATION__CONFIG__{name}");
        layers.set(&name, Value::from(value.replace("{api}", api)));
    }
}

#[expect(clippy::print_stdout, reason = "what `dev` is for")]
fn welcome<I: Integration>(kit: &DevKit, prefix: &str, api: &str, listening: Listening) {
    let name = I::NAME;
    println!("\nocean-{name} dev: everything is embedded, nothing leaves this machine.\n");
    println!(
        "  events     http://{}{prefix}/integration",
        listening.public
    );
    if let Some(admin) = listening.admin {
        println!("  dashboard  http://{admin}");
    }
    println!("  {name:<9}  {api} (a stand-in with sample data)");
    if let Some(sample) = kit.samples.first() {
        println!(
            "\nPost an event ({}):\n\n{}\n",
            sample.name,
            curl(sample, prefix, listening)
        );
    }
    println!("Then look at what the mapping made of it:\n");
    println!("  ocean-{name} entities      (or: cargo run -- entities)");
    println!("  ocean-{name} events        (or: cargo run -- events)\n");
    println!(
        "`dev --send-samples` posts all {} samples. Ctrl-C ends.\n",
        kit.samples.len()
    );
}

/// A command that posts the sample, ready to be pasted.
fn curl(sample: &Sample, prefix: &str, listening: Listening) -> String {
    let url = format!(
        "http://{}{prefix}/integration{}",
        listening.public, sample.path
    );
    let mut lines = vec![
        format!("curl -sS {url}"),
        "-H 'content-type: application/json'".into(),
    ];
    for (name, value) in sample.headers {
        lines.push(format!("-H '{name}: {value}'"));
    }
    let body: String = match serde_json::from_str::<Value>(sample.body) {
        Ok(value) => value.to_string(),
        Err(_) => sample.body.to_owned(),
    };
    lines.push(format!("-d '{}'", body.replace('\'', r"'\''")));
    lines.join(" \\\n  ")
}

async fn send_samples(kit: DevKit, prefix: String, listening: Listening) {
    let client = match crate::http::HttpClient::new(crate::http::HttpOptions::default()) {
        Ok(client) => client,
        Err(problem) => return tracing::error!(%problem, "The samples cannot be sent."),
    };
    for sample in kit.samples {
        let url = format!(
            "http://{}{prefix}/integration{}",
            listening.public, sample.path
        );
        let mut request = crate::http::Request::post(&url)
            .json_body(bytes::Bytes::from_static(sample.body.as_bytes()));
        for (name, value) in sample.headers {
            request = request.header(name, value);
        }
        match client.send(request).await {
            Ok(answer) => {
                let answer = String::from_utf8_lossy(answer.bytes()).into_owned();
                tracing::info!(sample = sample.name, answer, "A sample was sent.");
            }
            Err(problem) => tracing::warn!(sample = sample.name, %problem, "A sample failed."),
        }
    }
}
