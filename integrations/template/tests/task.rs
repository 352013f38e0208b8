//! What becomes of events about tasks.

use ocean_core::{
    Clock, Integration as _, StartContext,
    catalog::{IntegrationName, LocalCatalog, Written},
    ingress::StandIn,
    supervisor::Supervisor,
    testkit::{TestEvent, Testkit},
};
use ocean_template::{Client, Config, Template, webhooks::task::task};

#[tokio::test]
async fn a_deleted_task_is_deleted_by_its_payload() {
    let event = TestEvent::json(r#"{"task": {"id": 7, "title": "Water the plants"}}"#);
    let kit = Testkit::of(task::SPEC, task {}).mapping(Template::assets().app_config);
    let report = kit.deliver(&event.named("task.deleted")).await;
    assert_eq!(report.matched, ["task"]);
    assert_eq!(report.deletes[0].to_string(), "task/7");
}

#[tokio::test]
async fn an_updated_task_is_fetched_and_mapped() {
    let supervisor = Supervisor::default();
    let api = StandIn::serve(Template::dev().unwrap().api, &supervisor).unwrap();
    let config = Config {
        api_url: api.url(),
        api_token: "any".into(),
    };
    let client = Client::new(&StartContext::new(config)).unwrap();
    let kit = Testkit::of(task::SPEC, task {})
        .mapping(Template::assets().app_config)
        .state(client);
    let event = |body: &str| TestEvent::json(body).named("task.updated");
    let report = kit.deliver(&event(r#"{"task": {"id": 1}}"#)).await;
    assert_eq!(report.upserts[0].key.to_string(), "task/1");
    // The tool does not have it, so it is deleted.
    let report = kit.deliver(&event(r#"{"task": {"id": 404}}"#)).await;
    assert_eq!(report.deletes[0].to_string(), "task/404");
}

#[tokio::test]
async fn a_catalog_follows_the_events() {
    let owner = IntegrationName {
        kind: "template".into(),
        identifier: "my-template".into(),
        version: "1".into(),
    };
    let clock = Clock::starting_at("2026-01-02T03:04:05Z".parse().unwrap());
    let catalog = LocalCatalog::in_memory(&owner, clock).unwrap();
    let supervisor = Supervisor::default();
    let api = StandIn::serve(Template::dev().unwrap().api, &supervisor).unwrap();
    let config = Config {
        api_url: api.url(),
        api_token: "any".into(),
    };
    let client = Client::new(&StartContext::new(config)).unwrap();
    let kit = Testkit::of(task::SPEC, task {})
        .mapping(Template::assets().app_config)
        .state(client)
        .clock(clock);
    let deliver = async |name: &str| {
        let event = TestEvent::json(r#"{"task": {"id": 1}}"#).named(name);
        kit.deliver(&event).await.write(&catalog).await
    };
    assert!(matches!(
        *deliver("task.updated").await,
        [Ok(Written::Created)]
    ));
    let entity = catalog.get("task", "1").await.unwrap().unwrap();
    assert_eq!(
        (entity.title.as_deref(), &entity.created_at[..19]),
        (Some("Task 1"), "2026-01-02T03:04:05")
    );
    assert!(matches!(
        *deliver("task.deleted").await,
        [Ok(Written::Deleted)]
    ));
    assert_eq!(catalog.get("task", "1").await.unwrap(), None);
}

#[tokio::test]
async fn an_event_without_id_is_refused() {
    let report = Testkit::of(task::SPEC, task {})
        .deliver(&TestEvent::json(r#"{"task": {}}"#).named("task.updated"))
        .await;
    assert_eq!(report.rejected().len(), 1);
}
