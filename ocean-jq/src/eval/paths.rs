//! Path expressions: the same programs, run for where their outputs are.
//!
//! A path is a shared list of keys. A step is only possible on the very value that the path leads
//! to, which is how the reference tells `path(.a | select(.b))` from `path(.a | tostring)`.

use super::access::slice_key;
use super::place::Place;
use super::walks::{Each, Item};
use super::{Ctx, Env, Flow, Stop};
use crate::node::{Node, Op, Special, Step};
use crate::value::Value;
use crate::write::excerpt;

type PlaceOut<'o, 'a> = Each<'o, 'a, Place<'a>>;

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
            Op::If { .. } => self.walk_if(node, env, place, out),
            Op::Alternative(left, right) => self.walk_alternative(left, right, env, place, out),
            Op::Try { body, handler } => self.walk_try(body, handler.as_deref(), env, place, out),
            Op::Call { .. } => self.walk_call(node, env, place, out),
            Op::Arg { hops, index } => self.walk_arg(*hops, *index, env, place, out),
            Op::Bind { .. } => self.walk_bind(node, env, place, out),
            Op::Label(body) => self.walk_label(body, env, place, out),
            Op::Reduce { .. } => self.places_reduce(node, env, place, out),
            Op::Foreach { .. } => self.walk_foreach(node, env, place, out),
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
            ctx.walk_source(node, input, env, &mut |ctx, env, place| {
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
            (Special::Recurse, [step]) => self.walk_recurse(step, env, place, out),
            (Special::First, [body]) => self.walk_first(1.0, body, env, place, out),
            (Special::Last, [body]) => self.walk_last(body, env, place, out),
            (Special::Limit | Special::Skip | Special::Nth, _) => {
                self.walk_counted(special, args, env, place, out)
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
}
