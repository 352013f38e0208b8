//! Values as streams of events, and back.

use super::loops::keyed_item;
use super::{Ctx, Env, Flow, Out};
use crate::node::Node;
use crate::value::Value;

impl<'a> Ctx<'a> {
    pub(super) fn stream_events(
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

    pub(super) fn rebuild_stream(
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

    pub(super) fn truncate_stream(
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
