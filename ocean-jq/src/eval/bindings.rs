//! Variables and labels: `as`, `reduce`, `foreach`, `label`, and the patterns that take values apart.

use super::{Ctx, Env, Flow, Frame, Out, Stop};
use crate::node::{Binding, Node, Op, Pattern, PatternEntry};
use crate::value::Value;

/// What runs with the frame of a binding.
pub(super) type WithEnv<'o, 'a> = &'o mut dyn FnMut(&mut Ctx<'a>, &Env<'_, 'a>) -> Flow<'a>;

impl<'a> Ctx<'a> {
    #[inline(never)]
    pub(super) fn many_reduce(
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
pub(super) fn break_error<'a>(mark: u64) -> Stop<'a> {
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
