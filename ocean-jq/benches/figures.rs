//! Best times and allocations of one entity: `cargo bench -p ocean-jq --bench figures`.
//!
//! The best of many rounds says little about a busy machine and much about the code. Allocations are
//! exact. Counting them adds up to a tenth to the times of jaq, which allocates a lot; `engines`
//! measures without.

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

const ROUNDS: usize = 500;

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

/// One line of the table.
fn row(name: &str, figure: &Figure) -> std::io::Result<()> {
    let micros = figure.best.as_secs_f64() * 1e6;
    let allocations = figure.allocations;
    writeln!(
        std::io::stdout(),
        "  {name:22} {micros:8.2} ({allocations})"
    )
}

fn main() -> std::io::Result<()> {
    writeln!(
        std::io::stdout(),
        "best of {ROUNDS} rounds, microseconds; allocations in brackets"
    )?;
    for entity in entities::all() {
        let bytes = entity.document.as_bytes();
        let texts = entity.expressions;
        let programs: Vec<Program> = texts.iter().map(|text| compile(text)).collect();
        let document = Document::parse(bytes).expect("the documents are valid");
        let root = document.root();
        let (name, count) = (entity.name, texts.len());
        writeln!(
            std::io::stdout(),
            "{name}, {} bytes, {count} expressions",
            bytes.len()
        )?;
        row(
            "evaluate",
            &measure(|| evaluate(&programs, black_box(&root))),
        )?;
        row("parse", &measure(|| Document::parse(black_box(bytes))))?;
        let mut reused = Document::default();
        row(
            "parse, memory reused",
            &measure(|| reused.reparse(black_box(bytes))),
        )?;
        row(
            "bytes to values",
            &measure(|| values(&programs, black_box(bytes))),
        )?;
        let compiled = texts
            .iter()
            .map(|text| measure(|| compile(black_box(text))));
        let slowest = compiled.max_by_key(|figure| figure.best);
        row(
            "slowest to compile",
            &slowest.expect("there are expressions"),
        )?;
        let all = || {
            texts
                .iter()
                .map(|text| compile(black_box(text)))
                .collect::<Vec<_>>()
        };
        row("compile all", &measure(all))?;
        let value = read::parse_single(bytes).expect("the documents are valid");
        let filters: Vec<jaq::Filter> =
            texts.iter().filter_map(|text| jaq::compile(text)).collect();
        let run = || {
            filters
                .iter()
                .filter_map(|filter| jaq::first(filter, &value))
                .count()
        };
        row("jaq: evaluate", &measure(run))?;
        let whole = || {
            let value = read::parse_single(black_box(bytes)).expect("valid");
            let outputs = filters
                .iter()
                .filter_map(|filter| jaq::first(filter, &value));
            outputs.filter(Result::is_ok).count()
        };
        row("jaq: bytes to values", &measure(whole))?;
    }
    let regex_input = entities::regex_input();
    for (name, text, input) in [
        ("generators", entities::GENERATORS, "null"),
        ("regexes", entities::REGEXES, regex_input.as_str()),
    ] {
        let program = [compile(text)];
        let document = Document::parse(input.as_bytes()).expect("the inputs are valid");
        row(
            name,
            &measure(|| evaluate(&program, black_box(&document.root()))),
        )?;
        let value = read::parse_single(input.as_bytes()).expect("the inputs are valid");
        let filter = jaq::compile(text).expect("jaq compiles both");
        let run = || jaq::first(&filter, black_box(&value)).is_some();
        row(&format!("jaq: {name}"), &measure(run))?;
    }
    Ok(())
}
