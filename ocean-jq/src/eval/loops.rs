//! Builtins that go round: ranges, counting, `until`, `while`, `walk`, paths, combinations.

use super::{Ctx, Env, Flow, Out, Stop};
use crate::node::{Node, Special};
use crate::value::{Kind, Map, Value};

impl<'a> Ctx<'a> {
    pub(super) fn range(&mut self, from: &Value<'a>, to: &Value<'a>, out: Out<'_, 'a>) -> Flow<'a> {
        let (Some(mut at), Some(end)) = (from.as_f64(), to.as_f64()) else {
            return Err(Stop::message("Range bounds must be numeric"));
        };
        // The first output keeps the text of its literal.
        let mut next = from.clone();
        loop {
            if at >= end {
                return Ok(());
            }
            self.tick()?;
            out(self, next)?;
            at += 1.0;
            next = Value::number(at);
        }
    }

    pub(super) fn range_by(&mut self, bounds: &[Value<'a>], out: Out<'_, 'a>) -> Flow<'a> {
        let [from, to, by] = bounds else {
            return Ok(());
        };
        let zero = Value::number(0.0);
        let direction = self.compare(by, &zero)?;
        if direction.is_eq() {
            return Ok(());
        }
        let mut at = from.clone();
        // Any kinds that can be compared and added will do, as in the reference.
        while self.compare(&at, to)? == direction.reverse() {
            self.tick()?;
            out(self, at.clone())?;
            at = self.add(at, by.clone())?;
        }
        Ok(())
    }

    /// The count of `limit`, `skip` or `nth`; nothing when there is nothing to do.
    pub(super) fn check_count(
        &mut self,
        special: Special,
        count: &Value<'a>,
    ) -> Result<Option<f64>, Stop<'a>> {
        let zero = Value::number(0.0);
        let sign = self.compare(count, &zero)?;
        let is_zero = self.equal(count, &zero)?;
        match special {
            Special::Limit if is_zero => return Ok(None),
            Special::Limit if sign.is_lt() => {
                return Err(Stop::message("limit doesn't support negative count"));
            }
            Special::Skip if sign.is_lt() => {
                return Err(Stop::message("skip doesn't support negative count"));
            }
            Special::Nth if sign.is_lt() => {
                return Err(Stop::message("nth doesn't support negative indices"));
            }
            _ => {}
        }
        match count.as_f64() {
            Some(count) => Ok(Some(count)),
            // The reference finds out when it subtracts one.
            None => self
                .subtract(count.clone(), Value::number(1.0))
                .map(|_| None),
        }
    }

    pub(super) fn until(
        &mut self,
        test: &'a Node,
        step: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let mut value = input;
        // Plain loops as long as both filters have one output; else by recursion.
        while is_plain(test, step) {
            self.tick()?;
            if self.one(test, env, value.clone())?.is_truthy() {
                return out(self, value);
            }
            value = self.one(step, env, value)?;
        }
        self.tick()?;
        self.many(test, env, value.clone(), &mut |ctx, verdict| {
            if verdict.is_truthy() {
                return out(ctx, value.clone());
            }
            ctx.many(step, env, value.clone(), &mut |ctx, value| {
                ctx.until(test, step, env, value, out)
            })
        })
    }

    pub(super) fn while_true(
        &mut self,
        test: &'a Node,
        step: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let mut value = input;
        while is_plain(test, step) {
            self.tick()?;
            if !self.one(test, env, value.clone())?.is_truthy() {
                return Ok(());
            }
            out(self, value.clone())?;
            value = self.one(step, env, value)?;
        }
        self.tick()?;
        self.many(test, env, value.clone(), &mut |ctx, verdict| {
            if !verdict.is_truthy() {
                return Ok(());
            }
            out(ctx, value.clone())?;
            ctx.many(step, env, value.clone(), &mut |ctx, value| {
                ctx.while_true(test, step, env, value, out)
            })
        })
    }

    pub(super) fn paths_where(
        &mut self,
        test: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        self.paths_below(&input, &mut Vec::new(), test, env, out)
    }

    fn paths_below(
        &mut self,
        value: &Value<'a>,
        path: &mut Vec<Value<'a>>,
        test: &'a Node,
        env: &Env<'_, 'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        self.tick()?;
        self.many(test, env, value.clone(), &mut |ctx, verdict| {
            if !verdict.is_truthy() || path.is_empty() {
                return Ok(());
            }
            let path = ctx.array(path.clone())?;
            out(ctx, path)
        })?;
        for at in 0..value.len().unwrap_or(0) {
            let Some((key, item)) = keyed_item(value, at) else {
                continue;
            };
            path.push(key);
            let result = self.paths_below(&item, path, test, env, out);
            path.pop();
            result?;
        }
        Ok(())
    }

    pub(super) fn walk(
        &mut self,
        step: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        self.tick()?;
        let rebuilt = match input.kind() {
            Kind::Object => {
                let mut map = Map::with_capacity(input.len().unwrap_or(0));
                for (key, item) in input.entries() {
                    let mut first = None;
                    self.until_enough(|ctx, mark| {
                        ctx.walk(step, env, item, &mut |_, value| {
                            first = Some(value);
                            Err(Stop::enough(mark))
                        })
                    })?;
                    if let Some(value) = first {
                        map.push_unique(key, value);
                    }
                }
                self.object(map)?
            }
            Kind::Array => {
                let mut items = Vec::with_capacity(input.len().unwrap_or(0));
                for item in input.items() {
                    self.walk(step, env, item, &mut |ctx, value| {
                        ctx.charge_items(1)?;
                        items.push(value);
                        Ok(())
                    })?;
                }
                Value::array(items)
            }
            _ => input,
        };
        self.many(step, env, rebuilt, out)
    }

    /// Every way to take one item of each row.
    pub(super) fn combinations(
        &mut self,
        rows: &Value<'a>,
        at: usize,
        taken: Vec<Value<'a>>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        self.tick()?;
        let len = match rows.kind() {
            Kind::Array => rows.len().unwrap_or(0),
            _ => {
                // Whatever has a length of zero has one combination: none.
                let len = crate::builtins::core::length(self, rows.clone(), &mut [])?;
                if len.as_f64() == Some(0.0) {
                    0
                } else {
                    self.get(rows.clone(), &Value::number(0.0)).map(|_| 0)?
                }
            }
        };
        if at == len {
            let combination = self.array(taken)?;
            return out(self, combination);
        }
        let row = rows.get_index(at).unwrap_or(Value::NULL);
        self.iterate(false, row, &mut |ctx, item| {
            let mut taken = taken.clone();
            taken.push(item);
            ctx.charge_items(taken.len())?;
            ctx.combinations(rows, at + 1, taken, out)
        })
    }
}

/// Whether a loop over both filters needs no recursion.
fn is_plain(test: &Node, step: &Node) -> bool {
    test.single && step.single
}

/// The key or index of an item besides the item.
pub(super) fn keyed_item<'a>(value: &Value<'a>, at: usize) -> Option<(Value<'a>, Value<'a>)> {
    match value.entry_at(at) {
        Some((key, item)) => Some((key.into_value(), item)),
        None => value
            .item_at(at)
            .map(|item| (Value::number(at as f64), item)),
    }
}
