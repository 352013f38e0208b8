//! Entities as they stand, for previews.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    client::{CallError, Endpoint, PortClient},
    wire::identifier_rule,
};
use crate::{
    catalog::{EntityKey, Identifier},
    http::Request,
};

/// The first entity of this key, whoever wrote it.
pub(super) async fn find(client: &PortClient, key: &EntityKey) -> Result<Option<Value>, CallError> {
    let rule = match &key.identifier {
        Identifier::Text(text) => identifier_rule(&[text]),
        Identifier::Json(json) => serde_json::from_str(json).unwrap_or_default(),
    };
    let search = json!({"combinator": "and", "rules": [
        rule,
        {"property": "$blueprint", "operator": "=", "value": &*key.blueprint},
    ]});
    let request = Request::post(&client.url(&["entities", "search"]))
        .query("exclude_calculated_properties", "true")
        .json(&search);
    let answer = client.call(Endpoint::Search, request).await?;
    let Found { entities } = answer.json()?;
    Ok(entities.into_iter().next())
}

#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    entities: Vec<Value>,
}
