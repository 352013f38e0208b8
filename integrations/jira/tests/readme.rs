//! The test that the readme shows.

use ocean_core::{
    Integration as _,
    testkit::{TestEvent, Testkit},
};
use ocean_jira::{Jira, webhooks::issue::issue};

#[tokio::test]
async fn a_deleted_issue_is_deleted_by_its_payload() {
    let event = TestEvent::json(r#"{"issue": {"id": "7", "key": "OPS-7"}}"#);
    let kit = Testkit::of(issue::SPEC, issue {}).mapping(Jira::assets().app_config);
    let report = kit.deliver(&event.named("jira:issue_deleted")).await;
    assert_eq!(report.matched, ["issue"]);
    assert_eq!(report.deletes[0].to_string(), "jiraIssue/OPS-7");
}
