//! Builtins that take filters.
//!
//! The reference defines most of them in its own language; here they are loops in Rust, which
//! costs neither frames nor steps for the plumbing. Outputs and errors come in the same order.

use super::folds::{ITERATED, SORTED};
use super::{Ctx, Env, Flow, Out, Res};
use crate::node::{Node, Special};
use crate::value::Value;

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
            (Special::Recurse, [step]) => self.walk_recurse(step, env, input, out),
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
            (Special::Last, [body]) => self.walk_last(body, env, input, out),
            (Special::Limit | Special::Skip | Special::Nth, _) => {
                self.walk_counted(special, args, env, input, out)
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
