use serde_json::json;

use super::*;
use crate::catalog::{Identifier, WriteOptions};

const ASSETS: Assets = Assets {
    spec: "",
    app_config: "resources: []",
    blueprints: r#"[
        {"identifier": "project", "relations": {}},
        {"identifier": "user", "relations": {}},
        {"identifier": "issue", "relations": {
            "project": {"target": "project", "required": true},
            "owner": {"target": "user", "required": false},
            "watchers": {"target": "user", "many": true}
        }}
    ]"#,
    ..Assets::NONE
};

fn owner(identifier: &str) -> IntegrationName {
    IntegrationName {
        kind: "jira".to_owned(),
        identifier: identifier.to_owned(),
        version: "0.1.0".to_owned(),
    }
}

async fn catalog() -> LocalCatalog {
    let catalog = LocalCatalog::in_memory(&owner("my-jira"), clock()).unwrap();
    catalog.prepare(&ASSETS).await.unwrap();
    catalog
}

fn clock() -> Clock {
    Clock::starting_at("2026-01-01T00:00:00Z".parse().unwrap())
}

fn key(name: &str) -> EntityKey {
    let (blueprint, identifier) = name.split_once('/').unwrap();
    EntityKey {
        blueprint: blueprint.into(),
        identifier: match identifier.starts_with('{') {
            true => Identifier::Json(identifier.into()),
            false => Identifier::Text(identifier.into()),
        },
    }
}

fn entity(name: &str, rest: Value) -> Entity {
    Entity {
        key: key(name),
        json: rest.to_string().into(),
    }
}

async fn upsert(catalog: &LocalCatalog, name: &str, rest: Value) -> Result<Written, CatalogError> {
    upsert_with(catalog, name, rest, WriteOptions::default()).await
}

async fn upsert_with(
    catalog: &LocalCatalog,
    name: &str,
    rest: Value,
    options: WriteOptions,
) -> Result<Written, CatalogError> {
    let changes = ChangeSet {
        upserts: vec![entity(name, rest)],
        options,
        ..ChangeSet::default()
    };
    catalog.apply(changes).await.remove(0)
}

async fn delete(catalog: &LocalCatalog, names: &[&str], dependents: bool) -> Vec<String> {
    let changes = ChangeSet {
        deletes: names.iter().map(|name| key(name)).collect(),
        options: WriteOptions {
            delete_dependents: dependents,
            ..WriteOptions::default()
        },
        ..ChangeSet::default()
    };
    let fates = catalog.apply(changes).await;
    fates
        .into_iter()
        .map(|fate| match fate {
            Ok(written) => written.to_string(),
            Err(error) => error.to_string(),
        })
        .collect()
}

async fn names(catalog: &LocalCatalog) -> Vec<String> {
    let all = catalog.list(Browse::default()).await.unwrap();
    all.iter()
        .map(|entity| format!("{}/{}", entity.blueprint, entity.identifier))
        .collect()
}

