//! Generators: outputs are pushed into a callback, in the reference's order.

use super::bindings::break_error;
use super::one::object_key;
use super::{Ctx, Env, Flow, Out, Stop};
use crate::node::{Node, Op, Piece};
use crate::value::{Map, Repr, Value};

impl<'a> Ctx<'a> {
    /// Pushes every output of a node.
    pub(crate) fn many(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        if node.single {
            let value = self.one(node, env, input)?;
            return out(self, value);
        }
        self.tick()?;
        match &node.op {
            Op::Pipe(parts) => self.pipe_many(parts, env, input, out),
            Op::Comma(parts) => {
                for part in parts {
                    self.many(part, env, input.clone(), out)?;
                }
                Ok(())
            }
            Op::Iterate { optional } => self.iterate(*optional, input, out),
            Op::Path(steps) => match self.walk_optional_steps(steps, input)? {
                Some(value) => out(self, value),
                None => Ok(()),
            },
            Op::If { test, .. } if test.single => {
                let branch = self.chosen(node, env, &input)?;
                self.many(branch, env, input, out)
            }
            Op::If { .. } => self.walk_if(node, env, input, out),
            Op::Alternative(left, right) => self.walk_alternative(left, right, env, input, out),
            Op::Try { body, handler } => self.walk_try(body, handler.as_deref(), env, input, out),
            Op::Index { .. } | Op::Slice { .. } => self.many_index(node, env, input, out),
            Op::Binary { .. } => self.many_binary(node, env, input, out),
            Op::And(left, right) => self.many_logic(left, right, false, env, input, out),
            Op::Or(left, right) => self.many_logic(left, right, true, env, input, out),
            Op::Object(entries) => {
                self.many_object(entries, Map::with_capacity(entries.len()), env, &input, out)
            }
            Op::Interpolate { .. } => self.many_interpolate(node, env, &input, out),
            Op::Call { .. } => self.walk_call(node, env, input, out),
            Op::Arg { hops, index } => self.walk_arg(*hops, *index, env, input, out),
            Op::Bind { .. } => self.walk_bind(node, env, input, out),
            Op::Reduce { .. } => self.many_reduce(node, env, input, out),
            Op::Foreach { .. } => self.walk_foreach(node, env, input, out),
            Op::Label(body) => self.walk_label(body, env, input, out),
            Op::Break { hops } => Err(break_error(env.label(*hops))),
            Op::Native { .. } => self.many_native(node, env, input, out),
            Op::Assign { .. } | Op::UpdateWith { .. } => self.many_update(node, env, input, out),
            Op::Special(special, args) => self.special(*special, args, env, input, out),
            Op::Substitute { .. } => self.many_substitute(node, env, input, out),
            Op::Regex { .. } => self.many_regex(node, env, input, out),
            // Nodes that the compiler always marks as single.
            Op::Identity | Op::Const(_) | Op::Var { .. } | Op::Collect(_) | Op::Modify { .. } => {
                Ok(())
            }
        }
    }

    pub(super) fn pipe_many(
        &mut self,
        parts: &'a [Node],
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let mut value = input;
        let mut parts = parts.iter();
        while let Some(part) = parts.next() {
            let part = self.chosen(part, env, &value)?;
            if part.is_identity() {
                continue;
            }
            if part.single {
                value = self.one(part, env, value)?;
                continue;
            }
            let rest = parts.as_slice();
            if rest.is_empty() {
                return self.many(part, env, value, out);
            }
            return self.many(part, env, value, &mut |ctx, value| {
                ctx.pipe_many(rest, env, value, out)
            });
        }
        out(self, value)
    }

    pub(super) fn iterate(
        &mut self,
        optional: bool,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        if let Repr::ArrRef(document, array) = input.0 {
            for item in document.item_nodes(array) {
                self.work(1)?;
                out(self, document.value(item))?;
            }
            return Ok(());
        }
        let Some(len) = input.len() else {
            if optional {
                return Ok(());
            }
            return Err(Stop::message(format!(
                "Cannot iterate over {}",
                super::describe(&input)
            )));
        };
        for at in 0..len {
            self.work(1)?;
            if let Some(item) = input.item_at(at) {
                out(self, item)?;
            }
        }
        Ok(())
    }

    /// The branch that a test with one outcome leads to, as in `select`; else the node itself.
    #[inline]
    fn chosen(
        &mut self,
        mut node: &'a Node,
        env: &Env<'_, 'a>,
        input: &Value<'a>,
    ) -> Result<&'a Node, Stop<'a>> {
        while let Op::If {
            test,
            then,
            otherwise,
        } = &node.op
            && test.single
        {
            self.tick()?;
            let verdict = self.one(test, env, input.clone())?.is_truthy();
            node = if verdict { then } else { otherwise };
        }
        Ok(node)
    }

    #[inline(never)]
    fn many_index(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        match &node.op {
            Op::Index {
                target,
                key,
                optional,
            } => self.many(key, env, input.clone(), &mut |ctx, key| {
                ctx.many(target, env, input.clone(), &mut |ctx, target| {
                    let result = ctx.get(target, &key);
                    ctx.emit(result, *optional, out)
                })
            }),
            Op::Slice {
                target,
                from,
                to,
                optional,
            } => self.many(from, env, input.clone(), &mut |ctx, from| {
                ctx.many(to, env, input.clone(), &mut |ctx, to| {
                    ctx.many(target, env, input.clone(), &mut |ctx, target| {
                        let result = ctx.slice(target, &from, &to);
                        ctx.emit(result, *optional, out)
                    })
                })
            }),
            _ => Ok(()),
        }
    }

