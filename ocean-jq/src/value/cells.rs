//! The boxes behind owned arrays and objects; they exist to be dropped without recursion.
//!
//! A program can nest an array a million levels deep for the price of a million small boxes. The
//! drop code that the compiler writes would then recurse a million times; these boxes empty
//! themselves through a worklist instead.

use std::rc::Rc;

use super::{Map, Repr, Value};

/// An owned array.
#[derive(Debug)]
pub(crate) struct ArrayCell<'a> {
    pub(crate) items: Vec<Value<'a>>,
}

/// An owned object.
#[derive(Debug)]
pub(crate) struct ObjectCell<'a> {
    pub(crate) map: Map<'a>,
}

impl<'a> ArrayCell<'a> {
    pub(crate) fn new(items: Vec<Value<'a>>) -> ArrayCell<'a> {
        ArrayCell { items }
    }
}

impl<'a> ObjectCell<'a> {
    pub(crate) fn new(map: Map<'a>) -> ObjectCell<'a> {
        ObjectCell { map }
    }
}

impl Drop for ArrayCell<'_> {
    fn drop(&mut self) {
        if self.items.iter().any(is_owned_container) {
            unravel(std::mem::take(&mut self.items));
        }
    }
}

impl Drop for ObjectCell<'_> {
    fn drop(&mut self) {
        if self.map.values().any(is_owned_container) {
            unravel(std::mem::take(&mut self.map).into_values().collect());
        }
    }
}

fn is_owned_container(value: &Value<'_>) -> bool {
    matches!(value.0, Repr::ArrOwn(_) | Repr::ObjOwn(_))
}

/// Drops values; children of boxes that die here join the list instead of the call stack.
fn unravel(mut pending: Vec<Value<'_>>) {
    while let Some(value) = pending.pop() {
        match value.0 {
            Repr::ArrOwn(mut cell) => {
                if let Some(cell) = Rc::get_mut(&mut cell) {
                    pending.append(&mut cell.items);
                }
            }
            Repr::ObjOwn(mut cell) => {
                if let Some(cell) = Rc::get_mut(&mut cell) {
                    pending.extend(std::mem::take(&mut cell.map).into_values());
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_levels_drop_on_a_small_stack() {
        let work = || {
            let mut value = Value::NULL;
            for _ in 0..1_000_000 {
                value = Value::array(vec![value]);
            }
            drop(value);
        };
        std::thread::Builder::new()
            .stack_size(256 * 1024)
            .spawn(work)
            .unwrap()
            .join()
            .unwrap();
    }
}
