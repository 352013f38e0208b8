//! Routing one event among ten processors and among ten thousand. The index is worth its lines if
//! the latter costs no more than twice the former, however the processors tell their events apart.

#![allow(missing_docs, reason = "criterion's macros write public functions")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ocean_core::{
    EventParts, Headers, Outcome, ProcessorError, WebhookEvent, WebhookProcessor,
    processor::{Condition, Literal, ProcessorSpec, Registered, Registry, Subject, Test},
};

struct Nothing;

impl WebhookProcessor for Nothing {
    async fn handle_event(
        &self,
        _: &ocean_core::EventContext<'_>,
    ) -> Result<Outcome, ProcessorError> {
        Ok(Outcome::NotFound)
    }
}

// Descriptions are constants in life; a benchmark may keep what it makes until its end.
fn leak<T>(value: T) -> &'static [T] {
    Vec::leak(vec![value])
}

fn text(number: usize) -> &'static str {
    String::leak(format!("event_{number:05}"))
}

fn on(subject: Subject, test: Test) -> &'static [Condition] {
    leak(Condition { subject, test })
}

/// A way in which processors tell their events apart, given each its number.
type Filter = fn(ProcessorSpec, usize) -> ProcessorSpec;

const FILTERS: [(&str, Filter); 5] = [
    ("event name", |spec, number| spec.events(leak(text(number)))),
    ("event prefix", |spec, number| {
        spec.event_prefix(text(number))
    }),
    ("header", |spec, number| {
        let name = Literal::Str(text(number));
        spec.when(on(Subject::Header("x-event"), Test::Eq(name)))
    }),
    ("payload text", |spec, number| {
        let names = leak(Literal::Str(text(number)));
        spec.when(on(Subject::Pointer("/kind"), Test::In(names)))
    }),
    ("payload number", |spec, number| {
        let id = i64::try_from(number).expect("small");
        spec.when(on(
            Subject::Pointer("/repository/id"),
            Test::Eq(Literal::Int(id)),
        ))
    }),
];

fn registry(count: usize, filter: Filter) -> Registry {
    let processors = (0..count).map(|number| {
        let name = String::leak(format!("processor_{number:05}"));
        let spec = ProcessorSpec::new(name, "/webhook").kinds(&["issue"]);
        Registered::new(filter(spec, number), Nothing)
    });
    Registry::unchecked(processors.collect())
}

fn event() -> WebhookEvent {
    let event = WebhookEvent::new(EventParts {
        name: Some("event_00007".into()),
        headers: Headers::new([("host", "localhost"), ("x-event", "event_00007")]),
        body: r#"{"kind":"event_00007","repository":{"id":7}}"#.into(),
        ..EventParts::default()
    });
    // Parsed once for all processors in life too.
    assert!(event.json().is_ok());
    event
}

fn routing(criterion: &mut Criterion) {
    let event = event();
    for (way, filter) in FILTERS {
        let mut group = criterion.benchmark_group(format!("route by {way}"));
        for count in [10, 10_000] {
            let registry = registry(count, filter);
            assert_eq!(registry.route(&event).len(), 1, "{way} among {count}");
            let id = BenchmarkId::from_parameter(count);
            group.bench_with_input(id, &registry, |bencher, registry| {
                bencher.iter(|| registry.route(black_box(&event)));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, routing);
criterion_main!(benches);
