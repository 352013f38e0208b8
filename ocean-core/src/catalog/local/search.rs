//! Search objects in identifiers and relations: `{"combinator": …, "rules": [..]}`.

use serde_json::Value;

use super::StoredEntity;

/// Whether the value is a search object.
pub(super) fn is_search(value: &Value) -> bool {
    value.get("combinator").is_some() && value.get("rules").is_some_and(Value::is_array)
}

/// Whether the entity is what the search object looks for. Port accepts the operators `=`, `in`,
/// `containsAny` and `contains` there; a rule with another one matches nothing.
pub(super) fn matches(search: &Value, entity: &StoredEntity) -> bool {
    if let Some(rules) = search["rules"].as_array() {
        let mut each = rules.iter().map(|rule| matches(rule, entity));
        return match search["combinator"].as_str() {
            Some("or") => each.any(|is_match| is_match),
            _ => each.all(|is_match| is_match),
        };
    }
    let property = search["property"].as_str().unwrap_or_default();
    let subject = match property {
        "$identifier" => Value::from(&*entity.identifier),
        "$blueprint" => Value::from(&*entity.blueprint),
        "$title" => Value::from(entity.title.as_deref()),
        "$team" => entity.team.clone(),
        "$datasource" => Value::from(&*entity.datasource),
        name => entity.properties.get(name).cloned().unwrap_or_default(),
    };
    let value = &search["value"];
    match search["operator"].as_str() {
        Some("=") => subject == *value,
        Some("in") => value.as_array().is_some_and(|any| any.contains(&subject)),
        Some("containsAny") => match (&subject, value) {
            (Value::Array(has), Value::Array(any)) => any.iter().any(|one| has.contains(one)),
            (subject, Value::Array(any)) => any.contains(subject),
            _ => false,
        },
        Some("contains") => match (&subject, value) {
            (Value::String(text), Value::String(part)) => text.contains(&**part),
            (Value::Array(has), value) => has.contains(value),
            _ => false,
        },
        _ => false,
    }
}
