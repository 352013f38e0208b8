//! What becomes of events whose processors work.

use std::time::Duration;

use ocean_core::{
    Need, Outcome, Raw, RawResults, SelectorType, WebhookEvent,
    catalog::{Processing, Written},
    processor::ProcessorSpec,
    queue::{Change, RunState, WriteKind},
    telemetry::Fate,
};

use crate::{
    catalog::{FakeCatalog, busy},
    world::{Call, Setup, item, one_lane, resource, updated},
};

const ISSUES: ProcessorSpec = ProcessorSpec::new("issues", "/webhook").kinds(&["issue"]);

async fn update(call: Call) -> crate::world::HandlerResult {
    updated(&call.key)
}

#[tokio::test(start_paused = true)]
async fn an_event_is_done_when_the_catalog_confirmed_its_writes() {
    let world = Setup::new().processor(ISSUES, update).start();
    let id = world.send("A");
    let story = world.done(id).await;
    assert_eq!(world.catalog.writes(), ["+ issue/A"]);
    let [run] = &story.runs[..] else {
        panic!("{story:?}");
    };
    assert_eq!(
        (&*run.processor, run.resource.as_deref()),
        ("issues", Some("issue-0"))
    );
    assert_eq!(run.state, RunState::Done);
    let [attempt] = &run.attempts[..] else {
        panic!("{run:?}");
    };
    assert_eq!((attempt.updated, attempt.deleted), (1, 0));
    assert!(attempt.error.is_empty());
    let write = &attempt.writes[0];
    assert_eq!(
        (write.kind, &*write.identifier, &*write.answer),
        (WriteKind::Upsert, "A", "updated")
    );
    assert_eq!(world.telemetry.dispatch.events_ended(Fate::Done), 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_not_at_hand_is_loaded() {
    let world = Setup::new().processor(ISSUES, update).start();
    let event = world.event(&serde_json::json!({"key": "A"}), "updated");
    let id = world.put(&event, false);
    world.done(id).await;
    assert_eq!(world.catalog.writes(), ["+ issue/A"]);
}

#[tokio::test(start_paused = true)]
async fn not_found_deletes_what_the_pointer_names() {
    let spec = ISSUES.delete(&[], "/issue");
    let world = Setup::new()
        .processor(spec, |_| async { Ok(Outcome::NotFound) })
        .start();
    let event = world.event(
        &serde_json::json!({"key": "A", "issue": {"key": "B"}}),
        "updated",
    );
    let story = world.done(world.put(&event, true)).await;
    assert_eq!(world.catalog.writes(), ["- issue/B"]);
    assert_eq!(story.runs[0].attempts[0].deleted, 1);
}

#[tokio::test(start_paused = true)]
async fn not_found_without_pointer_changes_nothing_and_says_so() {
    let world = Setup::new()
        .processor(ISSUES, |_| async { Ok(Outcome::NotFound) })
        .start();
    let story = world.done(world.send("A")).await;
    assert!(world.catalog.writes().is_empty());
    assert_eq!(
        story.runs[0].attempts[0].notes,
        ["not found, and no `delete` declared: nothing is deleted"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_declared_delete_needs_no_handler() {
    let spec = ISSUES.delete(&["deleted"], "");
    let world = Setup::new().processor(spec, update).start();
    let updated = world.send_named("A", "updated");
    let deleted = world.send_named("A", "deleted");
    world.done(updated).await;
    world.done(deleted).await;
    assert_eq!(world.catalog.writes(), ["+ issue/A", "- issue/A"]);
    assert_eq!(world.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn updated_and_deleted_items_are_enriched_alike() {
    fn with_event(event: &WebhookEvent, raw: Raw) -> Raw {
        raw.with("key", &event.name())
    }
    let spec = ISSUES.delete(&["deleted"], "").enrich(with_event);
    let world = Setup::new().processor(spec, update).start();
    let updated = world.send_named("A", "updated");
    let deleted = world.send_named("A", "deleted");
    world.done(updated).await;
    world.done(deleted).await;
    assert_eq!(
        world.catalog.writes(),
        ["+ issue/updated", "- issue/deleted"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_item_that_fails_the_selector_is_deleted() {
    let world = Setup::new()
        .processor(ISSUES, update)
        .resources(&[resource("issue", "issue", "false")])
        .start();
    world.done(world.send("A")).await;
    assert_eq!(world.catalog.writes(), ["- issue/A"]);
}

#[tokio::test(start_paused = true)]
async fn what_one_processor_removes_and_another_upserts_is_upserted() {
    let remover = ProcessorSpec::new("remover", "/webhook").kinds(&["issue"]);
    let world = Setup::new()
        .processor(ISSUES.key(&["/key"]), update)
        .processor(remover.key(&["/key"]), |call| async move {
            Ok(Outcome::Results(RawResults::deleted([item(&call.key)])))
        })
        .start();
    world.done(world.send("A")).await;
    assert_eq!(world.catalog.writes(), ["+ issue/A"]);
}

#[tokio::test(start_paused = true)]
async fn one_call_serves_two_resources_of_a_kind() {
    let world = Setup::new()
        .processor(ISSUES, update)
        .resources(&[
            resource("issue", "issue", "true"),
            resource("issue", "task", "true"),
        ])
        .start();
    let story = world.done(world.send("A")).await;
    assert_eq!(world.calls().len(), 1);
    assert_eq!(world.calls()[0].resource, None);
    assert_eq!(world.catalog.writes(), ["+ issue/A", "+ task/A"]);
    assert_eq!(story.runs.len(), 2);
}

#[derive(serde::Deserialize)]
struct Board {}

#[tokio::test(start_paused = true)]
async fn each_distinct_selector_is_a_call() {
    let with_board = |blueprint, board: u32| {
        let mut resource = resource("issue", blueprint, "true");
        resource["selector"]["board"] = board.into();
        resource
    };
    const SELECTING: ProcessorSpec = ISSUES.needs(&[Need::Selector(SelectorType::of::<Board>())]);
    let world = Setup::new()
        .processor(SELECTING, update)
        .resources(&[with_board("a", 1), with_board("b", 2), with_board("c", 1)])
        .start();
    world.done(world.send("A")).await;
    let mut resources: Vec<_> = world
        .calls()
        .into_iter()
        .map(|call| call.resource)
        .collect();
    resources.sort();
    assert_eq!(
        resources,
        [Some("issue-0".to_owned()), Some("issue-1".to_owned())]
    );
    let mut writes = world.catalog.writes();
    writes.sort();
    assert_eq!(writes, ["+ a/A", "+ b/A", "+ c/A"]);
}

#[tokio::test(start_paused = true)]
async fn an_action_runs_without_resource_and_writes_nothing() {
    let action = ProcessorSpec::new("finish", "/webhook").action();
    let world = Setup::new()
        .processor(action, update)
        .resources(&[])
        .start();
    let story = world.done(world.send("A")).await;
    assert_eq!(world.called(), ["finish A"]);
    assert!(world.catalog.writes().is_empty());
    assert_eq!(
        (story.runs[0].resource.as_deref(), story.runs[0].state),
        (None, RunState::Done)
    );
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_the_mapping_lacks_is_done_with_a_note() {
    let world = Setup::new()
        .processor(ISSUES, update)
        .resources(&[resource("user", "user", "true")])
        .start();
    let story = world.done(world.send("A")).await;
    assert!(world.calls().is_empty());
    assert_eq!(
        story.runs[0].attempts[0].notes,
        ["no resource of kind issue in the mapping"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_that_no_code_is_for_any_more_is_a_dead_letter() {
    let world = Setup::new()
        .processor(ISSUES.events(&["updated"]), update)
        .start();
    let event = world.event(&serde_json::json!({}), "gone");
    let id = world.queue.put(&event, one_lane(1), true);
    let (reason, story) = world.dead(id).await;
    assert!(
        reason.starts_with("no processor is for it any more: "),
        "{reason}"
    );
    assert_eq!(story.notes, [reason]);
}

#[tokio::test(start_paused = true)]
async fn a_lane_without_processor_is_a_dead_letter_unless_the_processor_moved() {
    let other = ProcessorSpec::new("other", "/webhook").kinds(&["issue"]);
    let body = serde_json::json!({"key": "A", "user": "U"});
    let setup = Setup::new().processor(ISSUES, update);
    let both = setup.processor(other.key(&["/user"]), update).start();
    let event = both.event(&body, "updated");
    let lanes = both.lanes(&event);

    let one = Setup::new().processor(ISSUES, update).start();
    let (reason, story) = one.dead(one.queue.put(&event, lanes.clone(), true)).await;
    assert!(
        reason.starts_with("no processor is for it any more: "),
        "{reason}"
    );
    assert_eq!(story.runs.len(), 1, "the other lane's processor ran");

    let moved = Setup::new()
        .processor(ISSUES, update)
        .processor(other.key(&["/key"]), update)
        .start();
    moved.done(moved.queue.put(&event, lanes, true)).await;
    assert_eq!(moved.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_event_is_done_without_effect_and_says_why() {
    let world = Setup::new()
        .processor(ISSUES, |_| async {
            Err(ocean_core::ProcessorError::drop("a draft"))
        })
        .start();
    let story = world.done(world.send("A")).await;
    assert_eq!(story.runs[0].state, RunState::Dropped);
    assert_eq!(story.runs[0].attempts[0].notes, ["a draft"]);
}

#[tokio::test(start_paused = true)]
async fn where_port_maps_raw_items_are_shipped_and_nothing_is_written() {
    let mut catalog = FakeCatalog::default();
    catalog.processing = Processing::Raw;
    let world = Setup::new()
        .processor(ISSUES, update)
        .catalog(catalog)
        .start();
    let id = world.send("A");
    world.done(id).await;
    assert!(world.catalog.writes().is_empty());
    let shipment = &world.catalog.shipments()[0];
    assert_eq!(shipment.event_id, id.to_string());
    let part = &shipment.parts[0];
    assert_eq!(
        (&*part.kind, part.resource_index, &*part.query),
        ("issue", 0, "true")
    );
    assert_eq!(part.results.updated, [item("A")]);
}

#[tokio::test(start_paused = true)]
async fn what_actions_bring_is_not_shipped() {
    let mut catalog = FakeCatalog::default();
    catalog.processing = Processing::Raw;
    let action = ProcessorSpec::new("finish", "/webhook").action();
    let world = Setup::new()
        .processor(action, update)
        .catalog(catalog)
        .start();
    world.done(world.send("A")).await;
    assert!(world.catalog.shipments().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failed_shipment_where_port_maps_is_tried_again() {
    let mut catalog = FakeCatalog::answering(|_, before| match before {
        0 => Err(busy()),
        _ => Ok(Written::Updated),
    });
    catalog.processing = Processing::Raw;
    let world = Setup::new()
        .processor(ISSUES, update)
        .catalog(catalog)
        .start();
    let story = world.done(world.send("A")).await;
    assert_eq!(world.catalog.shipments().len(), 2);
    assert_eq!(story.runs[0].attempts[0].error, ["503"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_shipment_beside_the_entities_changes_nothing() {
    let mut catalog = FakeCatalog::answering(|name, _| match name {
        "raw" => Err(busy()),
        _ => Ok(Written::Updated),
    });
    catalog.processing = Processing::EntitiesAndRaw;
    let world = Setup::new()
        .processor(ISSUES, update)
        .catalog(catalog)
        .start();
    world.done(world.send("A")).await;
    assert_eq!(world.catalog.writes(), ["+ issue/A"]);
    assert_eq!(world.catalog.shipments().len(), 1);
    assert!(
        world
            .telemetry
            .encode()
            .contains("ocean_dispatch_unshipped_total 1")
    );
}

/// Not paused: the current thread, which the worker shares, must stay free while items are mapped.
#[tokio::test]
async fn many_items_do_not_hold_up_the_thread_of_other_tasks() {
    let slow = r#".key + ([range(2000) | . * . | tostring] | last | .[:0]) | . != """#;
    let mut setup = Setup::new().resources(&[resource("issue", "issue", slow)]);
    setup = setup.processor(ISSUES, |_| async {
        let items = (0..400).map(|n| item(&format!("K{n}")));
        Ok(Outcome::Results(RawResults::updated(items)))
    });
    let world = setup.start();
    let id = world.send("A");
    let mut longest = Duration::ZERO;
    let ticks = async {
        loop {
            let before = std::time::Instant::now();
            tokio::task::yield_now().await;
            longest = longest.max(before.elapsed());
        }
    };
    let began = std::time::Instant::now();
    tokio::select! {
        _ = world.done(id) => {}
        () = ticks => {}
    }
    let whole = began.elapsed();
    assert_eq!(world.catalog.writes().len(), 400);
    assert!(
        longest * 2 < whole,
        "{longest:?} of {whole:?} without a turn"
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_in_two_lanes_is_done_once_both_are() {
    let by_user = ProcessorSpec::new("users", "/webhook").kinds(&["issue"]);
    let world = Setup::new()
        .processor(ISSUES.key(&["/key"]), update)
        .processor(by_user.key(&["/user"]), update)
        .start();
    let event = world.event(&serde_json::json!({"key": "A", "user": "U"}), "updated");
    let id = world.put(&event, true);
    let story = world.done(id).await;
    assert_eq!(story.runs.len(), 2);
    assert_eq!(world.calls().len(), 2);
    let changes = world.queue.changes(id);
    assert!(
        matches!(&changes[..], [Change::Progress { .. }, Change::Done(_)]),
        "{changes:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_item_whose_mapping_fails_yields_nothing_and_the_others_go_on() {
    let query = r#"if .key == "bad" then error("no state") else true end"#;
    let world = Setup::new()
        .processor(ISSUES, |_| async {
            Ok(Outcome::Results(RawResults::updated([
                item("bad"),
                item("good"),
            ])))
        })
        .resources(&[resource("issue", "issue", query)])
        .start();
    let story = world.done(world.send("A")).await;
    assert_eq!(world.catalog.writes(), ["+ issue/good"]);
    assert_eq!(story.runs[0].attempts[0].notes.len(), 1);
    assert!(
        world
            .telemetry
            .encode()
            .contains("ocean_dispatch_mapping_failures_total 1")
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_for_which_all_mapping_fails_is_a_dead_letter() {
    let world = Setup::new()
        .processor(ISSUES, update)
        .resources(&[resource("issue", "issue", r#"error("no state")"#)])
        .start();
    let (reason, _) = world.dead(world.send("A")).await;
    assert!(
        reason.contains("the mapping failed for every item"),
        "{reason}"
    );
    assert_eq!(world.calls().len(), 1, "trying again cannot help");
}