    /// Pushes a result; an optional step swallows its error.
    fn emit(&mut self, result: super::Res<'a>, optional: bool, out: Out<'_, 'a>) -> Flow<'a> {
        match result {
            Ok(value) => out(self, value),
            Err(stop) if optional && stop.is_error() => Ok(()),
            Err(stop) => Err(stop),
        }
    }

    #[inline(never)]
    fn many_binary(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let Op::Binary { op, left, right } = &node.op else {
            return Ok(());
        };
        self.many(right, env, input.clone(), &mut |ctx, right| {
            if left.single {
                let left = ctx.one(left, env, input.clone())?;
                let value = ctx.binary(*op, left, right)?;
                return out(ctx, value);
            }
            ctx.many(left, env, input.clone(), &mut |ctx, left| {
                let value = ctx.binary(*op, left, right.clone())?;
                out(ctx, value)
            })
        })
    }

    /// `and` stops at false, `or` stops at true.
    #[inline(never)]
    fn many_logic(
        &mut self,
        left: &'a Node,
        right: &'a Node,
        stops_at: bool,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        self.many(left, env, input.clone(), &mut |ctx, verdict| {
            if verdict.is_truthy() == stops_at {
                return out(ctx, Value::boolean(stops_at));
            }
            ctx.many(right, env, input.clone(), &mut |ctx, verdict| {
                out(ctx, Value::boolean(verdict.is_truthy()))
            })
        })
    }

    fn many_object(
        &mut self,
        entries: &'a [(Node, Option<Node>)],
        map: Map<'a>,
        env: &Env<'_, 'a>,
        input: &Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let Some(((key, value), rest)) = entries.split_first() else {
            let object = self.object(map)?;
            return out(self, object);
        };
        self.check_stack()?;
        self.many(key, env, input.clone(), &mut |ctx, key| {
            let mut with_value = |ctx: &mut Ctx<'a>, value: Value<'a>| {
                let mut map = map.clone();
                map.insert(object_key(&key)?, value);
                ctx.charge_items(2 * map.len())?;
                ctx.many_object(rest, map, env, input, out)
            };
            match value {
                Some(value) => ctx.many(value, env, input.clone(), &mut with_value),
                None => {
                    let value = ctx.get(input.clone(), &key)?;
                    with_value(ctx, value)
                }
            }
        })
    }

    #[inline(never)]
    fn many_interpolate(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        input: &Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let Op::Interpolate { parts, .. } = &node.op else {
            return Ok(());
        };
        self.interpolate_from(node, parts.len(), String::new(), env, input, out)
    }

    /// The last interpolation varies slowest: text grows from the back.
    fn interpolate_from(
        &mut self,
        node: &'a Node,
        count: usize,
        tail: String,
        env: &Env<'_, 'a>,
        input: &Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let Op::Interpolate { format, parts } = &node.op else {
            return Ok(());
        };
        self.check_stack()?;
        let Some(at) = count.checked_sub(1) else {
            let value = self.string(tail)?;
            return out(self, value);
        };
        self.charge(tail.len())?;
        match &parts[at] {
            Piece::Text(text) => {
                self.interpolate_from(node, at, format!("{text}{tail}"), env, input, out)
            }
            Piece::Node(part) => self.many(part, env, input.clone(), &mut |ctx, value| {
                let mut text = String::new();
                ctx.append_formatted(*format, value, &mut text)?;
                text.push_str(&tail);
                ctx.interpolate_from(node, at, text, env, input, out)
            }),
        }
    }

    #[inline(never)]
    fn many_native(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let Op::Native {
            run,
            args,
            first_outer,
        } = &node.op
        else {
            return Ok(());
        };
        let mut values = vec![Value::NULL; args.len()];
        self.cartesian(
            args,
            *first_outer,
            0,
            &mut values,
            env,
            &input,
            &mut |ctx, values| {
                let value = (run.0)(ctx, input.clone(), &mut values.to_vec())?;
                out(ctx, value)
            },
        )
    }

    /// Calls `run` with every combination of the arguments' outputs.
    #[expect(clippy::too_many_arguments, reason = "recursion over the arguments")]
    pub(super) fn cartesian(
        &mut self,
        args: &'a [Node],
        first_outer: bool,
        done: usize,
        values: &mut [Value<'a>],
        env: &Env<'_, 'a>,
        input: &Value<'a>,
        run: &mut dyn FnMut(&mut Ctx<'a>, &mut [Value<'a>]) -> Flow<'a>,
    ) -> Flow<'a> {
        if done == args.len() {
            return run(self, values);
        }
        let at = if first_outer {
            done
        } else {
            args.len() - 1 - done
        };
        self.many(&args[at], env, input.clone(), &mut |ctx, value| {
            values[at] = value;
            ctx.cartesian(args, first_outer, done + 1, values, env, input, run)
        })
    }
}
