//! Trials: what an event would do.

use expect_test::expect;
use ocean_core::{
    Outcome, ProcessorError, RawResults, StateMap,
    dispatch::{Trial, TrialReport, trial, trial_with_actions},
    processor::ProcessorSpec,
};

use crate::world::{Setup, item, resource, updated};

const ISSUES: ProcessorSpec = ProcessorSpec::new("issues", "/webhook")
    .kinds(&["issue"])
    .events(&["updated"])
    .key(&["/key"]);

fn setup() -> Setup {
    Setup::new()
        .processor(ISSUES, |call| async move {
            let results = RawResults::updated([item(&call.key)]).and_deleted([item("gone")]);
            Ok(Outcome::Results(results))
        })
        .processor(
            ProcessorSpec::new("broken", "/webhook")
                .kinds(&["issue"])
                .events(&["updated"]),
            |_| async { Err(ProcessorError::retry("jira answered 503")) },
        )
        .processor(
            ProcessorSpec::new("finish", "/webhook")
                .action()
                .events(&["updated"]),
            |call| async move { updated(&call.key) },
        )
        .processor(
            ProcessorSpec::new("users", "/webhook")
                .kinds(&["user"])
                .events(&["updated"]),
            |call| async move { updated(&call.key) },
        )
        .resources(&[
            resource("issue", "issue", "true"),
            resource("issue", "task", "false"),
        ])
}

async fn tried(name: &str, actions: bool) -> TrialReport {
    let setup = setup();
    let registry = setup.registry();
    let mapping = setup.mapping(&registry);
    let state = StateMap::new();
    let with = Trial {
        registry: &registry,
        mapping: &mapping,
        state: &state,
    };
    let event = ocean_core::WebhookEvent::new(ocean_core::EventParts {
        name: Some(name.into()),
        body: r#"{"key":"A"}"#.into(),
        ..Default::default()
    });
    match actions {
        true => trial_with_actions(&with, &event).await,
        false => trial(&with, &event).await,
    }
}

#[tokio::test(start_paused = true)]
async fn a_trial_tells_what_an_event_would_do() {
    expect![[r#"
        matched: broken, finish, issues, users
        broken (issue-0, issue-1): failed: jira answered 503
        issues (issue-0, issue-1): 1 updated, 1 deleted
        + issue/A  {"identifier":"A","blueprint":"issue"}
        - issue/gone
        - task/gone
        - task/A
        note: finish: an action, left out of the trial
        note: users: no resource of kind user in the mapping
    "#]]
    .assert_eq(&tried("updated", false).await.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_report_is_json_too() {
    let report = tried("updated", true).await;
    let json = serde_json::to_string_pretty(&report).unwrap();
    expect![[r#"
        {
          "matched": [
            "broken",
            "finish",
            "issues",
            "users"
          ],
          "runs": [
            {
              "processor": "broken",
              "resources": [
                "issue-0",
                "issue-1"
              ],
              "error": [
                "jira answered 503"
              ],
              "updated": [],
              "deleted": []
            },
            {
              "processor": "finish",
              "resources": [],
              "error": [],
              "updated": [
                {"key":"A"}
              ],
              "deleted": []
            },
            {
              "processor": "issues",
              "resources": [
                "issue-0",
                "issue-1"
              ],
              "error": [],
              "updated": [
                {"key":"A"}
              ],
              "deleted": [
                {"key":"gone"}
              ]
            }
          ],
          "upserts": [
            {"identifier":"A","blueprint":"issue"}
          ],
          "deletes": [
            {
              "identifier": "gone",
              "blueprint": "issue"
            },
            {
              "identifier": "gone",
              "blueprint": "task"
            },
            {
              "identifier": "A",
              "blueprint": "task"
            }
          ],
          "notes": [
            "users: no resource of kind user in the mapping"
          ]
        }"#]]
    .assert_eq(&json);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_nothing_matches_says_so() {
    expect![[r#"
        no processor is for this event
    "#]]
    .assert_eq(&tried("other", false).await.to_string());
}
