//! The engine beside jaq, in one run: `cargo bench -p ocean-jq --bench engines`.
//!
//! For each entity: evaluation over a parsed document, bytes to values, parsing alone, compiling.
//! Expressions that jaq cannot compile or run are left out of its figures, which flatters them.

mod entities;
mod jaq;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use jaq_json::read;
use ocean_jq::{Document, Limits, Options, Program, Value};

fn compile(text: &str) -> Program {
    Program::compile(text, &Options::default()).expect("the expressions are valid")
}

fn evaluate(programs: &[Program], root: &Value<'_>) -> usize {
    let mut limits = Limits::default();
    let outputs = programs
        .iter()
        .map(|program| program.first(root, &mut limits));
    outputs
        .filter(|output| matches!(output, Ok(Some(_))))
        .count()
}

fn to_values(programs: &[Program], bytes: &[u8]) -> Vec<serde_json::Value> {
    let document = Document::parse(bytes).expect("the documents are valid");
    let root = document.root();
    let mut limits = Limits::default();
    let outputs = programs
        .iter()
        .map(|program| match program.first(&root, &mut limits) {
            Ok(Some(value)) => value.to_serde(),
            _ => serde_json::Value::Null,
        });
    outputs.collect()
}

fn entities(criterion: &mut Criterion) {
    for entity in entities::all() {
        let bytes = entity.document.as_bytes();
        let programs: Vec<Program> = entity
            .expressions
            .iter()
            .map(|text| compile(text))
            .collect();
        let document = Document::parse(bytes).expect("the documents are valid");
        let root = document.root();
        let value = read::parse_single(bytes).expect("the documents are valid");
        let filters: Vec<jaq::Filter> = entity
            .expressions
            .iter()
            .filter_map(|text| jaq::compile(text))
            .collect();
        let failing = filters
            .iter()
            .filter(|filter| !matches!(jaq::first(filter, &value), Some(Ok(_))))
            .count();
        let mut group = criterion.benchmark_group(format!(
            "{}_{}B_{}expressions_jaq_fails_{failing}",
            entity.name,
            bytes.len(),
            programs.len()
        ));
        group.bench_function("evaluate/ocean", |b| {
            b.iter(|| evaluate(&programs, black_box(&root)))
        });
        group.bench_function("evaluate/jaq", |b| {
            b.iter(|| {
                filters
                    .iter()
                    .filter_map(|filter| jaq::first(filter, black_box(&value)))
                    .count()
            });
        });
        group.bench_function("bytes_to_values/ocean", |b| {
            b.iter(|| to_values(&programs, black_box(bytes)));
        });
        group.bench_function("bytes_to_values/jaq", |b| {
            b.iter(|| {
                let value = read::parse_single(black_box(bytes)).expect("valid");
                filters
                    .iter()
                    .filter_map(|filter| jaq::first(filter, &value))
                    .count()
            });
        });
        group.bench_function("parse/ocean", |b| {
            b.iter(|| Document::parse(black_box(bytes)))
        });
        let mut reused = Document::default();
        group.bench_function("parse/ocean_reused", |b| {
            b.iter(|| reused.reparse(black_box(bytes)))
        });
        group.bench_function("parse/serde_json", |b| {
            b.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(bytes)));
        });
        group.bench_function("compile_all/ocean", |b| {
            b.iter(|| {
                entity.expressions.iter().for_each(|text| {
                    black_box(compile(black_box(text)));
                })
            });
        });
        group.finish();
    }
}

fn heavy(criterion: &mut Criterion) {
    let text = entities::regex_input();
    for (name, program, input) in [
        ("generators", entities::GENERATORS, "null"),
        ("regexes", entities::REGEXES, text.as_str()),
    ] {
        let compiled = compile(program);
        let document = Document::parse(input.as_bytes()).expect("valid");
        let root = document.root();
        let filter = jaq::compile(program).expect("jaq compiles both");
        let value = read::parse_single(input.as_bytes()).expect("valid");
        let mut group = criterion.benchmark_group(name);
        group.bench_function("ocean", |b| {
            b.iter(|| {
                compiled
                    .first(black_box(&root), &mut Limits::default())
                    .map(|value| value.is_some())
            });
        });
        group.bench_function("jaq", |b| {
            b.iter(|| jaq::first(&filter, black_box(&value)).is_some())
        });
        group.finish();
    }
}

fn configured() -> Criterion {
    Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500))
}

criterion_group! {
    name = benches;
    config = configured();
    targets = entities, heavy
}
criterion_main!(benches);
