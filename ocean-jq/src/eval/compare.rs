//! jq's total order, equality, containment and sorting, all of them accounted for.

use std::cmp::Ordering;

use super::{Ctx, Flow, Res, Stop, type_error2};
use crate::number;
use crate::value::{Key, Kind, Repr, Value};

/// Levels that the reference compares before it gives up.
const MAX_DEPTH: usize = 10_000;

impl<'a> Ctx<'a> {
    /// jq's order: null, false, true, numbers, strings, arrays, objects.
    pub(crate) fn compare(
        &mut self,
        left: &Value<'a>,
        right: &Value<'a>,
    ) -> Result<Ordering, Stop<'a>> {
        match (&left.0, &right.0) {
            (Repr::Num(left), Repr::Num(right)) => return Ok(compare_doubles(*left, *right)),
            (Repr::StrRef(left), Repr::StrRef(right)) => return Ok(left.cmp(right)),
            _ => {}
        }
        let order = rank(left).cmp(&rank(right));
        if order != Ordering::Equal {
            return Ok(order);
        }
        match left.kind() {
            Kind::Null | Kind::Boolean => Ok(Ordering::Equal),
            Kind::Number => Ok(compare_numbers(left, right)),
            Kind::String => Ok(left.as_str().cmp(&right.as_str())),
            Kind::Array => {
                self.deeper("Comparison too deep", |ctx| ctx.compare_arrays(left, right))
            }
            Kind::Object => self.deeper("Comparison too deep", |ctx| {
                ctx.compare_objects(left, right)
            }),
        }
    }

    fn compare_arrays(
        &mut self,
        left: &Value<'a>,
        right: &Value<'a>,
    ) -> Result<Ordering, Stop<'a>> {
        let (left_len, right_len) = (left.len().unwrap_or(0), right.len().unwrap_or(0));
        for at in 0..left_len.min(right_len) {
            if let (Some(left), Some(right)) = (left.get_index(at), right.get_index(at)) {
                self.work(1)?;
                let order = self.compare(&left, &right)?;
                if order != Ordering::Equal {
                    return Ok(order);
                }
            }
        }
        Ok(left_len.cmp(&right_len))
    }

    /// Objects compare by their sorted keys first, then by the values in that order.
    fn compare_objects(
        &mut self,
        left: &Value<'a>,
        right: &Value<'a>,
    ) -> Result<Ordering, Stop<'a>> {
        let (left_keys, right_keys) = (self.sorted_keys(left)?, self.sorted_keys(right)?);
        let by_keys = left_keys
            .iter()
            .map(|key| &**key)
            .cmp(right_keys.iter().map(|key| &**key));
        if by_keys != Ordering::Equal {
            return Ok(by_keys);
        }
        for key in &left_keys {
            if let (Some(left), Some(right)) = (left.get(key), right.get(key)) {
                self.work(1)?;
                let order = self.compare(&left, &right)?;
                if order != Ordering::Equal {
                    return Ok(order);
                }
            }
        }
        Ok(Ordering::Equal)
    }

    pub(crate) fn sorted_keys(&mut self, object: &Value<'a>) -> Result<Vec<Key<'a>>, Stop<'a>> {
        let mut keys: Vec<Key<'a>> = object.entries().map(|(key, _)| key).collect();
        self.charge_items(keys.len())?;
        self.work(keys.len())?;
        keys.sort_unstable_by(|left, right| left.as_bytes().cmp(right.as_bytes()));
        Ok(keys)
    }

    /// jq's `==`; unlike the order it needs no sorted keys.
    pub(crate) fn equal(&mut self, left: &Value<'a>, right: &Value<'a>) -> Result<bool, Stop<'a>> {
        match (left.kind(), right.kind()) {
            (Kind::Null, Kind::Null) => Ok(true),
            (Kind::Boolean, Kind::Boolean) => Ok(left.as_bool() == right.as_bool()),
            (Kind::Number, Kind::Number) => Ok(equal_numbers(left, right)),
            (Kind::String, Kind::String) => Ok(left.as_str() == right.as_str()),
            (Kind::Array, Kind::Array) => self.deeper("Equality check too deep", |ctx| {
                ctx.equal_arrays(left, right)
            }),
            (Kind::Object, Kind::Object) => self.deeper("Equality check too deep", |ctx| {
                ctx.equal_objects(left, right)
            }),
            _ => Ok(false),
        }
    }

    fn equal_arrays(&mut self, left: &Value<'a>, right: &Value<'a>) -> Result<bool, Stop<'a>> {
        if left.len() != right.len() {
            return Ok(false);
        }
        for (left, right) in left.items().zip(right.items()) {
            self.work(1)?;
            if !self.equal(&left, &right)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn equal_objects(&mut self, left: &Value<'a>, right: &Value<'a>) -> Result<bool, Stop<'a>> {
        if left.len() != right.len() {
            return Ok(false);
        }
        for (key, left) in left.entries() {
            self.work(1)?;
            match right.get(&key) {
                Some(right) if self.equal(&left, &right)? => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Runs one level further down, within the reference's depth and the stack.
    pub(crate) fn deeper<T>(
        &mut self,
        problem: &str,
        run: impl FnOnce(&mut Ctx<'a>) -> Result<T, Stop<'a>>,
    ) -> Result<T, Stop<'a>> {
        self.tick()?;
        if self.depth > MAX_DEPTH {
            return Err(Stop::message(problem));
        }
        self.depth += 1;
        let result = run(self);
        self.depth -= 1;
        result
    }

    /// `contains`, for values of one kind.
    pub(crate) fn contains(
        &mut self,
        outer: &Value<'a>,
        inner: &Value<'a>,
    ) -> Result<bool, Stop<'a>> {
        self.deeper("Containment check too deep", |ctx| {
            ctx.contains_below(outer, inner)
        })
    }

    fn contains_below(&mut self, outer: &Value<'a>, inner: &Value<'a>) -> Result<bool, Stop<'a>> {
        if outer.kind() != inner.kind() {
            // Inside containers different kinds are just different.
            return Ok(false);
        }
        match outer.kind() {
            Kind::String => {
                let (outer, inner) = (outer.as_str(), inner.as_str());
                let (outer, inner) = (outer.unwrap_or_default(), inner.unwrap_or_default());
                self.work(outer.len() / 64)?;
                Ok(outer.contains(inner))
            }
            Kind::Array => {
                for wanted in inner.items() {
                    let mut found = false;
                    for candidate in outer.items() {
                        self.work(1)?;
                        if self.contains(&candidate, &wanted)? {
                            found = true;
                            break;
                        }
                    }
                    if !found {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Kind::Object => {
                for (key, wanted) in inner.entries() {
                    match outer.get(&key) {
                        Some(candidate) if self.contains(&candidate, &wanted)? => {}
                        _ => return Ok(false),
                    }
                }
                Ok(true)
            }
            _ => self.equal(outer, inner),
        }
    }

    pub(crate) fn check_contains(&mut self, outer: &Value<'a>, inner: &Value<'a>) -> Res<'a> {
        // The reference knows `true` and `false` as kinds of their own.
        let same_kind = outer.kind() == inner.kind()
            && (outer.kind() != Kind::Boolean || outer.as_bool() == inner.as_bool());
        if !same_kind {
            return Err(type_error2(
                outer,
                inner,
                "cannot have their containment checked",
            ));
        }
        self.contains(outer, inner).map(Value::boolean)
    }

    /// Sorts values.
    pub(crate) fn sort(&mut self, items: Vec<Value<'a>>) -> Result<Vec<Value<'a>>, Stop<'a>> {
        let order = self.sorted_order(&items)?;
        self.charge_items(items.len())?;
        Ok(order.into_iter().map(|at| items[at].clone()).collect())
    }

    /// The positions of the keys in sorted order; equal keys keep theirs.
    ///
    /// A merge sort of our own, because the comparison can fail: the standard sort has no way to
    /// stop, and panics when a comparison that has given up contradicts itself.
    pub(crate) fn sorted_order(&mut self, keys: &[Value<'a>]) -> Result<Vec<usize>, Stop<'a>> {
        let mut order: Vec<usize> = (0..keys.len()).collect();
        let mut merged = order.clone();
        self.charge_items(keys.len())?;
        let mut width = 1;
        while width < order.len() {
            for start in (0..order.len()).step_by(2 * width) {
                let middle = (start + width).min(order.len());
                let end = (start + 2 * width).min(order.len());
                self.merge(
                    keys,
                    &order[start..end],
                    middle - start,
                    &mut merged[start..end],
                )?;
            }
            std::mem::swap(&mut order, &mut merged);
            width *= 2;
        }
        Ok(order)
    }

    fn merge(
        &mut self,
        keys: &[Value<'a>],
        runs: &[usize],
        middle: usize,
        merged: &mut [usize],
    ) -> Flow<'a> {
        self.work(runs.len())?;
        let (left, right) = runs.split_at(middle);
        let in_order = match (left.last(), right.first()) {
            (Some(&last), Some(&first)) => {
                self.sort_order(&keys[last], &keys[first])? != Ordering::Greater
            }
            _ => true,
        };
        if in_order {
            merged.copy_from_slice(runs);
            return Ok(());
        }
        let (mut at_left, mut at_right) = (0, 0);
        for slot in merged {
            let take_right = at_left == left.len()
                || at_right < right.len()
                    && self.sort_order(&keys[left[at_left]], &keys[right[at_right]])?
                        == Ordering::Greater;
            if take_right {
                *slot = right[at_right];
                at_right += 1;
            } else {
                *slot = left[at_left];
                at_left += 1;
            }
        }
        Ok(())
    }

    /// The order for sorting, in which a NaN equals itself.
    fn sort_order(&mut self, left: &Value<'a>, right: &Value<'a>) -> Result<Ordering, Stop<'a>> {
        let both_nan = |value: &Value<'a>| value.as_f64().is_some_and(f64::is_nan);
        if both_nan(left) && both_nan(right) {
            return Ok(Ordering::Equal);
        }
        self.compare(left, right)
    }
}

fn rank(value: &Value<'_>) -> u8 {
    match value.kind() {
        Kind::Null => 0,
        Kind::Boolean => 1 + u8::from(value.as_bool() == Some(true)),
        Kind::Number => 3,
        Kind::String => 4,
        Kind::Array => 5,
        Kind::Object => 6,
    }
}

/// NaN sorts below every number, itself included.
fn compare_doubles(left: f64, right: f64) -> Ordering {
    match left.partial_cmp(&right) {
        Some(order) => order,
        None if left.is_nan() => Ordering::Less,
        None => Ordering::Greater,
    }
}

fn compare_numbers(left: &Value<'_>, right: &Value<'_>) -> Ordering {
    match (left.literal_text(), right.literal_text()) {
        (Some(left), Some(right)) => number::cmp_literals(left, right),
        _ => compare_doubles(
            left.as_f64().unwrap_or(f64::NAN),
            right.as_f64().unwrap_or(f64::NAN),
        ),
    }
}

fn equal_numbers(left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left.literal_text(), right.literal_text()) {
        (Some(left), Some(right)) => number::cmp_literals(left, right) == Ordering::Equal,
        _ => left.as_f64() == right.as_f64(),
    }
}
