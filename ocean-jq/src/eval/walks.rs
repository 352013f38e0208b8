//! Walks that are the same for plain values and for values with their places.
//!
//! A program runs in two ways: for its outputs, and for where in the input they are. What only
//! passes items on does not care which, and is written once here, for every [`Item`].

use super::bindings::WithEnv;
use super::one::closure;
use super::place::Place;
use super::{Closure, Ctx, Env, Flow, Frame, Stop};
use crate::node::{Node, Op, Special};
use crate::value::Value;

/// Where a walk pushes its items.
pub(super) type Each<'o, 'a, I> = &'o mut dyn FnMut(&mut Ctx<'a>, I) -> Flow<'a>;

/// What a walk carries.
pub(super) trait Item<'a>: Clone {
    /// What programs see of it.
    fn value(&self) -> &Value<'a>;

    /// The same with another value before the eyes.
    fn seeing(&self, value: Value<'a>) -> Self;

    /// Pushes every output of a node.
    fn walk(
        self,
        ctx: &mut Ctx<'a>,
        node: &'a Node,
        env: &Env<'_, 'a>,
        out: Each<'_, 'a, Self>,
    ) -> Flow<'a>;
}

impl<'a> Item<'a> for Value<'a> {
    fn value(&self) -> &Value<'a> {
        self
    }

    fn seeing(&self, value: Value<'a>) -> Value<'a> {
        value
    }

    fn walk(
        self,
        ctx: &mut Ctx<'a>,
        node: &'a Node,
        env: &Env<'_, 'a>,
        out: Each<'_, 'a, Value<'a>>,
    ) -> Flow<'a> {
        ctx.many(node, env, self, out)
    }
}

impl<'a> Item<'a> for Place<'a> {
    fn value(&self) -> &Value<'a> {
        &self.value
    }

    fn seeing(&self, value: Value<'a>) -> Place<'a> {
        Place {
            value,
            path: self.path.clone(),
            at: self.at.clone(),
        }
    }

    fn walk(
        self,
        ctx: &mut Ctx<'a>,
        node: &'a Node,
        env: &Env<'_, 'a>,
        out: Each<'_, 'a, Place<'a>>,
    ) -> Flow<'a> {
        ctx.places(node, env, self, out)
    }
}

// === impl Ctx ===

