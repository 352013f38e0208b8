//! Builtins that make one value of many: sorting, grouping, sums, joins, indexes.

use super::{Ctx, Env, Flow, Out, Res, Stop};
use crate::node::Node;
use crate::value::{Key, Kind, Map, Value};

pub(super) const SORTED: &str = "cannot be sorted, as they are not both arrays";
pub(super) const ITERATED: &str = "cannot be iterated over";

impl<'a> Ctx<'a> {
    /// `any` looks for true, `all` for false.
    pub(super) fn quantify(
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

    pub(super) fn sum(&mut self, source: &'a Node, env: &Env<'_, 'a>, input: Value<'a>) -> Res<'a> {
        let mut total = Some(Value::NULL);
        self.many(source, env, input, &mut |ctx, value| {
            let before = total.take().unwrap_or(Value::NULL);
            total = Some(ctx.add(before, value)?);
            Ok(())
        })?;
        Ok(total.unwrap_or(Value::NULL))
    }

    /// The items of an array and the sort key of each.
    pub(super) fn keyed(
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

    pub(super) fn group_by(
        &mut self,
        key: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
    ) -> Res<'a> {
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

    pub(super) fn with_entries(
        &mut self,
        update: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
    ) -> Res<'a> {
        let entries = crate::builtins::collections::to_entries(self, input, &mut [])?;
        let mut updated = Vec::with_capacity(entries.len().unwrap_or(0));
        for entry in entries.items() {
            self.many(update, env, entry, &mut |ctx, value| {
                ctx.charge_items(1)?;
                updated.push(value);
                Ok(())
            })?;
        }
        crate::builtins::collections::from_entries(self, Value::array(updated), &mut [])
    }

    pub(super) fn index_by(
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
    pub(super) fn joined_rows(
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

    pub(super) fn join(
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