async fn get(catalog: &LocalCatalog, name: &str) -> StoredEntity {
    let (blueprint, identifier) = name.split_once('/').unwrap();
    catalog.get(blueprint, identifier).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_merge_keeps_what_is_not_mentioned_and_null_is_a_mention() {
    let catalog = catalog().await;
    let first = json!({"title": "A", "icon": "Jira", "team": ["t"],
                       "properties": {"a": 1, "b": {"deep": 1}, "c": 3}});
    let fate = upsert(&catalog, "user/u", first.clone()).await.unwrap();
    assert_eq!(fate, Written::Created);
    let second = json!({"title": null, "properties": {"b": {"other": 2}, "c": null}});
    let fate = upsert(&catalog, "user/u", second.clone()).await.unwrap();
    assert_eq!(fate, Written::Updated);
    let stored = get(&catalog, "user/u").await;
    assert_eq!(stored.title, None);
    assert_eq!(stored.icon.as_deref(), Some("Jira"));
    assert_eq!(stored.team, json!(["t"]));
    assert_eq!(
        stored.properties,
        json!({"a": 1, "b": {"other": 2}, "c": null})
    );

    let replace = WriteOptions {
        merge: false,
        ..WriteOptions::default()
    };
    upsert_with(&catalog, "user/u", second, replace)
        .await
        .unwrap();
    let stored = get(&catalog, "user/u").await;
    assert_eq!((stored.icon, stored.team), (None, Value::Null));
    assert_eq!(stored.properties, json!({"b": {"other": 2}, "c": null}));
}

#[tokio::test]
async fn missing_targets_are_created_or_waited_for() {
    let catalog = catalog().await;
    let issue = json!({"relations": {"project": "P", "watchers": ["u", "v"], "undeclared": "x"}});
    let strict = WriteOptions {
        create_missing_related_entities: false,
        ..WriteOptions::default()
    };
    let error = upsert_with(&catalog, "issue/1", issue.clone(), strict)
        .await
        .unwrap_err();
    assert!(matches!(error, CatalogError::Retry { .. }), "{error:?}");
    assert_eq!(names(&catalog).await, Vec::<String>::new());
    upsert(&catalog, "issue/1", issue.clone()).await.unwrap();
    assert_eq!(
        names(&catalog).await,
        ["issue/1", "project/P", "user/u", "user/v"]
    );
    assert_eq!(get(&catalog, "issue/1").await.relations, issue["relations"]);
}

#[tokio::test]
async fn only_what_is_ours_is_deleted() {
    let catalog = catalog().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("catalog.db");
    let theirs = LocalCatalog::open(&file, &owner("other-jira"), clock()).unwrap();
    upsert(&theirs, "user/u", json!({})).await.unwrap();
    let ours = LocalCatalog::open(&file, &owner("my-jira"), clock()).unwrap();
    upsert(&ours, "user/v", json!({})).await.unwrap();
    let fates = delete(&ours, &["user/u", "user/v", "user/w"], true).await;
    assert_eq!(fates, ["absent", "deleted", "absent"]);
    assert_eq!(names(&ours).await, ["user/u"]);
    assert_eq!(names(&catalog).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_requires_a_deleted_entity_goes_along_and_the_rest_lets_go() {
    let catalog = catalog().await;
    let issue = json!({"relations": {"project": "P", "owner": "u", "watchers": ["u", "v"]}});
    upsert(&catalog, "issue/1", issue).await.unwrap();
    assert_eq!(delete(&catalog, &["user/u"], true).await, ["deleted"]);
    let relations = get(&catalog, "issue/1").await.relations;
    assert_eq!(
        relations,
        json!({"project": "P", "owner": null, "watchers": ["v"]})
    );
    assert_eq!(delete(&catalog, &["project/P"], true).await, ["deleted"]);
    assert_eq!(names(&catalog).await, ["user/v"]);
}

#[tokio::test]
async fn without_dependents_a_required_entity_stays_unless_they_go_too() {
    let catalog = catalog().await;
    let issue = json!({"relations": {"project": "P"}});
    upsert(&catalog, "issue/1", issue.clone()).await.unwrap();
    let fates = delete(&catalog, &["project/P"], false).await;
    assert_eq!(fates, ["entities depend on project/P"]);
    let fates = delete(&catalog, &["project/P", "issue/1"], false).await;
    assert_eq!(fates, ["deleted", "deleted"]);
    assert_eq!(names(&catalog).await, Vec::<String>::new());
}

#[tokio::test]
async fn search_objects_find_entities() {
    let catalog = catalog().await;
    let user = json!({"title": "Ann", "properties": {"mail": "a@x", "tags": ["t"]}});
    upsert(&catalog, "user/u", user).await.unwrap();
    let by = |property: &str, operator: &str, value: Value| {
        json!({"combinator": "and", "rules": [
            {"property": property, "operator": operator, "value": value},
        ]})
    };
    for search in [
        by("mail", "=", json!("a@x")),
        by("mail", "contains", json!("@")),
        by("mail", "in", json!(["b", "a@x"])),
        by("tags", "containsAny", json!(["z", "t"])),
        by("$title", "=", json!("Ann")),
    ] {
        let issue = json!({"relations": {"owner": search}});
        upsert(&catalog, "issue/1", issue).await.unwrap();
        let relations = get(&catalog, "issue/1").await.relations;
        assert_eq!(relations, json!({"owner": "u"}), "{search}");
    }
    let none = by("mail", "=", json!("nobody"));
    upsert(&catalog, "issue/1", json!({"relations": {"owner": none}}))
        .await
        .unwrap();
    assert_eq!(
        get(&catalog, "issue/1").await.relations,
        json!({"owner": null})
    );

    let name = |search: &Value| format!("user/{search}");
    let found = by("mail", "=", json!("a@x"));
    for (key, expected) in [
        (name(&found), Some("Ann")),
        ("user/u".to_owned(), Some("Ann")),
        (name(&none), None),
        ("user/7".to_owned(), None),
    ] {
        let entity = Catalog::find(&catalog, &self::key(&key)).await.unwrap();
        let title = entity.as_ref().map(|entity| &entity["title"]);
        assert_eq!(title.and_then(Value::as_str), expected, "{key}");
    }
    let fate = upsert(&catalog, &name(&found), json!({"title": "B"}))
        .await
        .unwrap();
    assert_eq!(fate, Written::Updated);
    assert_eq!(get(&catalog, "user/u").await.title.as_deref(), Some("B"));
    let fate = upsert(&catalog, &name(&none), json!({})).await.unwrap();
    assert_eq!(fate, Written::Skipped);
    assert_eq!(delete(&catalog, &[&name(&found)], true).await, ["deleted"]);
}

#[tokio::test]
async fn a_refused_entity_harms_no_other() {
    let catalog = catalog().await;
    let mut number = entity("user/7", json!({}));
    number.key.identifier = Identifier::Json("7".into());
    let changes = ChangeSet {
        upserts: vec![
            number,
            entity("user/bad", json!({"properties": []})),
            entity("user/u", json!({})),
        ],
        ..ChangeSet::default()
    };
    let fates = catalog.apply(changes).await;
    assert!(
        matches!(&fates[0], Err(CatalogError::Permanent { .. })),
        "{fates:?}"
    );
    assert!(
        matches!(&fates[1], Err(CatalogError::Permanent { .. })),
        "{fates:?}"
    );
    assert!(matches!(&fates[2], Ok(Written::Created)), "{fates:?}");
    assert_eq!(names(&catalog).await, ["user/u"]);
}

#[tokio::test]
async fn the_mapping_is_stored_once_and_can_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("catalog.db");
    let catalog = LocalCatalog::open(&file, &owner("my-jira"), clock()).unwrap();
    let error = catalog.app_config().await.unwrap_err();
    assert!(error.to_string().contains("no mapping"), "{error}");
    catalog.prepare(&ASSETS).await.unwrap();
    let default = catalog.app_config().await.unwrap();
    assert_eq!(default["createMissingRelatedEntities"], true);
    let mine = json!({"resources": ["mine"]});
    catalog.set_app_config(mine.clone()).await.unwrap();
    drop(catalog);
    let again = LocalCatalog::open(&file, &owner("my-jira"), clock()).unwrap();
    again.prepare(&ASSETS).await.unwrap();
    assert_eq!(again.app_config().await.unwrap(), mine);
}

#[tokio::test]
async fn pages_follow_each_other() {
    let catalog = catalog().await;
    for name in ["user/b", "user/a", "project/z", "user/c"] {
        upsert(&catalog, name, json!({})).await.unwrap();
    }
    let mut browse = Browse {
        limit: 2,
        ..Browse::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = catalog.list(browse.clone()).await.unwrap();
        let Some(last) = page.last() else { break };
        browse.after = Some((last.blueprint.clone(), last.identifier.clone()));
        seen.extend(page.into_iter().map(|entity| entity.identifier));
    }
    assert_eq!(seen, ["z", "a", "b", "c"]);
    let browse = Browse {
        blueprint: Some("project".to_owned()),
        ..Browse::default()
    };
    assert_eq!(catalog.list(browse).await.unwrap().len(), 1);
    let counts = catalog.counts().await.unwrap();
    assert_eq!(counts, [("project".to_owned(), 1), ("user".to_owned(), 3)]);
}

#[test]
fn a_file_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("catalog.db");
    let connection = Connection::open(&file).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let error = LocalCatalog::open(&file, &owner("my-jira"), clock()).unwrap_err();
    assert!(error.to_string().contains("version 99"), "{error}");
}
