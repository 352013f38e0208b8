//! Builtins that take filters.
//!
//! The reference defines most of them in its own language; here they are loops in Rust, which
//! costs neither frames nor steps for the plumbing. Outputs and errors come in the same order.

use super::{Ctx, Env, Flow, Out, Res, Stop};
use crate::node::{Node, Special};
use crate::value::{Key, Kind, Map, Value};

impl<'a> Ctx<'a> {
    /// Builtins with exactly one output.
    pub(super) fn special_single(
        &mut self,
        special: Special,
        args: &'a [Node],
        env: &Env<'_, 'a>,
        input: Value<'a>,
    ) -> Res<'a> {
        match (special, args) {
            (Special::IsEmpty, [body]) => {
                let first = self.first_of(body, env, input)?;
                Ok(Value::boolean(first.is_none()))
            }
            (Special::Any, [source, test]) => self.quantify(source, test, true, env, input),
            (Special::All, [source, test]) => self.quantify(source, test, false, env, input),
            (Special::Add, [source]) => self.sum(source, env, input),
            (Special::SortBy, [key]) => {
                let (items, keys) = self.keyed(key, env, input, SORTED)?;
                let order = self.sorted_order(&keys)?;
                let sorted = order.into_iter().map(|at| items[at].clone()).collect();
                self.array(sorted)
            }
            (Special::GroupBy, [key]) => self.group_by(key, env, input),
            (Special::UniqueBy, [key]) => {
                let (items, keys) = self.keyed(key, env, input, SORTED)?;
                self.unique(&items, &keys)
            }
            (Special::MinBy | Special::MaxBy, [key]) => {
                let (items, keys) = self.keyed(key, env, input, ITERATED)?;
                self.extreme(&items, &keys, special == Special::MinBy)
            }
            (Special::Del, [paths]) => {
                let mut doomed = Vec::new();
                self.each_path(paths, env, input.clone(), &mut |ctx, path| {
                    ctx.charge_items(1)?;
                    doomed.push(path);
                    Ok(())
                })?;
                let doomed = self.array(doomed)?;
                self.delpaths(input, &doomed)
            }
            (Special::Pick, [paths]) => {
                let mut picked = Some(Value::NULL);
                self.each_path(paths, env, input.clone(), &mut |ctx, path| {
                    let value = ctx.getpath(input.clone(), &path)?;
                    let before = picked.take().unwrap_or(Value::NULL);
                    picked = Some(ctx.setpath(before, &path, value)?);
                    Ok(())
                })?;
                Ok(picked.unwrap_or(Value::NULL))
            }
            (Special::WithEntries, [update]) => self.with_entries(update, env, input),
            (Special::Index, [source, key]) => self.index_by(source, key, env, input),
            (Special::Join, [lookup, key]) => {
                let lookup = self.one(lookup, env, input.clone())?;
                let mut rows = Vec::new();
                self.iterate(false, input, &mut |ctx, row| {
                    ctx.joined_rows(&lookup, row, key, env, &mut |ctx, pair| {
                        ctx.charge_items(1)?;
                        rows.push(pair);
                        Ok(())
                    })
                })?;
                self.array(rows)
            }
            (Special::GetPath, [path]) => {
                let path = self.one(path, env, input.clone())?;
                self.getpath(input, &path)
            }
            _ => Ok(Value::NULL),
        }
    }

    /// Builtins with any number of outputs.
    pub(super) fn special(
        &mut self,
        special: Special,
        args: &'a [Node],
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        match (special, args) {
            (Special::Empty, _) => Ok(()),
            (Special::Path, [body]) => self.each_path(body, env, input, out),
            (Special::Recurse, [step]) => self.recurse(step, env, input, out),
            (Special::Range, [from, to]) => {
                self.many(from, env, input.clone(), &mut |ctx, from| {
                    ctx.many(to, env, input.clone(), &mut |ctx, to| {
                        ctx.range(&from, &to, out)
                    })
                })
            }
            (Special::RangeBy, [_, _, _]) => {
                let mut values = vec![Value::NULL; 3];
                self.cartesian(
                    args,
                    true,
                    0,
                    &mut values,
                    env,
                    &input,
                    &mut |ctx, values| ctx.range_by(values, out),
                )
            }
            (Special::First, [body]) => match self.first_of(body, env, input)? {
                Some(value) => out(self, value),
                None => Ok(()),
            },
            (Special::Last, [body]) => {
                let mut last = None;
                self.many(body, env, input, &mut |_, value| {
                    last = Some(value);
                    Ok(())
                })?;
                match last {
                    Some(value) => out(self, value),
                    None => Ok(()),
                }
            }
            (Special::Limit | Special::Skip | Special::Nth, [count, body]) => {
                self.many(count, env, input.clone(), &mut |ctx, count| {
                    ctx.counted(special, &count, body, env, input.clone(), out)
                })
            }
            (Special::Until, [test, step]) => self.until(test, step, env, input, out),
            (Special::While, [test, step]) => self.while_true(test, step, env, input, out),
            (Special::Repeat, [step]) => loop {
                self.tick()?;
                self.many(step, env, input.clone(), out)?;
            },
            (Special::Paths, [test]) => self.paths_where(test, env, input, out),
            (Special::Walk, [step]) => self.walk(step, env, input, out),
            (Special::In | Special::Inside, [source]) => {
                self.many(source, env, input.clone(), &mut |ctx, container| {
                    let verdict = match special {
                        Special::In => ctx.has(&container, &input)?,
                        _ => ctx.check_contains(&container, &input)?,
                    };
                    out(ctx, verdict)
                })
            }
            (Special::Join, [lookup, rest @ ..]) => {
                self.many(lookup, env, input.clone(), &mut |ctx, lookup| {
                    ctx.join(&lookup, rest, env, input.clone(), out)
                })
            }
            (Special::Combinations, []) => self.combinations(&input, 0, Vec::new(), out),
            (Special::Combinations, [count]) => {
                self.many(count, env, input.clone(), &mut |ctx, count| {
                    let count = count.as_f64().unwrap_or(0.0).max(0.0).ceil() as usize;
                    ctx.charge_items(count)?;
                    let rows = Value::array(vec![input.clone(); count]);
                    ctx.combinations(&rows, 0, Vec::new(), out)
                })
            }
            (Special::ToStream, _) => self.stream_events(&input, &mut Vec::new(), out),
            (Special::FromStream, [source]) => self.rebuild_stream(source, env, input, out),
            (Special::TruncateStream, [source]) => self.truncate_stream(source, env, input, out),
            (Special::GetPath, [path]) => self.many(path, env, input.clone(), &mut |ctx, path| {
                let value = ctx.getpath(input.clone(), &path)?;
                out(ctx, value)
            }),
            _ => Ok(()),
        }
    }
}

