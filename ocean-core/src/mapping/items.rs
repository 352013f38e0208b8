//! `itemsToParse`: one item becomes several, a copy for each element of a list within it.

use ocean_jq::{Kind, ObjectBuilder, Value};

use super::{
    compile::{Cut, Items},
    plan::Finding,
    program::{Budget, Fault},
    wire,
};

/// The copies of `item`: one for each element of the list that `itemsToParse` yields, with the
/// element under the resource's name for it.
///
/// # Errors
/// Why there are none. Upstream skips such an item with a warning, as a rule because the list is
/// not there.
pub(super) fn copies<'a>(
    items: &'a Items,
    item: &Value<'a>,
    budget: &mut Budget,
) -> Result<impl Iterator<Item = Value<'a>> + use<'a>, Finding> {
    let list = match items.list.first(item, budget) {
        Ok(list) => list.unwrap_or(Value::NULL),
        Err(Fault::Limit(limit)) => return Err(items.list.exceeded(limit)),
        Err(Fault::Error(error)) => {
            return Err(Finding::Skipped(format!("`itemsToParse` failed: {error}")));
        }
    };
    if list.kind() != Kind::Array {
        let what = wire::describe(&list);
        return Err(Finding::Skipped(format!(
            "`itemsToParse` gave {what}, not a list"
        )));
    }
    let base = base(items, item, budget)?;
    if base.kind() != Kind::Object {
        let what = wire::describe(&base);
        return Err(Finding::Skipped(format!(
            "without what `itemsToParse` names, the item is {what}, not an object"
        )));
    }
    let with = move |element| {
        ObjectBuilder::from_object(&base)
            .with(&items.name, element)
            .build()
    };
    Ok(list.items().map(with))
}

/// The item without the list.
fn base<'a>(items: &'a Items, item: &Value<'a>, budget: &mut Budget) -> Result<Value<'a>, Finding> {
    let uncut = |reason: &str| {
        Finding::Skipped(format!(
            "what `itemsToParse` names cannot be cut out: {reason}"
        ))
    };
    let program = match &items.cut {
        Cut::Keep => return Ok(item.clone()),
        Cut::NoPath => return Err(uncut("it names no path")),
        Cut::Delete(Err(error)) => return Err(uncut(error)),
        Cut::Delete(Ok(program)) => program,
    };
    match program.first(item, budget) {
        Ok(base) => Ok(base.unwrap_or(Value::NULL)),
        Err(Fault::Limit(limit)) => Err(items.list.exceeded(limit)),
        Err(Fault::Error(error)) => Err(uncut(&error)),
    }
}
