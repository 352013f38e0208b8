//! How much the door costs: durable, verified accepts against a bare handler.
//!
//! ```text
//! cargo run --release -p ocean-core --example door_load -- --rounds 5 --seconds 4
//! ```
//!
//! Three servers run as processes of their own, one at a time under load, in turns (see
//! [`servers`]): `bare`, a handler that verifies the signature and nothing else; `no store`, the
//! door in front of a queue that answers at once, which bounds what any store behind it can reach;
//! and `door`, the same with the embedded store. What lies between the first two is the door's own
//! work, between the last two the store's. The load generator shares the machine with them. Printed
//! are the medians of the rounds and of each round's ratios to `bare`; compare ratios, not rates of
//! different runs.

#![expect(clippy::print_stdout, reason = "prints its measurements")]
#![allow(
    clippy::unwrap_used,
    reason = "a failing measurement has nobody to tell"
)]

use std::{path::Path, time::Duration};

use crate::load::{Load, Sample, Server};

mod load;
mod servers;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is measured; all are compared with the first.
const SERVERS: [&str; 3] = ["bare", "no store", "door"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        if let [serve, name, folder] = &arguments[..]
            && serve == "serve"
        {
            return servers::serve(name, Path::new(folder)).await;
        }
        let load = Load::parse(&arguments);
        tokio::select! {
            () = measure(&load) => {}
            // Ends in order, so that the servers and their folders go as well.
            _ = tokio::signal::ctrl_c() => {}
        }
    });
}

async fn measure(load: &Load) {
    let servers = SERVERS.map(Server::start);
    for server in &servers {
        // Warm caches, files and connections; not counted.
        server.load(load, Duration::from_secs(1)).await;
    }
    let mut rounds: Vec<Vec<Sample>> = Vec::new();
    print!("round");
    for name in SERVERS {
        print!("  {name:>16}");
    }
    println!();
    for round in 1..=load.rounds {
        print!("{round:>5}");
        let mut samples: Vec<Sample> = Vec::new();
        for server in &servers {
            let sample = server.load(load, load.time).await;
            let bare = samples.first().unwrap_or(&sample);
            let ratio = sample.per_second / bare.per_second;
            print!("  {:>9.0}/s {ratio:>4.2}", sample.per_second);
            samples.push(sample);
        }
        println!();
        rounds.push(samples);
    }
    println!("\nmedian    requests/s  of bare  p50 ms  p99 ms  CPU us  resident MB");
    for (index, server) in servers.iter().enumerate() {
        let median = |value: &dyn Fn(&Sample) -> f64| {
            median(rounds.iter().map(|samples| value(&samples[index])))
        };
        let ratios = rounds
            .iter()
            .map(|samples| samples[index].per_second / samples[0].per_second);
        println!(
            "{:<8}  {:>10.0}  {:>7.2}  {:>6.2}  {:>6.2}  {:>6.1}  {:>11}",
            SERVERS[index],
            median(&|sample| sample.per_second),
            self::median(ratios),
            median(&|sample| sample.p50.as_secs_f64() * 1e3),
            median(&|sample| sample.p99.as_secs_f64() * 1e3),
            median(&|sample| sample.cpu.as_secs_f64() * 1e6),
            server.resident_bytes() / 1_000_000,
        );
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
