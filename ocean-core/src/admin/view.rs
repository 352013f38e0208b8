//! How events and processors look in JSON.

use serde_json::{Map, Value, json};

use crate::{
    event::EventId,
    processor::{ProcessorType, Registered},
    queue::{Pressure, Stored, Summary},
};

/// A line of a list. Ids are text: a browser cuts large numbers.
pub(crate) fn summary(summary: &Summary) -> Map<String, Value> {
    let value = serde_json::to_value(summary).expect("a summary serializes to JSON");
    let Value::Object(mut object) = value else {
        unreachable!("a summary is a struct");
    };
    object.insert("id".into(), id_text(summary.id));
    object.insert("replay_of".into(), summary.replay_of.map(id_text).into());
    object.insert(
        "replayed_as".into(),
        summary.replayed_as.map(id_text).into(),
    );
    object
}

fn id_text(id: EventId) -> Value {
    id.to_string().into()
}

/// Everything that is known about an event. Its headers hold no secrets: the queue does not have
/// them.
pub(crate) fn event(line: &Summary, stored: &Stored) -> Value {
    let event = &stored.event;
    let mut object = summary(line);
    let body = line
        .body_kept
        .then(|| String::from_utf8_lossy(event.body()).into_owned());
    let story = serde_json::to_value(&stored.story).expect("a story serializes to JSON");
    object.insert("query".into(), event.query().into());
    object.insert("headers".into(), json!(event.headers()));
    object.insert("body".into(), body.into());
    object.insert("restarts".into(), stored.restarts.into());
    object.insert("story".into(), story);
    object.into()
}

pub(super) fn pressure(pressure: &Pressure) -> Value {
    json!({
        "pending": pressure.pending,
        "pending_bytes": pressure.pending_bytes,
        "dead": pressure.dead,
        "dead_bytes": pressure.dead_bytes,
        "refusing": pressure.refusing,
        "oldest_seconds": pressure.oldest.map(|age| age.as_secs()),
    })
}

pub(crate) fn processor(registered: &Registered) -> Value {
    let spec = &registered.spec;
    let conditions: Vec<String> = spec.conditions.iter().map(ToString::to_string).collect();
    json!({
        "name": spec.name,
        "path": spec.path,
        "action": spec.processor_type == ProcessorType::Action,
        "kinds": spec.kinds,
        "event": spec.event.to_string(),
        "conditions": conditions,
        "requires": spec.requires,
        "guard": spec.guard.is_some(),
        "key": spec.key,
        "coalesce": spec.coalesce,
        "delete_on": spec.delete.map(|delete| delete.on),
        "delete_when": spec.delete.map(|delete| {
            delete.when.iter().map(ToString::to_string).collect::<Vec<_>>()
        }),
        "delete": spec.delete.map(|delete| delete.pointer),
        "retries": spec.retry.max_retries,
        "timeout_seconds": spec.timeout.as_secs_f64(),
        "docs": spec.docs,
        "location": spec.location.to_string(),
    })
}
