//! What becomes of events about tasks.

use ocean_core::{
    Integration as _, StartContext,
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
async fn an_event_without_id_is_refused() {
    let report = Testkit::of(task::SPEC, task {})
        .deliver(&TestEvent::json(r#"{"task": {}}"#).named("task.updated"))
        .await;
    assert_eq!(report.rejected().len(), 1);
}
