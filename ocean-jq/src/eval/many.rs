//! Generators: outputs are pushed into a callback, in the reference's order.

use super::one::{closure, object_key};
use super::{Closure, Ctx, Env, Flow, Frame, Out, Stop};
use crate::node::{Binding, Node, Op, Pattern, PatternEntry, Piece};
use crate::value::{Map, Repr, Value};

/// What runs with the frame of a binding.
pub(super) type WithEnv<'o, 'a> = &'o mut dyn FnMut(&mut Ctx<'a>, &Env<'_, 'a>) -> Flow<'a>;

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
            Op::If {
                test,
                then,
                otherwise,
            } => self.many_if(test, then, otherwise, env, input, out),
            Op::Alternative(left, right) => self.many_alternative(left, right, env, input, out),
            Op::Try { body, handler } => self.many_try(body, handler.as_deref(), env, input, out),
            Op::Index { .. } | Op::Slice { .. } => self.many_index(node, env, input, out),
            Op::Binary { .. } => self.many_binary(node, env, input, out),
            Op::And(left, right) => self.many_logic(left, right, false, env, input, out),
            Op::Or(left, right) => self.many_logic(left, right, true, env, input, out),
            Op::Object(entries) => {
                self.many_object(entries, Map::with_capacity(entries.len()), env, &input, out)
            }
            Op::Interpolate { .. } => self.many_interpolate(node, env, &input, out),
            Op::Call { .. } => self.many_call(node, env, input, out),
            Op::Arg { hops, index } => match env.argument(*hops, *index) {
                Some(closure) => self.many(closure.node, closure.env, input, out),
                None => Ok(()),
            },
            Op::Bind { .. } => self.many_bind(node, env, input, out),
            Op::Reduce { .. } => self.many_reduce(node, env, input, out),
            Op::Foreach { .. } => self.many_foreach(node, env, input, out),
            Op::Label(body) => self.many_label(body, env, input, out),
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
    fn many_if(
        &mut self,
        test: &'a Node,
        then: &'a Node,
        otherwise: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        self.many(test, env, input.clone(), &mut |ctx, verdict| {
            let branch = if verdict.is_truthy() { then } else { otherwise };
            ctx.many(branch, env, input.clone(), out)
        })
    }

    #[inline(never)]
    fn many_alternative(
        &mut self,
        left: &'a Node,
        right: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let mut found = false;
        self.many(left, env, input.clone(), &mut |ctx, value| {
            if !value.is_truthy() {
                return Ok(());
            }
            found = true;
            out(ctx, value)
        })?;
        if found {
            Ok(())
        } else {
            self.many(right, env, input, out)
        }
    }

    #[inline(never)]
    fn many_try(
        &mut self,
        body: &'a Node,
        handler: Option<&'a Node>,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        // What fails behind the outputs is not the body's failure.
        let mut downstream = false;
        let result = self.many(body, env, input, &mut |ctx, value| {
            let result = out(ctx, value);
            downstream = result.is_err();
            result
        });
        match result {
            Err(stop) if !downstream => {
                let error = stop.into_caught()?;
                match handler {
                    Some(handler) => self.many(handler, env, error, out),
                    None => Ok(()),
                }
            }
            result => result,
        }
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
    fn many_call(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let Op::Call {
            func,
            hops,
            args,
            framed,
        } = &node.op
        else {
            return Ok(());
        };
        let body = &self.code.funcs[*func].body;
        let home = env.up(*hops);
        if !framed {
            return self.many(body, home, input, out);
        }
        let closures: Vec<Closure<'_, 'a>> = args.iter().map(|node| closure(node, env)).collect();
        let env = Env {
            frame: Frame::Args(&closures),
            parent: Some(home),
        };
        self.many(body, &env, input, out)
    }

    #[inline(never)]
    fn many_bind(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let Op::Bind {
            source,
            binding,
            body,
        } = &node.op
        else {
            return Ok(());
        };
        self.many(source, env, input.clone(), &mut |ctx, value| {
            ctx.bind(binding, value, env, &mut |ctx, env| {
                ctx.many(body, env, input.clone(), out)
            })
        })
    }

    #[inline(never)]
    fn many_reduce(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let Op::Reduce { init, .. } = &node.op else {
            return Ok(());
        };
        self.many(init, env, input.clone(), &mut |ctx, state| {
            let value = ctx.reduce(node, state, env, input.clone())?;
            out(ctx, value)
        })
    }

    /// The state moves through the update, so that it can be changed in place.
    pub(super) fn reduce(
        &mut self,
        node: &'a Node,
        state: Value<'a>,
        env: &Env<'_, 'a>,
        input: Value<'a>,
    ) -> super::Res<'a> {
        let Op::Reduce {
            source,
            binding,
            update,
            ..
        } = &node.op
        else {
            return Ok(state);
        };
        let mut state = Some(state);
        self.many(source, env, input, &mut |ctx, value| {
            ctx.bind(binding, value, env, &mut |ctx, env| {
                let before = state.take().unwrap_or(Value::NULL);
                if update.single {
                    state = Some(ctx.one(update, env, before)?);
                    return Ok(());
                }
                ctx.many(update, env, before, &mut |_, value| {
                    state = Some(value);
                    Ok(())
                })
            })
        })?;
        Ok(state.unwrap_or(Value::NULL))
    }

    #[inline(never)]
    fn many_foreach(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let Op::Foreach {
            source,
            binding,
            init,
            update,
            extract,
        } = &node.op
        else {
            return Ok(());
        };
        self.many(init, env, input.clone(), &mut |ctx, state| {
            let mut state = Some(state);
            ctx.many(source, env, input.clone(), &mut |ctx, value| {
                ctx.bind(binding, value, env, &mut |ctx, env| {
                    let before = state.take().unwrap_or(Value::NULL);
                    ctx.many(update, env, before, &mut |ctx, value| {
                        state = Some(value.clone());
                        ctx.many(extract, env, value, out)
                    })
                })
            })
        })
    }

    #[inline(never)]
    fn many_label(
        &mut self,
        body: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        self.with_label(env, &mut |ctx, env| ctx.many(body, env, input.clone(), out))
    }

    /// Runs under a label of its own, and ends quietly when something breaks to it.
    pub(super) fn with_label(&mut self, env: &Env<'_, 'a>, run: WithEnv<'_, 'a>) -> Flow<'a> {
        let mark = self.mark();
        let inner = Env {
            frame: Frame::Label(mark),
            parent: Some(env),
        };
        match run(self, &inner) {
            Err(stop) if is_break(&stop, mark) => Ok(()),
            result => result,
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

// === Bindings ===

impl<'a> Ctx<'a> {
    /// Runs with the variables that the patterns make of a value.
    pub(super) fn bind(
        &mut self,
        binding: &'a Binding,
        value: Value<'a>,
        env: &Env<'_, 'a>,
        run: WithEnv<'_, 'a>,
    ) -> Flow<'a> {
        if let [Pattern::Var(_)] = &*binding.patterns {
            let inner = Env {
                frame: Frame::Var(value),
                parent: Some(env),
            };
            return run(self, &inner);
        }
        let Some((last, alternatives)) = binding.patterns.split_last() else {
            return Ok(());
        };
        for pattern in alternatives {
            match self.bind_pattern(pattern, binding.slots, value.clone(), env, run) {
                // Whatever fails from here on makes `?//` try the next alternative.
                Err(stop) if stop.is_error() => {}
                result => return result,
            }
        }
        self.bind_pattern(last, binding.slots, value, env, run)
    }

    fn bind_pattern(
        &mut self,
        pattern: &'a Pattern,
        count: usize,
        value: Value<'a>,
        env: &Env<'_, 'a>,
        run: WithEnv<'_, 'a>,
    ) -> Flow<'a> {
        let mut slots = vec![Value::NULL; count];
        self.charge_items(count)?;
        self.destructure(pattern, value, env, &mut slots, &mut |ctx, slots| {
            let inner = Env {
                frame: Frame::Vars(slots),
                parent: Some(env),
            };
            run(ctx, &inner)
        })
    }

    fn destructure(
        &mut self,
        pattern: &'a Pattern,
        value: Value<'a>,
        env: &Env<'_, 'a>,
        slots: &mut Vec<Value<'a>>,
        run: &mut dyn FnMut(&mut Ctx<'a>, &mut Vec<Value<'a>>) -> Flow<'a>,
    ) -> Flow<'a> {
        self.tick()?;
        match pattern {
            Pattern::Var(slot) => {
                slots[*slot] = value;
                run(self, slots)
            }
            Pattern::Array(items) => self.destructure_items(items, 0, &value, env, slots, run),
            Pattern::Object(entries) => self.destructure_entries(entries, &value, env, slots, run),
        }
    }

    fn destructure_items(
        &mut self,
        items: &'a [Pattern],
        at: usize,
        value: &Value<'a>,
        env: &Env<'_, 'a>,
        slots: &mut Vec<Value<'a>>,
        run: &mut dyn FnMut(&mut Ctx<'a>, &mut Vec<Value<'a>>) -> Flow<'a>,
    ) -> Flow<'a> {
        let Some(pattern) = items.get(at) else {
            return run(self, slots);
        };
        if at == 0 {
            // The reference starts with the last item, which shows in its errors.
            self.get(value.clone(), &Value::number((items.len() - 1) as f64))?;
        }
        let item = self.get(value.clone(), &Value::number(at as f64))?;
        self.destructure(pattern, item, env, slots, &mut |ctx, slots| {
            ctx.destructure_items(items, at + 1, value, env, slots, run)
        })
    }

    fn destructure_entries(
        &mut self,
        entries: &'a [PatternEntry],
        value: &Value<'a>,
        env: &Env<'_, 'a>,
        slots: &mut Vec<Value<'a>>,
        run: &mut dyn FnMut(&mut Ctx<'a>, &mut Vec<Value<'a>>) -> Flow<'a>,
    ) -> Flow<'a> {
        let Some((entry, rest)) = entries.split_first() else {
            return run(self, slots);
        };
        // A key may use the variables bound so far: it sees a snapshot of them.
        let seen = slots.clone();
        let inner = Env {
            frame: Frame::Vars(&seen),
            parent: Some(env),
        };
        self.many(&entry.key, &inner, value.clone(), &mut |ctx, key| {
            let item = ctx.get(value.clone(), &key)?;
            if let Some(slot) = entry.bound {
                slots[slot] = item.clone();
            }
            match &entry.value {
                Some(pattern) => ctx.destructure(pattern, item, env, slots, &mut |ctx, slots| {
                    ctx.destructure_entries(rest, value, env, slots, run)
                }),
                None => {
                    if entry.bound.is_none() {
                        return Ok(());
                    }
                    ctx.destructure_entries(rest, value, env, slots, run)
                }
            }
        })
    }
}

/// The error that `break` raises: an object that names its label, as in the reference.
fn break_error<'a>(mark: u64) -> Stop<'a> {
    let label = Value::number(mark as f64);
    Stop::error(
        crate::value::ObjectBuilder::new()
            .with("__jq", label)
            .build(),
    )
}

fn is_break(stop: &Stop<'_>, mark: u64) -> bool {
    match &*stop.0 {
        super::StopKind::Error(value) => {
            value.len() == Some(1)
                && value.get("__jq").and_then(|label| label.as_f64()) == Some(mark as f64)
        }
        _ => false,
    }
}