// === Loops ===

impl<'a> Ctx<'a> {
    fn recurse(
        &mut self,
        step: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        self.tick()?;
        out(self, input.clone())?;
        self.many(step, env, input, &mut |ctx, value| {
            ctx.recurse(step, env, value, out)
        })
    }

    fn range(&mut self, from: &Value<'a>, to: &Value<'a>, out: Out<'_, 'a>) -> Flow<'a> {
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

    fn range_by(&mut self, bounds: &[Value<'a>], out: Out<'_, 'a>) -> Flow<'a> {
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

    fn counted(
        &mut self,
        special: Special,
        count: &Value<'a>,
        body: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let Some(mut left) = self.check_count(special, count)? else {
            return Ok(());
        };
        match special {
            Special::Limit => self.until_enough(|ctx, mark| {
                ctx.many(body, env, input, &mut |ctx, value| {
                    left -= 1.0;
                    out(ctx, value)?;
                    if left <= 0.0 {
                        Err(Stop::enough(mark))
                    } else {
                        Ok(())
                    }
                })
            }),
            Special::Skip => self.many(body, env, input, &mut |ctx, value| {
                left -= 1.0;
                if left < 0.0 { out(ctx, value) } else { Ok(()) }
            }),
            _ => self.until_enough(|ctx, mark| {
                ctx.many(body, env, input, &mut |ctx, value| {
                    left -= 1.0;
                    if left >= 0.0 {
                        return Ok(());
                    }
                    out(ctx, value)?;
                    Err(Stop::enough(mark))
                })
            }),
        }
    }

    fn until(
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

    fn while_true(
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

    fn paths_where(
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

    fn walk(
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
    fn combinations(
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
fn keyed_item<'a>(value: &Value<'a>, at: usize) -> Option<(Value<'a>, Value<'a>)> {
    match value.entry_at(at) {
        Some((key, item)) => Some((key.into_value(), item)),
        None => value
            .item_at(at)
            .map(|item| (Value::number(at as f64), item)),
    }
}

// === Folds ===

const SORTED: &str = "cannot be sorted, as they are not both arrays";
const ITERATED: &str = "cannot be iterated over";

impl<'a> Ctx<'a> {
    /// `any` looks for true, `all` for false.
    fn quantify(
        &mut self,
        source: &'a Node,
        test: &'a Node,
        looks_for: bool,
        env: &Env<'_, 'a>,
        input: Value<'a>,
    ) -> Res<'a> {
        let mut found = false;
        self.until_enough(|ctx, mark| {
            ctx.many(source, env, input, &mut |ctx, value| {
                ctx.many(test, env, value, &mut |_, verdict| {
                    if verdict.is_truthy() != looks_for {
                        return Ok(());
                    }
                    found = true;
                    Err(Stop::enough(mark))
                })
            })
        })?;
        Ok(Value::boolean(found == looks_for))
    }

    fn sum(&mut self, source: &'a Node, env: &Env<'_, 'a>, input: Value<'a>) -> Res<'a> {
        let mut total = Some(Value::NULL);
        self.many(source, env, input, &mut |ctx, value| {
            let before = total.take().unwrap_or(Value::NULL);
            total = Some(ctx.add(before, value)?);
            Ok(())
        })?;
        Ok(total.unwrap_or(Value::NULL))
    }

    /// The items of an array and the sort key of each.
    fn keyed(
        &mut self,
        key: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        problem: &str,
    ) -> Result<(Vec<Value<'a>>, Vec<Value<'a>>), Stop<'a>> {
        let mut keys = Vec::with_capacity(input.len().unwrap_or(0));
        self.iterate(false, input.clone(), &mut |ctx, item| {
            // A key of several outputs sorts as their array; one output sorts the same bare.
            keys.push(if key.single {
                ctx.one(key, env, item)?
            } else {
                let outputs = ctx.collect(key, env, item)?;
                ctx.array(outputs)?
            });
            ctx.charge_items(1)
        })?;
        if input.kind() != Kind::Array {
            // The message shows the keys as the reference has them: arrays of outputs.
            let shown = |value| {
                if key.single {
                    Value::array(vec![value])
                } else {
                    value
                }
            };
            let keys = Value::array(keys.into_iter().take(32).map(shown).collect());
            return Err(super::type_error2(&input, &keys, problem));
        }
        Ok((input.items().collect(), keys))
    }

    fn group_by(&mut self, key: &'a Node, env: &Env<'_, 'a>, input: Value<'a>) -> Res<'a> {
        let (items, keys) = self.keyed(key, env, input, SORTED)?;
        let order = self.sorted_order(&keys)?;
        let mut groups = Vec::new();
        let mut group: Vec<Value<'a>> = Vec::new();
        let mut leader = None;
        for at in order {
            let same = match leader {
                Some(leader) => self.equal(&keys[leader], &keys[at])?,
                None => true,
            };
            if !same {
                groups.push(self.array(std::mem::take(&mut group))?);
            }
            if !same || leader.is_none() {
                leader = Some(at);
            }
            group.push(items[at].clone());
        }
        if leader.is_some() {
            groups.push(self.array(group)?);
        }
        self.array(groups)
    }

    /// The first item of each run of equal keys, in order of the keys.
    pub(crate) fn unique(&mut self, items: &[Value<'a>], keys: &[Value<'a>]) -> Res<'a> {
        let mut kept = Vec::new();
        let mut leader: Option<usize> = None;
        for at in self.sorted_order(keys)? {
            if let Some(leader) = leader
                && self.equal(&keys[leader], &keys[at])?
            {
                continue;
            }
            leader = Some(at);
            kept.push(items[at].clone());
        }
        self.array(kept)
    }

    /// The least item, or the greatest; among equals the first least and the last greatest.
    pub(crate) fn extreme(
        &mut self,
        items: &[Value<'a>],
        keys: &[Value<'a>],
        least: bool,
    ) -> Res<'a> {
        let mut best = 0;
        for at in 1..items.len() {
            self.work(1)?;
            if self.compare(&keys[at], &keys[best])?.is_lt() == least {
                best = at;
            }
        }
        Ok(items.get(best).cloned().unwrap_or(Value::NULL))
    }

    fn with_entries(&mut self, update: &'a Node, env: &Env<'_, 'a>, input: Value<'a>) -> Res<'a> {
        let entries = crate::builtins::core::to_entries(self, input, &mut [])?;
        let mut updated = Vec::with_capacity(entries.len().unwrap_or(0));
        for entry in entries.items() {
            self.many(update, env, entry, &mut |ctx, value| {
                ctx.charge_items(1)?;
                updated.push(value);
                Ok(())
            })?;
        }
        crate::builtins::core::from_entries(self, Value::array(updated), &mut [])
    }

    fn index_by(
        &mut self,
        source: &'a Node,
        key: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
    ) -> Res<'a> {
        let mut map = Map::default();
        self.many(source, env, input, &mut |ctx, row| {
            ctx.many(key, env, row.clone(), &mut |ctx, key| {
                let key = ctx.text_of(key)?;
                ctx.charge(size_of::<(Key<'_>, Value<'_>)>())?;
                map.insert(super::one::object_key(&key)?, row.clone());
                Ok(())
            })
        })?;
        Ok(Value::object(map))
    }

    /// Pairs of a row and what the lookup has for it.
    fn joined_rows(
        &mut self,
        lookup: &Value<'a>,
        row: Value<'a>,
        key: &'a Node,
        env: &Env<'_, 'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        self.many(key, env, row.clone(), &mut |ctx, key| {
            let found = ctx.get(lookup.clone(), &key)?;
            let pair = ctx.array(vec![row.clone(), found])?;
            out(ctx, pair)
        })
    }

    fn join(
        &mut self,
        lookup: &Value<'a>,
        rest: &'a [Node],
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        match rest {
            [key] => {
                let mut rows = Vec::new();
                self.iterate(false, input, &mut |ctx, row| {
                    ctx.joined_rows(lookup, row, key, env, &mut |ctx, pair| {
                        ctx.charge_items(1)?;
                        rows.push(pair);
                        Ok(())
                    })
                })?;
                let rows = self.array(rows)?;
                out(self, rows)
            }
            [source, key] => self.many(source, env, input, &mut |ctx, row| {
                ctx.joined_rows(lookup, row, key, env, out)
            }),
            [source, key, joined] => self.many(source, env, input, &mut |ctx, row| {
                ctx.joined_rows(lookup, row, key, env, &mut |ctx, pair| {
                    ctx.many(joined, env, pair, out)
                })
            }),
            _ => Ok(()),
        }
    }
}

// === Streams ===

impl<'a> Ctx<'a> {
    fn stream_events(
        &mut self,
        value: &Value<'a>,
        path: &mut Vec<Value<'a>>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        self.tick()?;
        let len = value.len().unwrap_or(0);
        if len == 0 {
            let path = self.array(path.clone())?;
            let event = self.array(vec![path, value.clone()])?;
            return out(self, event);
        }
        let mut last = None;
        for at in 0..len {
            let Some((key, item)) = keyed_item(value, at) else {
                continue;
            };
            last = Some(key.clone());
            path.push(key);
            let result = self.stream_events(&item, path, out);
            path.pop();
            result?;
        }
        if let Some(key) = last {
            let mut closing = path.clone();
            closing.push(key);
            let closing = self.array(closing)?;
            let event = self.array(vec![closing])?;
            out(self, event)?;
        }
        Ok(())
    }

    fn rebuild_stream(
        &mut self,
        source: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let mut built = Some(Value::NULL);
        self.many(source, env, input, &mut |ctx, event| {
            let path = ctx.get(event.clone(), &Value::number(0.0))?;
            let depth = crate::builtins::core::length(ctx, path.clone(), &mut [])?.as_f64();
            let is_leaf =
                crate::builtins::core::length(ctx, event.clone(), &mut [])?.as_f64() == Some(2.0);
            if is_leaf {
                let leaf = ctx.get(event, &Value::number(1.0))?;
                let before = built.take().unwrap_or(Value::NULL);
                built = Some(ctx.setpath(before, &path, leaf)?);
            }
            let complete = if is_leaf {
                depth == Some(0.0)
            } else {
                depth == Some(1.0)
            };
            if complete {
                let value = built.replace(Value::NULL).unwrap_or(Value::NULL);
                return out(ctx, value);
            }
            Ok(())
        })
    }

    fn truncate_stream(
        &mut self,
        source: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        // The input is the depth; the source itself sees null.
        self.many(source, env, Value::NULL, &mut |ctx, event| {
            let zero = Value::number(0.0);
            let path = ctx.get(event.clone(), &zero)?;
            let depth = crate::builtins::core::length(ctx, path.clone(), &mut [])?;
            if !ctx.compare(&depth, &input)?.is_gt() {
                return Ok(());
            }
            let rest = ctx.slice(path, &input, &Value::NULL)?;
            let truncated = ctx.set(event, &zero, rest)?;
            out(ctx, truncated)
        })
    }
}
