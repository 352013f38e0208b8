//! Paths and places: where a value is, besides what it is.

use std::rc::Rc;

use crate::value::Value;

/// A path, last key first; shared between the outputs of a generator.
#[derive(Clone, Default)]
pub(super) struct Path<'a>(Option<Rc<Link<'a>>>);

struct Link<'a> {
    key: Value<'a>,
    parent: Path<'a>,
    len: usize,
}

/// A value on its way through a path expression.
#[derive(Clone)]
pub(super) struct Place<'a> {
    /// What the expression sees.
    pub(super) value: Value<'a>,
    pub(super) path: Path<'a>,
    /// What the path leads to; a step needs it to be the value itself.
    pub(super) at: Value<'a>,
}

// === impl Path ===

impl<'a> Path<'a> {
    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |link| link.len)
    }

    pub(super) fn push(&self, key: Value<'a>) -> Path<'a> {
        Path(Some(Rc::new(Link {
            key,
            parent: self.clone(),
            len: self.len() + 1,
        })))
    }

    pub(super) fn to_items(&self) -> Vec<Value<'a>> {
        let mut keys = Vec::with_capacity(self.len());
        let mut path = self;
        while let Some(link) = &path.0 {
            keys.push(link.key.clone());
            path = &link.parent;
        }
        keys.reverse();
        keys
    }
}

impl Drop for Path<'_> {
    /// Long paths must not make the drop recurse.
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(link) = next {
            match Rc::try_unwrap(link) {
                Ok(mut link) => next = link.parent.0.take(),
                Err(_) => return,
            }
        }
    }
}

// === impl Place ===

impl<'a> Place<'a> {
    pub(super) fn root(value: Value<'a>) -> Place<'a> {
        Place {
            at: value.clone(),
            value,
            path: Path::default(),
        }
    }

    pub(super) fn is_intact(&self) -> bool {
        self.value.is_identical(&self.at)
    }

    pub(super) fn child(&self, key: Value<'a>, value: Value<'a>) -> Place<'a> {
        Place {
            at: value.clone(),
            value,
            path: self.path.push(key),
        }
    }
}
