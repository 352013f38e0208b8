//! Nodes with exactly one output, as plain functions.
//!
//! The dispatch stays small and the work sits in functions of its own: the size of the dispatch's
//! frame decides how deep a program may recurse, above all in debug builds.

use super::{Closure, Ctx, Env, Frame, Res, Stop};
use crate::node::{Node, Op, Piece, Special};
use crate::value::{Key, Map, Value};

impl<'a> Ctx<'a> {
    /// The output of a node that has exactly one.
    pub(crate) fn one(&mut self, node: &'a Node, env: &Env<'_, 'a>, input: Value<'a>) -> Res<'a> {
        self.tick()?;
        match &node.op {
            Op::Identity => Ok(input),
            Op::Const(constant) => Ok(constant.value()),
            Op::Path(steps) => self.walk_steps(steps, input),
            Op::Var { hops, slot } => Ok(env.variable(*hops, *slot)),
            Op::Pipe(parts) => self.pipe_one(parts, env, input),
            Op::Binary { .. } => self.binary_one(node, env, input),
            Op::If {
                test,
                then,
                otherwise,
            } => {
                let verdict = self.one(test, env, input.clone())?.is_truthy();
                self.one(if verdict { then } else { otherwise }, env, input)
            }
            Op::Alternative(left, right) => {
                let value = self.one(left, env, input.clone())?;
                if value.is_truthy() {
                    Ok(value)
                } else {
                    self.one(right, env, input)
                }
            }
            Op::And(left, right) => {
                let verdict = self.one(left, env, input.clone())?.is_truthy()
                    && self.one(right, env, input)?.is_truthy();
                Ok(Value::boolean(verdict))
            }
            Op::Or(left, right) => {
                let verdict = self.one(left, env, input.clone())?.is_truthy()
                    || self.one(right, env, input)?.is_truthy();
                Ok(Value::boolean(verdict))
            }
            Op::Native { .. } => self.native_one(node, env, input),
            Op::Call { .. } => self.call_one(node, env, input),
            Op::Collect(body) => self.collect_one(body, env, input),
            Op::Object(_) => self.object_one(node, env, input),
            Op::Interpolate { .. } => self.interpolate_one(node, env, input),
            Op::Index { target, key, .. } => {
                let key = self.one(key, env, input.clone())?;
                let target = self.one(target, env, input)?;
                self.get(target, &key)
            }
            Op::Slice { .. } => self.slice_one(node, env, input),
            Op::Try { body, handler } => self.try_one(body, handler.as_deref(), env, input),
            Op::Bind { .. } => self.bind_one(node, env, input),
            Op::Reduce { .. } => self.reduce_one(node, env, input),
            Op::Modify { .. } | Op::Assign { .. } | Op::UpdateWith { .. } => {
                self.update_one(node, env, input)
            }
            Op::Regex { .. } => self.regex_one(node, env, input),
            Op::Special(special, args) => self.special_one(*special, args, env, input),
            // The compiler marks nothing else as single.
            _ => Ok(Value::NULL),
        }
    }

    fn pipe_one(&mut self, parts: &'a [Node], env: &Env<'_, 'a>, input: Value<'a>) -> Res<'a> {
        let Some((last, parts)) = parts.split_last() else {
            return Ok(input);
        };
        let mut value = input;
        for part in parts {
            value = self.one(part, env, value)?;
        }
        self.one(last, env, value)
    }

    #[inline(never)]
    fn binary_one(&mut self, node: &'a Node, env: &Env<'_, 'a>, input: Value<'a>) -> Res<'a> {
        let Op::Binary { op, left, right } = &node.op else {
            return Ok(Value::NULL);
        };
        let right = self.one(right, env, input.clone())?;
        let left = self.one(left, env, input)?;
        self.binary(*op, left, right)
    }

    #[inline(never)]
    fn native_one(&mut self, node: &'a Node, env: &Env<'_, 'a>, input: Value<'a>) -> Res<'a> {
        let Op::Native { run, args, .. } = &node.op else {
            return Ok(Value::NULL);
        };
        match &**args {
            [] => (run.0)(self, input, &mut []),
            [only] => {
                let argument = self.one(only, env, input.clone())?;
                (run.0)(self, input, &mut [argument])
            }
            args => {
                let mut values = Vec::with_capacity(args.len());
                for argument in args {
                    values.push(self.one(argument, env, input.clone())?);
                }
                (run.0)(self, input, &mut values)
            }
        }
    }

    #[inline(never)]
    fn call_one(&mut self, node: &'a Node, env: &Env<'_, 'a>, input: Value<'a>) -> Res<'a> {
        let Op::Call {
            func,
            hops,
            args,
            framed,
        } = &node.op
        else {
            return Ok(Value::NULL);
        };
        let body = &self.code.funcs[*func].body;
        let home = env.up(*hops);
        if !framed {
            return self.one(body, home, input);
        }
        let closures: Vec<Closure<'_, 'a>> = args.iter().map(|node| closure(node, env)).collect();
        let env = Env {
            frame: Frame::Args(&closures),
            parent: Some(home),
        };
        self.one(body, &env, input)
    }

    #[inline(never)]
    fn collect_one(&mut self, body: &'a Node, env: &Env<'_, 'a>, input: Value<'a>) -> Res<'a> {
        // `[.[] | f]` is the commonest of all collections.
        if let Op::Pipe(parts) = &body.op
            && let [
                Node {
                    op: Op::Iterate { optional: false },
                    ..
                },
                rest @ ..,
            ] = &**parts
            && rest.iter().all(|part| part.single)
            && let Some(len) = input.len()
        {
            self.charge_items(len + 2)?;
            let mut items = Vec::with_capacity(len);
            for at in 0..len {
                let item = input.item_at(at).unwrap_or(Value::NULL);
                items.push(self.pipe_one(rest, env, item)?);
            }
            return Ok(Value::array(items));
        }
        let items = self.collect(body, env, input)?;
        self.charge(2 * size_of::<Value<'_>>())?;
        Ok(Value::array(items))
    }

    #[inline(never)]
    fn object_one(&mut self, node: &'a Node, env: &Env<'_, 'a>, input: Value<'a>) -> Res<'a> {
        let Op::Object(entries) = &node.op else {
            return Ok(Value::NULL);
        };
        let mut map = Map::with_capacity(entries.len());
        for (key, value) in entries {
            let key = self.one(key, env, input.clone())?;
            let value = match value {
                Some(value) => self.one(value, env, input.clone())?,
                None => self.get(input.clone(), &key)?,
            };
            map.insert(object_key(&key)?, value);
        }
        self.object(map)
    }

    #[inline(never)]
    fn interpolate_one(&mut self, node: &'a Node, env: &Env<'_, 'a>, input: Value<'a>) -> Res<'a> {
        let Op::Interpolate { format, parts } = &node.op else {
            return Ok(Value::NULL);
        };
        // Evaluated from the back, as the reference does: the last failure is the one reported.
        let mut values = Vec::new();
        for part in parts.iter().rev() {
            if let Piece::Node(node) = part {
                let value = self.one(node, env, input.clone())?;
                let mut text = String::new();
                self.append_formatted(*format, value, &mut text)?;
                self.charge(text.len())?;
                values.push(text);
            }
        }
        let mut text = String::with_capacity(values.iter().map(String::len).sum::<usize>() + 16);
        for part in parts {
            match part {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Node(_) => text.push_str(&values.pop().unwrap_or_default()),
            }
        }
        self.string(text)
    }

    #[inline(never)]
    fn slice_one(&mut self, node: &'a Node, env: &Env<'_, 'a>, input: Value<'a>) -> Res<'a> {
        let Op::Slice {
            target, from, to, ..
        } = &node.op
        else {
            return Ok(Value::NULL);
        };
        let from = self.one(from, env, input.clone())?;
        let to = self.one(to, env, input.clone())?;
        let target = self.one(target, env, input)?;
        self.slice(target, &from, &to)
    }

    #[inline(never)]
    fn try_one(
        &mut self,
        body: &'a Node,
        handler: Option<&'a Node>,
        env: &Env<'_, 'a>,
        input: Value<'a>,
    ) -> Res<'a> {
        match self.one(body, env, input) {
            Err(stop) => {
                let error = stop.into_caught()?;
                match handler {
                    Some(handler) => self.one(handler, env, error),
                    None => Ok(Value::NULL),
                }
            }
            done => done,
        }
    }

    #[inline(never)]
    fn bind_one(&mut self, node: &'a Node, env: &Env<'_, 'a>, input: Value<'a>) -> Res<'a> {
        let Op::Bind {
            source,
            binding,
            body,
        } = &node.op
        else {
            return Ok(Value::NULL);
        };
        let value = self.one(source, env, input.clone())?;
        let mut result = None;
        self.bind(binding, value, env, &mut |ctx, env| {
            result = Some(ctx.one(body, env, input.clone())?);
            Ok(())
        })?;
        Ok(result.unwrap_or(Value::NULL))
    }

    #[inline(never)]
    fn reduce_one(&mut self, node: &'a Node, env: &Env<'_, 'a>, input: Value<'a>) -> Res<'a> {
        let Op::Reduce { init, .. } = &node.op else {
            return Ok(Value::NULL);
        };
        let state = self.one(init, env, input.clone())?;
        self.reduce(node, state, env, input)
    }

    #[inline(never)]
    fn special_one(
        &mut self,
        special: Special,
        args: &'a [Node],
        env: &Env<'_, 'a>,
        input: Value<'a>,
    ) -> Res<'a> {
        self.special_single(special, args, env, input)
    }
}

/// The closure of an argument; a bare parameter is passed on as what it stands for.
pub(super) fn closure<'e, 'a>(node: &'a Node, env: &'e Env<'e, 'a>) -> Closure<'e, 'a> {
    if let Op::Arg { hops, index } = node.op
        && let Some(closure) = env.argument(hops, index)
    {
        return closure;
    }
    Closure { node, env }
}

pub(super) fn object_key<'a>(key: &Value<'a>) -> Result<Key<'a>, Stop<'a>> {
    Key::of(key).ok_or_else(|| Stop::message(crate::compile::object_key_message(key)))
}
