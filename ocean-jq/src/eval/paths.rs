//! Path expressions: the same programs, run for where their outputs are.
//!
//! A path is a shared list of keys. A step is only possible on the very value that the path leads
//! to, which is how the reference tells `path(.a | select(.b))` from `path(.a | tostring)`.

use super::access::slice_key;
use super::bindings::WithEnv;
use super::one::closure;
use super::place::Place;
use super::{Closure, Ctx, Env, Flow, Frame, Stop};
use crate::node::{Node, Op, Special, Step};
use crate::value::Value;
use crate::write::excerpt;

pub(super) type PlaceOut<'o, 'a> = &'o mut dyn FnMut(&mut Ctx<'a>, Place<'a>) -> Flow<'a>;

impl<'a> Ctx<'a> {
    /// Pushes the path of every output, as an array.
    pub(super) fn each_path(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: super::Out<'_, 'a>,
    ) -> Flow<'a> {
        self.places(node, env, Place::root(input), &mut |ctx, place| {
            if !place.is_intact() {
                return Err(Stop::message(format!(
                    "Invalid path expression with result {}",
                    excerpt(&place.value, super::EXCERPT)
                )));
            }
            let path = ctx.array(place.path.to_items())?;
            out(ctx, path)
        })
    }

    fn check_intact(&self, place: &Place<'a>, key: &Value<'a>) -> Flow<'a> {
        if place.is_intact() {
            return Ok(());
        }
        Err(Stop::message(format!(
            "Invalid path expression near attempt to access element {} of {}",
            excerpt(key, super::EXCERPT),
            excerpt(&place.value, super::EXCERPT)
        )))
    }

    fn place_step(
        &mut self,
        place: &Place<'a>,
        key: Value<'a>,
        optional: bool,
    ) -> Result<Option<Place<'a>>, Stop<'a>> {
        self.check_intact(place, &key)?;
        self.charge(80)?;
        match self.get(place.value.clone(), &key) {
            Ok(value) => Ok(Some(place.child(key, value))),
            Err(stop) if optional && stop.is_error() => Ok(None),
            Err(stop) => Err(stop),
        }
    }

    /// Pushes every output with its place.
    pub(super) fn places(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        place: Place<'a>,
        out: PlaceOut<'_, 'a>,
    ) -> Flow<'a> {
        self.tick()?;
        match &node.op {
            Op::Identity => out(self, place),
            Op::Path(steps) => self.places_steps(steps, place, out),
            Op::Pipe(parts) => self.places_pipe(parts, env, place, out),
            Op::Comma(parts) => {
                for part in parts {
                    self.places(part, env, place.clone(), out)?;
                }
                Ok(())
            }
            Op::Iterate { optional } => self.places_iterate(*optional, &place, out),
            Op::Index { .. } | Op::Slice { .. } => self.places_index(node, env, place, out),
            Op::If {
                test,
                then,
                otherwise,
            } => self.many(test, env, place.value.clone(), &mut |ctx, verdict| {
                let branch = if verdict.is_truthy() { then } else { otherwise };
                ctx.places(branch, env, place.clone(), out)
            }),
            Op::Alternative(left, right) => {
                let mut found = false;
                self.places(left, env, place.clone(), &mut |ctx, place| {
                    if !place.value.is_truthy() {
                        return Ok(());
                    }
                    found = true;
                    out(ctx, place)
                })?;
                if found {
                    Ok(())
                } else {
                    self.places(right, env, place, out)
                }
            }
            Op::Try { body, handler } => self.places_try(body, handler.as_deref(), env, place, out),
            Op::Call { .. } => self.places_call(node, env, place, out),
            Op::Arg { hops, index } => match env.argument(*hops, *index) {
                Some(closure) => self.places(closure.node, closure.env, place, out),
                None => Ok(()),
            },
            Op::Bind {
                source,
                binding,
                body,
            } => self.many(source, env, place.value.clone(), &mut |ctx, value| {
                ctx.bind(binding, value, env, &mut |ctx, env| {
                    ctx.places(body, env, place.clone(), out)
                })
            }),
            Op::Label(_) => self.places_label(node, env, place, out),
            Op::Reduce { .. } => self.places_reduce(node, env, place, out),
            Op::Foreach { .. } => self.places_foreach(node, env, place, out),
            Op::Special(special, args) => {
                self.places_special(*special, node, args, env, place, out)
            }
            // Anything else computes a value, and keeps the place it was computed at.
            _ => self.places_value(node, env, place, out),
        }
    }

    fn places_value(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        place: Place<'a>,
        out: PlaceOut<'_, 'a>,
    ) -> Flow<'a> {
        self.many(node, env, place.value.clone(), &mut |ctx, value| {
            out(ctx, place.seeing(value))
        })
    }

    fn places_steps(
        &mut self,
        steps: &'a [Step],
        mut place: Place<'a>,
        out: PlaceOut<'_, 'a>,
    ) -> Flow<'a> {
        for step in steps {
            match self.place_step(&place, step.key(), step.is_optional())? {
                Some(next) => place = next,
                None => return Ok(()),
            }
        }
        out(self, place)
    }

    fn places_pipe(
        &mut self,
        parts: &'a [Node],
        env: &Env<'_, 'a>,
        place: Place<'a>,
        out: PlaceOut<'_, 'a>,
    ) -> Flow<'a> {
        match parts {
            [] => out(self, place),
            [only] => self.places(only, env, place, out),
            [first, rest @ ..] => self.places(first, env, place, &mut |ctx, place| {
                ctx.places_pipe(rest, env, place, out)
            }),
        }
    }

    fn places_iterate(
        &mut self,
        optional: bool,
        place: &Place<'a>,
        out: PlaceOut<'_, 'a>,
    ) -> Flow<'a> {
        let value = &place.value;
        if !place.is_intact() {
            return Err(Stop::message(format!(
                "Invalid path expression near attempt to iterate through {}",
                excerpt(value, super::EXCERPT)
            )));
        }
        let Some(len) = value.len() else {
            // The error, or its absence, is that of plain iteration.
            return self.iterate(optional, value.clone(), &mut |_, _| Ok(()));
        };
        for at in 0..len {
            self.work(1)?;
            self.charge(80)?;
            let entry = match value.entry_at(at) {
                Some((key, item)) => Some((key.into_value(), item)),
                None => value
                    .item_at(at)
                    .map(|item| (Value::number(at as f64), item)),
            };
            if let Some((key, item)) = entry {
                out(self, place.child(key, item))?;
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn places_index(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        place: Place<'a>,
        out: PlaceOut<'_, 'a>,
    ) -> Flow<'a> {
        let mut step = |ctx: &mut Ctx<'a>,
                        key: Value<'a>,
                        target: &'a Node,
                        optional: bool,
                        place: &Place<'a>| {
            ctx.places(
                target,
                env,
                place.clone(),
                &mut |ctx, place| match ctx.place_step(&place, key.clone(), optional)? {
                    Some(place) => out(ctx, place),
                    None => Ok(()),
                },
            )
        };
        match &node.op {
            Op::Index {
                target,
                key,
                optional,
            } => self.many(key, env, place.value.clone(), &mut |ctx, key| {
                step(ctx, key, target, *optional, &place)
            }),
            Op::Slice {
                target,
                from,
                to,
                optional,
            } => self.many(from, env, place.value.clone(), &mut |ctx, from| {
                ctx.many(to, env, place.value.clone(), &mut |ctx, to| {
                    let key = slice_key(from.clone(), to);
                    step(ctx, key, target, *optional, &place)
                })
            }),
            _ => Ok(()),
        }
    }

    #[inline(never)]
    fn places_try(
        &mut self,
        body: &'a Node,
        handler: Option<&'a Node>,
        env: &Env<'_, 'a>,
        place: Place<'a>,
        out: PlaceOut<'_, 'a>,
    ) -> Flow<'a> {
        let mut downstream = false;
        let result = self.places(body, env, place.clone(), &mut |ctx, place| {
            let result = out(ctx, place);
            downstream = result.is_err();
            result
        });
        match result {
            Err(stop) if !downstream => {
                let error = stop.into_caught()?;
                match handler {
                    Some(handler) => self.places(handler, env, place.seeing(error), out),
                    None => Ok(()),
                }
            }
            result => result,
        }
    }

    #[inline(never)]
    fn places_call(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        place: Place<'a>,
        out: PlaceOut<'_, 'a>,
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
            return self.places(body, home, place, out);
        }
        let closures: Vec<Closure<'_, 'a>> = args.iter().map(|node| closure(node, env)).collect();
        let env = Env {
            frame: Frame::Args(&closures),
            parent: Some(home),
        };
        self.places(body, &env, place, out)
    }

    #[inline(never)]
    fn places_label(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        place: Place<'a>,
        out: PlaceOut<'_, 'a>,
    ) -> Flow<'a> {
        let Op::Label(body) = &node.op else {
            return Ok(());
        };
        self.with_label(env, &mut |ctx, env| {
            ctx.places(body, env, place.clone(), out)
        })
    }

    /// The source runs as a path expression, and its place is the one of the body.
    fn places_bind(
        &mut self,
        node: &'a Node,
        place: Place<'a>,
        env: &Env<'_, 'a>,
        run: &mut dyn FnMut(&mut Ctx<'a>, &Env<'_, 'a>, &Place<'a>) -> Flow<'a>,
    ) -> Flow<'a> {
        let (Op::Reduce {
            source, binding, ..
        }
        | Op::Foreach {
            source, binding, ..
        }) = &node.op
        else {
            return Ok(());
        };
        self.places(source, env, place, &mut |ctx, place| {
            let with_env: WithEnv<'_, 'a> = &mut |ctx, env| run(ctx, env, &place);
            ctx.bind(binding, place.value.clone(), env, with_env)
        })
    }

    #[inline(never)]
    fn places_reduce(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        place: Place<'a>,
        out: PlaceOut<'_, 'a>,
    ) -> Flow<'a> {
        let Op::Reduce { init, update, .. } = &node.op else {
            return Ok(());
        };
        self.places(init, env, place.clone(), &mut |ctx, start| {
            let mut state = Some(start.value.clone());
            let input = start.seeing(place.value.clone());
            ctx.places_bind(node, input, env, &mut |ctx, env, place| {
                let before = state.take().unwrap_or(Value::NULL);
                ctx.places(update, env, place.seeing(before), &mut |_, place| {
                    state = Some(place.value.clone());
                    Ok(())
                })
            })?;
            let value = state.take().unwrap_or(Value::NULL);
            out(ctx, start.seeing(value))
        })
    }

    #[inline(never)]
    fn places_foreach(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        place: Place<'a>,
        out: PlaceOut<'_, 'a>,
    ) -> Flow<'a> {
        let Op::Foreach {
            init,
            update,
            extract,
            ..
        } = &node.op
        else {
            return Ok(());
        };
        self.places(init, env, place.clone(), &mut |ctx, start| {
            let mut state = Some(start.value.clone());
            let input = start.seeing(place.value.clone());
            ctx.places_bind(node, input, env, &mut |ctx, env, place| {
                let before = state.take().unwrap_or(Value::NULL);
                ctx.places(update, env, place.seeing(before), &mut |ctx, place| {
                    state = Some(place.value.clone());
                    ctx.places(extract, env, place, out)
                })
            })
        })
    }

    #[inline(never)]
    fn places_special(
        &mut self,
        special: Special,
        node: &'a Node,
        args: &'a [Node],
        env: &Env<'_, 'a>,
        place: Place<'a>,
        out: PlaceOut<'_, 'a>,
    ) -> Flow<'a> {
        match (special, args) {
            (Special::Empty, _) => Ok(()),
            (Special::Recurse, [step]) => self.places_recurse(step, env, place, out),
            (Special::First, [body]) => self.places_take(body, 1.0, env, place, out),
            (Special::Last, [body]) => {
                let mut last = None;
                self.places(body, env, place, &mut |_, place| {
                    last = Some(place);
                    Ok(())
                })?;
                match last {
                    Some(place) => out(self, place),
                    None => Ok(()),
                }
            }
            (Special::Limit | Special::Skip | Special::Nth, [count, body]) => {
                self.many(count, env, place.value.clone(), &mut |ctx, count| {
                    ctx.places_counted(special, &count, body, env, place.clone(), out)
                })
            }
            (Special::Until, [test, step]) => {
                self.many(test, env, place.value.clone(), &mut |ctx, verdict| {
                    if verdict.is_truthy() {
                        return out(ctx, place.clone());
                    }
                    ctx.places(step, env, place.clone(), &mut |ctx, place| {
                        ctx.places_special(special, node, args, env, place, out)
                    })
                })
            }
            (Special::While, [test, step]) => {
                self.many(test, env, place.value.clone(), &mut |ctx, verdict| {
                    if !verdict.is_truthy() {
                        return Ok(());
                    }
                    out(ctx, place.clone())?;
                    ctx.places(step, env, place.clone(), &mut |ctx, place| {
                        ctx.places_special(special, node, args, env, place, out)
                    })
                })
            }
            (Special::Repeat, [step]) => loop {
                self.places(step, env, place.clone(), out)?;
            },
            (Special::GetPath, [path]) => {
                self.many(path, env, place.value.clone(), &mut |ctx, path| {
                    ctx.check_intact(&place, &path)?;
                    let value = ctx.getpath(place.value.clone(), &path)?;
                    let mut whole = place.path.clone();
                    for key in path.items() {
                        ctx.charge(80)?;
                        whole = whole.push(key);
                    }
                    out(
                        ctx,
                        Place {
                            at: value.clone(),
                            value,
                            path: whole,
                        },
                    )
                })
            }
            _ => self.places_value(node, env, place, out),
        }
    }

    fn places_recurse(
        &mut self,
        step: &'a Node,
        env: &Env<'_, 'a>,
        place: Place<'a>,
        out: PlaceOut<'_, 'a>,
    ) -> Flow<'a> {
        self.tick()?;
        out(self, place.clone())?;
        self.places(step, env, place, &mut |ctx, place| {
            ctx.places_recurse(step, env, place, out)
        })
    }

    /// The first few places.
    fn places_take(
        &mut self,
        body: &'a Node,
        count: f64,
        env: &Env<'_, 'a>,
        place: Place<'a>,
        out: PlaceOut<'_, 'a>,
    ) -> Flow<'a> {
        let mut left = count;
        self.until_enough(|ctx, mark| {
            ctx.places(body, env, place, &mut |ctx, place| {
                left -= 1.0;
                out(ctx, place)?;
                if left <= 0.0 {
                    Err(Stop::enough(mark))
                } else {
                    Ok(())
                }
            })
        })
    }

    fn places_counted(
        &mut self,
        special: Special,
        count: &Value<'a>,
        body: &'a Node,
        env: &Env<'_, 'a>,
        place: Place<'a>,
        out: PlaceOut<'_, 'a>,
    ) -> Flow<'a> {
        let Some(count) = self.check_count(special, count)? else {
            return Ok(());
        };
        let mut to_skip = count;
        match special {
            Special::Limit => self.places_take(body, count, env, place, out),
            Special::Skip => self.places(body, env, place, &mut |ctx, place| {
                to_skip -= 1.0;
                if to_skip < 0.0 {
                    out(ctx, place)
                } else {
                    Ok(())
                }
            }),
            _ => self.until_enough(|ctx, mark| {
                ctx.places(body, env, place, &mut |ctx, place| {
                    to_skip -= 1.0;
                    if to_skip >= 0.0 {
                        return Ok(());
                    }
                    out(ctx, place)?;
                    Err(Stop::enough(mark))
                })
            }),
        }
    }
}
