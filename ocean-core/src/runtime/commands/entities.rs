//! `entities`: what the local catalog holds.

use std::path::Path;

use anyhow::bail;

use super::{events::print, table::table};
use crate::{
    catalog::{EntityBrowser, IntegrationName, LocalCatalog},
    clock::Clock,
    runtime::{cli::EntitiesArgs, rooms::CATALOG_FILE},
};

/// The most entities that are shown.
const LIMIT: usize = 1_000;

/// Prints the entities of the local catalog in the data folder, also while a server uses it.
pub(super) async fn entities(folder: &Path, arguments: &EntitiesArgs) -> anyhow::Result<()> {
    let file = folder.join(CATALOG_FILE);
    if !file.exists() {
        bail!(
            "there is no local catalog at {}; `dev` makes one",
            file.display()
        );
    }
    // Who asks does not matter for reading.
    let reader = IntegrationName {
        kind: String::new(),
        identifier: String::new(),
        version: String::new(),
    };
    let catalog = LocalCatalog::open(&file, &reader, Clock::system())?;
    let blueprint = arguments.blueprint.as_deref();
    let entities = EntityBrowser::list(&catalog, blueprint, LIMIT).await?;
    if arguments.json {
        return print(&format!("{}\n", serde_json::to_string_pretty(&entities)?));
    }
    if entities.is_empty() {
        return print("no entities\n");
    }
    let rows: Vec<Vec<String>> = entities
        .iter()
        .map(|entity| {
            let text = |key: &str| match &entity[key] {
                serde_json::Value::Null => String::new(),
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            vec![
                text("blueprint"),
                text("identifier"),
                text("title"),
                text("properties"),
            ]
        })
        .collect();
    print(&table(
        &["BLUEPRINT", "IDENTIFIER", "TITLE", "PROPERTIES"],
        &rows,
    ))
}