impl<'a> Ctx<'a> {
    #[inline(never)]
    pub(super) fn walk_if<I: Item<'a>>(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        item: I,
        out: Each<'_, 'a, I>,
    ) -> Flow<'a> {
        let Op::If {
            test,
            then,
            otherwise,
        } = &node.op
        else {
            return Ok(());
        };
        self.many(test, env, item.value().clone(), &mut |ctx, verdict| {
            let branch = if verdict.is_truthy() { then } else { otherwise };
            item.clone().walk(ctx, branch, env, out)
        })
    }

    #[inline(never)]
    pub(super) fn walk_alternative<I: Item<'a>>(
        &mut self,
        left: &'a Node,
        right: &'a Node,
        env: &Env<'_, 'a>,
        item: I,
        out: Each<'_, 'a, I>,
    ) -> Flow<'a> {
        let mut found = false;
        item.clone().walk(self, left, env, &mut |ctx, item| {
            if !item.value().is_truthy() {
                return Ok(());
            }
            found = true;
            out(ctx, item)
        })?;
        if found {
            Ok(())
        } else {
            item.walk(self, right, env, out)
        }
    }

    #[inline(never)]
    pub(super) fn walk_try<I: Item<'a>>(
        &mut self,
        body: &'a Node,
        handler: Option<&'a Node>,
        env: &Env<'_, 'a>,
        item: I,
        out: Each<'_, 'a, I>,
    ) -> Flow<'a> {
        // What fails behind the outputs is not the body's failure.
        let mut downstream = false;
        let result = item.clone().walk(self, body, env, &mut |ctx, item| {
            let result = out(ctx, item);
            downstream = result.is_err();
            result
        });
        match result {
            Err(stop) if !downstream => {
                let error = stop.into_caught()?;
                match handler {
                    Some(handler) => item.seeing(error).walk(self, handler, env, out),
                    None => Ok(()),
                }
            }
            result => result,
        }
    }

    #[inline(never)]
    pub(super) fn walk_call<I: Item<'a>>(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        item: I,
        out: Each<'_, 'a, I>,
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
            return item.walk(self, body, home, out);
        }
        let closures: Vec<Closure<'_, 'a>> = args.iter().map(|node| closure(node, env)).collect();
        let env = Env {
            frame: Frame::Args(&closures),
            parent: Some(home),
        };
        item.walk(self, body, &env, out)
    }

    pub(super) fn walk_arg<I: Item<'a>>(
        &mut self,
        hops: usize,
        index: usize,
        env: &Env<'_, 'a>,
        item: I,
        out: Each<'_, 'a, I>,
    ) -> Flow<'a> {
        match env.argument(hops, index) {
            Some(closure) => item.walk(self, closure.node, closure.env, out),
            None => Ok(()),
        }
    }

    #[inline(never)]
    pub(super) fn walk_bind<I: Item<'a>>(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        item: I,
        out: Each<'_, 'a, I>,
    ) -> Flow<'a> {
        let Op::Bind {
            source,
            binding,
            body,
        } = &node.op
        else {
            return Ok(());
        };
        self.many(source, env, item.value().clone(), &mut |ctx, value| {
            ctx.bind(binding, value, env, &mut |ctx, env| {
                item.clone().walk(ctx, body, env, out)
            })
        })
    }

    #[inline(never)]
    pub(super) fn walk_label<I: Item<'a>>(
        &mut self,
        body: &'a Node,
        env: &Env<'_, 'a>,
        item: I,
        out: Each<'_, 'a, I>,
    ) -> Flow<'a> {
        self.with_label(env, &mut |ctx, env| item.clone().walk(ctx, body, env, out))
    }

    /// The items of the source of a fold, with the variables that they make.
    pub(super) fn walk_source<I: Item<'a>>(
        &mut self,
        node: &'a Node,
        item: I,
        env: &Env<'_, 'a>,
        run: &mut dyn FnMut(&mut Ctx<'a>, &Env<'_, 'a>, &I) -> Flow<'a>,
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
        item.walk(self, source, env, &mut |ctx, item| {
            let with_env: WithEnv<'_, 'a> = &mut |ctx, env| run(ctx, env, &item);
            ctx.bind(binding, item.value().clone(), env, with_env)
        })
    }

    #[inline(never)]
    pub(super) fn walk_foreach<I: Item<'a>>(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        item: I,
        out: Each<'_, 'a, I>,
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
        item.clone().walk(self, init, env, &mut |ctx, start| {
            let mut state = Some(start.value().clone());
            let input = start.seeing(item.value().clone());
            ctx.walk_source(node, input, env, &mut |ctx, env, item| {
                let before = state.take().unwrap_or(Value::NULL);
                item.seeing(before)
                    .walk(ctx, update, env, &mut |ctx, item| {
                        state = Some(item.value().clone());
                        item.walk(ctx, extract, env, out)
                    })
            })
        })
    }

    pub(super) fn walk_recurse<I: Item<'a>>(
        &mut self,
        step: &'a Node,
        env: &Env<'_, 'a>,
        item: I,
        out: Each<'_, 'a, I>,
    ) -> Flow<'a> {
        self.tick()?;
        out(self, item.clone())?;
        item.walk(self, step, env, &mut |ctx, item| {
            ctx.walk_recurse(step, env, item, out)
        })
    }

    pub(super) fn walk_last<I: Item<'a>>(
        &mut self,
        body: &'a Node,
        env: &Env<'_, 'a>,
        item: I,
        out: Each<'_, 'a, I>,
    ) -> Flow<'a> {
        let mut last = None;
        item.walk(self, body, env, &mut |_, item| {
            last = Some(item);
            Ok(())
        })?;
        match last {
            Some(item) => out(self, item),
            None => Ok(()),
        }
    }

    /// The first few items.
    pub(super) fn walk_first<I: Item<'a>>(
        &mut self,
        count: f64,
        body: &'a Node,
        env: &Env<'_, 'a>,
        item: I,
        out: Each<'_, 'a, I>,
    ) -> Flow<'a> {
        let mut left = count;
        self.until_enough(|ctx, mark| {
            item.walk(ctx, body, env, &mut |ctx, item| {
                left -= 1.0;
                out(ctx, item)?;
                if left <= 0.0 {
                    Err(Stop::enough(mark))
                } else {
                    Ok(())
                }
            })
        })
    }

    /// `limit`, `skip` and `nth`, for every count.
    pub(super) fn walk_counted<I: Item<'a>>(
        &mut self,
        special: Special,
        args: &'a [Node],
        env: &Env<'_, 'a>,
        item: I,
        out: Each<'_, 'a, I>,
    ) -> Flow<'a> {
        let [count, body] = args else {
            return Ok(());
        };
        self.many(count, env, item.value().clone(), &mut |ctx, count| {
            let Some(count) = ctx.check_count(special, &count)? else {
                return Ok(());
            };
            let item = item.clone();
            let mut to_skip = count;
            let mut skips = || {
                to_skip -= 1.0;
                to_skip >= 0.0
            };
            match special {
                Special::Limit => ctx.walk_first(count, body, env, item, out),
                Special::Skip => item.walk(ctx, body, env, &mut |ctx, item| {
                    if skips() { Ok(()) } else { out(ctx, item) }
                }),
                _ => ctx.until_enough(|ctx, mark| {
                    item.walk(ctx, body, env, &mut |ctx, item| {
                        if skips() {
                            return Ok(());
                        }
                        out(ctx, item)?;
                        Err(Stop::enough(mark))
                    })
                }),
            }
        })
    }
}
