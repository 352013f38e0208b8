//! Best times and allocations of one entity: `cargo bench -p ocean-jq --bench figures`.
//!
//! Allocations are exact and the same on every machine. Counting them costs jaq, which allocates a
//! lot, more time than it costs this engine, so jaq's times are in `engines`, where nobody counts.

mod entities;
mod jaq;

use std::alloc::System;
use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant};

use jaq_json::read;
use ocean_jq::{Document, Limits, Options, Program, Value};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ROUNDS: usize = 2000;

/// The best time of many rounds, and the allocations of one.
struct Figure {
    best: Duration,
    allocations: usize,
}

fn measure<T>(mut run: impl FnMut() -> T) -> Figure {
    black_box(run());
    let region = Region::new(ALLOCATOR);
    let output = run();
    let change = region.change();
    drop(output);
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let output = black_box(run());
        best = best.min(start.elapsed());
        drop(output);
    }
    Figure {
        best,
        allocations: change.allocations + change.reallocations,
    }
}

fn compile(text: &str) -> Program {
    Program::compile(text, &Options::default()).expect("the expressions are valid")
}

fn evaluate<'a>(programs: &'a [Program], root: &Value<'a>) -> usize {
    let mut limits = Limits::default();
    programs
        .iter()
        .filter(|program| matches!(program.first(root, &mut limits), Ok(Some(_))))
        .count()
}

fn values(programs: &[Program], bytes: &[u8]) -> Vec<serde_json::Value> {
    let document = Document::parse(bytes).expect("the documents are valid");
    let root = document.root();
    let mut limits = Limits::default();
    programs
        .iter()
        .map(|program| match program.first(&root, &mut limits) {
            Ok(Some(value)) => value.to_serde(),
            _ => serde_json::Value::Null,
        })
        .collect()
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(
        out,
        "best of {ROUNDS} rounds, \u{b5}s; allocations in brackets"
    )?;
    for entity in entities::all() {
        let bytes = entity.document.as_bytes();
        let programs: Vec<Program> = entity
            .expressions
            .iter()
            .map(|text| compile(text))
            .collect();
        let document = Document::parse(bytes).expect("the documents are valid");
        let root = document.root();
        writeln!(
            out,
            "{}, {} bytes, {} expressions",
            entity.name,
            bytes.len(),
            programs.len()
        )?;
        let mut row = |name: &str, figure: &Figure| {
            let micros = figure.best.as_secs_f64() * 1e6;
            writeln!(out, "  {name:16} {micros:8.2} ({})", figure.allocations)
        };
        row(
            "evaluate",
            &measure(|| evaluate(&programs, black_box(&root))),
        )?;
        row("parse", &measure(|| Document::parse(black_box(bytes))))?;
        let mut reused = Document::default();
        row(
            "parse, reused",
            &measure(|| reused.reparse(black_box(bytes))),
        )?;
        row(
            "bytes to values",
            &measure(|| values(&programs, black_box(bytes))),
        )?;
        let compiled = entity
            .expressions
            .iter()
            .map(|text| measure(|| compile(black_box(text))));
        let slowest = compiled.max_by_key(|figure| figure.best);
        row("slowest compile", &slowest.expect("there are expressions"))?;
        row(
            "compile all",
            &measure(|| {
                entity
                    .expressions
                    .iter()
                    .map(|text| compile(black_box(text)))
                    .collect::<Vec<_>>()
            }),
        )?;

        let value = read::parse_single(bytes).expect("the documents are valid");
        let filters: Vec<jaq::Filter> = entity
            .expressions
            .iter()
            .filter_map(|text| jaq::compile(text))
            .collect();
        let region = Region::new(ALLOCATOR);
        filters
            .iter()
            .for_each(|filter| drop(black_box(jaq::first(filter, &value))));
        let change = region.change();
        writeln!(
            out,
            "  jaq: evaluate            ({})",
            change.allocations + change.reallocations
        )?;
        let region = Region::new(ALLOCATOR);
        drop(black_box(read::parse_single(bytes)));
        let change = region.change();
        writeln!(
            out,
            "  jaq: parse               ({})",
            change.allocations + change.reallocations
        )?;
    }
    Ok(())
}
