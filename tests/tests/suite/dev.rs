//! `dev`: what a newcomer sees first.

use ocean_tests::process::{Ocean, Settings, finish};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::JIRA;

#[tokio::test]
async fn the_samples_become_entities_without_any_settings() {
    let data = TempDir::new().unwrap();
    let settings = Settings::new().with("OCEAN__QUEUE__PATH", data.path().to_string_lossy());
    let ocean = Ocean::start(JIRA, &["dev", "--send-samples"], &settings)
        .await
        .unwrap();
    let look = async {
        loop {
            let found = ocean.admin_get("/api/entities/jiraIssue/OPS-7").await;
            if let Ok(entity) = found {
                return entity;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let entity: Value = tokio::time::timeout(ocean_tests::process::PATIENCE, look)
        .await
        .unwrap();
    assert_eq!(entity["title"], "Rotate the signing keys");
    // The commands find what `dev` keeps without being told where.
    let listed = finish(JIRA, &["entities", "--json"], &settings)
        .await
        .unwrap()
        .json();
    let titles: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["title"])
        .collect();
    assert!(
        titles.contains(&&Value::from("Rotate the signing keys")),
        "{titles:?}"
    );
    let events = finish(JIRA, &["events"], &settings).await.unwrap().stdout;
    assert!(events.contains("jira:issue_updated"), "{events}");
    let dry = ["replay", "--since", "1h", "--dry-run"];
    let dry = finish(JIRA, &dry, &settings).await.unwrap();
    assert_eq!(dry.code, 0, "{}", dry.stderr);
    assert!(dry.stdout.contains("jiraIssue/OPS-7"), "{}", dry.stdout);
}
