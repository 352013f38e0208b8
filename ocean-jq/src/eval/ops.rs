//! Arithmetic and comparison operators on values.

use std::cmp::Ordering;
use std::rc::Rc;

use super::{Ctx, Res, Stop, type_error2};
use crate::syntax::ast::BinaryOp;
use crate::value::{Key, Kind, Map, Repr, Value};

impl<'a> Ctx<'a> {
    pub(crate) fn binary(&mut self, op: BinaryOp, left: Value<'a>, right: Value<'a>) -> Res<'a> {
        match op {
            BinaryOp::Add => self.add(left, right),
            BinaryOp::Subtract => self.subtract(left, right),
            BinaryOp::Multiply => self.multiply(left, right),
            BinaryOp::Divide => self.divide(left, right),
            BinaryOp::Modulo => modulo(&left, &right),
            BinaryOp::Equal => self.equal(&left, &right).map(Value::boolean),
            BinaryOp::NotEqual => self.equal(&left, &right).map(|same| Value::boolean(!same)),
            BinaryOp::Less => self.test(&left, &right, Ordering::is_lt),
            BinaryOp::LessOrEqual => self.test(&left, &right, Ordering::is_le),
            BinaryOp::Greater => self.test(&left, &right, Ordering::is_gt),
            BinaryOp::GreaterOrEqual => self.test(&left, &right, Ordering::is_ge),
            BinaryOp::Alternative => Ok(if left.is_truthy() { left } else { right }),
            BinaryOp::And => Ok(Value::boolean(left.is_truthy() && right.is_truthy())),
            BinaryOp::Or => Ok(Value::boolean(left.is_truthy() || right.is_truthy())),
        }
    }

    fn test(
        &mut self,
        left: &Value<'a>,
        right: &Value<'a>,
        holds: fn(Ordering) -> bool,
    ) -> Res<'a> {
        Ok(Value::boolean(holds(self.compare(left, right)?)))
    }

    /// `+`; grows its left side in place when nobody else holds it.
    pub(crate) fn add(&mut self, left: Value<'a>, right: Value<'a>) -> Res<'a> {
        if let (Some(left), Some(right)) = numbers(&left, &right) {
            return Ok(Value::number(left + right));
        }
        match (left.kind(), right.kind()) {
            (Kind::Null, _) => Ok(right),
            (_, Kind::Null) => Ok(left),
            (Kind::String, Kind::String) => self.concat(left, &right),
            (Kind::Array, Kind::Array) => self.append(left, right),
            (Kind::Object, Kind::Object) => self.merge_shallow(left, right),
            _ => Err(type_error2(&left, &right, "cannot be added")),
        }
    }

    fn concat(&mut self, left: Value<'a>, right: &Value<'a>) -> Res<'a> {
        let tail = right.as_str().unwrap_or_default();
        if tail.is_empty() {
            return Ok(left);
        }
        match left.0 {
            Repr::StrOwn(mut text) => {
                if let Some(own) = Rc::get_mut(&mut text) {
                    self.charge(tail.len())?;
                    own.push_str(tail);
                    return Ok(Value(Repr::StrOwn(text)));
                }
                self.charge(text.len())?;
                self.string([text.as_str(), tail].concat())
            }
            repr => {
                let left = Value(repr);
                let text = left.as_str().unwrap_or_default();
                if text.is_empty() {
                    return Ok(right.clone());
                }
                self.charge(text.len())?;
                self.string([text, tail].concat())
            }
        }
    }

    fn append(&mut self, left: Value<'a>, right: Value<'a>) -> Res<'a> {
        let (left_len, right_len) = (left.len().unwrap_or(0), right.len().unwrap_or(0));
        if right_len == 0 {
            return Ok(left);
        }
        if left_len == 0 {
            return Ok(right);
        }
        if let Repr::ArrOwn(mut cell) = left.0 {
            if let Some(own) = Rc::get_mut(&mut cell) {
                self.charge_items(right_len)?;
                own.items.extend(right.items());
                return Ok(Value(Repr::ArrOwn(cell)));
            }
            self.charge_items(left_len + right_len + 2)?;
            let items = cell.items.iter().cloned().chain(right.items());
            return Ok(Value::array(items.collect()));
        }
        self.charge_items(left_len + right_len + 2)?;
        Ok(Value::array(left.items().chain(right.items()).collect()))
    }

    fn merge_shallow(&mut self, mut left: Value<'a>, right: Value<'a>) -> Res<'a> {
        let right_len = right.len().unwrap_or(0);
        if right_len == 0 {
            return Ok(left);
        }
        self.charge(right_len * size_of::<(Key<'_>, Value<'_>)>())?;
        self.work(right_len / 4)?;
        if let Repr::ObjOwn(mut cell) = left.0 {
            if let Some(own) = Rc::get_mut(&mut cell) {
                own.map.extend(&right);
                return Ok(Value(Repr::ObjOwn(cell)));
            }
            left = Value(Repr::ObjOwn(cell));
        }
        let mut map = self.take_map(left)?;
        map.extend(&right);
        Ok(Value::object(map))
    }

    /// The entries to be changed; copied, and charged for, when somebody else holds them.
    pub(crate) fn take_map(&mut self, value: Value<'a>) -> Result<Map<'a>, Stop<'a>> {
        let in_place = matches!(&value.0, Repr::ObjOwn(cell) if Rc::strong_count(cell) == 1);
        if !in_place {
            let len = value.len().unwrap_or(0);
            self.charge(len * size_of::<(Key<'_>, Value<'_>)>() + 48)?;
            self.work(len / 4)?;
        }
        Ok(value.into_map())
    }

    pub(crate) fn subtract(&mut self, left: Value<'a>, right: Value<'a>) -> Res<'a> {
        if let (Some(left), Some(right)) = numbers(&left, &right) {
            return Ok(Value::number(left - right));
        }
        if (left.kind(), right.kind()) != (Kind::Array, Kind::Array) {
            return Err(type_error2(&left, &right, "cannot be subtracted"));
        }
        let mut kept = Vec::new();
        for item in left.items() {
            let mut found = false;
            for unwanted in right.items() {
                self.work(1)?;
                if self.equal(&item, &unwanted)? {
                    found = true;
                    break;
                }
            }
            if !found {
                kept.push(item);
            }
        }
        self.array(kept)
    }

    fn multiply(&mut self, left: Value<'a>, right: Value<'a>) -> Res<'a> {
        if let (Some(left), Some(right)) = numbers(&left, &right) {
            return Ok(Value::number(left * right));
        }
        match (left.kind(), right.kind()) {
            (Kind::String, Kind::Number) => self.repeat(&left, &right),
            (Kind::Number, Kind::String) => self.repeat(&right, &left),
            (Kind::Object, Kind::Object) => self.merge_deep(left, right),
            _ => Err(type_error2(&left, &right, "cannot be multiplied")),
        }
    }

    /// `"ab" * 3`; null for negative counts, whole repetitions only.
    fn repeat(&mut self, text: &Value<'a>, count: &Value<'a>) -> Res<'a> {
        let count = count.as_f64().unwrap_or(f64::NAN);
        if count < 0.0 || count.is_nan() {
            return Ok(Value::NULL);
        }
        let text = text.as_str().unwrap_or_default();
        let count = count.min(f64::from(i32::MAX)) as usize;
        let len = text.len().saturating_mul(count);
        if len >= i32::MAX as usize {
            return Err(Stop::message("Repeat string result too long"));
        }
        self.charge(len)?;
        Ok(Value::string(text.repeat(count)))
    }

    fn merge_deep(&mut self, left: Value<'a>, right: Value<'a>) -> Res<'a> {
        let mut map = self.take_map(left)?;
        for (key, value) in right.entries() {
            self.charge(size_of::<(Key<'_>, Value<'_>)>())?;
            self.work(1)?;
            match map.get_mut(&key) {
                Some(own) if own.kind() == Kind::Object && value.kind() == Kind::Object => {
                    let merged = std::mem::replace(own, Value::NULL);
                    let merged =
                        self.deeper("Object merge too deep", |ctx| ctx.merge_deep(merged, value))?;
                    if let Some(own) = map.get_mut(&key) {
                        *own = merged;
                    }
                }
                _ => map.insert(key, value),
            }
        }
        Ok(Value::object(map))
    }

    fn divide(&mut self, left: Value<'a>, right: Value<'a>) -> Res<'a> {
        if let (Some(dividend), Some(divisor)) = numbers(&left, &right) {
            if divisor == 0.0 {
                let problem = "cannot be divided because the divisor is zero";
                return Err(type_error2(&left, &right, problem));
            }
            return Ok(Value::number(dividend / divisor));
        }
        if (left.kind(), right.kind()) == (Kind::String, Kind::String) {
            return self.split(&left, &right);
        }
        Err(type_error2(&left, &right, "cannot be divided"))
    }
}

fn numbers(left: &Value<'_>, right: &Value<'_>) -> (Option<f64>, Option<f64>) {
    (left.as_f64(), right.as_f64())
}

/// `%` on whole numbers, cut towards zero.
fn modulo<'a>(left: &Value<'a>, right: &Value<'a>) -> Res<'a> {
    let (Some(dividend), Some(divisor)) = numbers(left, right) else {
        return Err(type_error2(left, right, "cannot be divided (remainder)"));
    };
    if dividend.is_nan() || divisor.is_nan() {
        return Ok(Value::number(f64::NAN));
    }
    // Conversions saturate, as the reference's do.
    let (dividend, divisor) = (dividend as i64, divisor as i64);
    if divisor == 0 {
        let problem = "cannot be divided (remainder) because the divisor is zero";
        return Err(type_error2(left, right, problem));
    }
    Ok(Value::number(dividend.wrapping_rem(divisor) as f64))
}
