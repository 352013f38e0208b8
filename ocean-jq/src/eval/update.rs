//! Assignments: `=`, `|=` and the arithmetic ones.

use super::{Ctx, Env, Flow, Out, Res};
use crate::node::{Node, Op};
use crate::syntax::ast::BinaryOp;
use crate::value::{Key, Kind, Map, Value};

/// The new value of a place, or nothing to delete the place.
type Update<'u, 'a> =
    &'u mut dyn FnMut(&mut Ctx<'a>, Value<'a>) -> Result<Option<Value<'a>>, super::Stop<'a>>;

impl<'a> Ctx<'a> {
    #[inline(never)]
    pub(super) fn update_one(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
    ) -> Res<'a> {
        match &node.op {
            Op::Modify { paths, update } => {
                if matches!(paths.op, Op::Iterate { optional: false }) {
                    return self.modify_items(update, env, input);
                }
                self.modify(paths, env, input, &mut |ctx, value| {
                    ctx.first_of(update, env, value)
                })
            }
            Op::Assign { paths, value } => {
                let value = self.one(value, env, input.clone())?;
                self.assign(paths, env, input, &value)
            }
            Op::UpdateWith { op, paths, value } => {
                let value = self.one(value, env, input.clone())?;
                self.update_with(*op, paths, env, input, &value)
            }
            _ => Ok(input),
        }
    }

    /// Every output of the right side makes an output of its own.
    pub(super) fn many_update(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        match &node.op {
            Op::Assign { paths, value } => {
                self.many(value, env, input.clone(), &mut |ctx, value| {
                    let updated = ctx.assign(paths, env, input.clone(), &value)?;
                    out(ctx, updated)
                })
            }
            Op::UpdateWith { op, paths, value } => {
                self.many(value, env, input.clone(), &mut |ctx, value| {
                    let updated = ctx.update_with(*op, paths, env, input.clone(), &value)?;
                    out(ctx, updated)
                })
            }
            _ => Ok(()),
        }
    }

    fn assign(
        &mut self,
        paths: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        value: &Value<'a>,
    ) -> Res<'a> {
        let mut root = Some(input.clone());
        self.each_path(paths, env, input, &mut |ctx, path| {
            let before = root.take().unwrap_or(Value::NULL);
            root = Some(ctx.setpath(before, &path, value.clone())?);
            Ok(())
        })?;
        Ok(root.unwrap_or(Value::NULL))
    }

    fn update_with(
        &mut self,
        op: BinaryOp,
        paths: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        value: &Value<'a>,
    ) -> Res<'a> {
        self.modify(paths, env, input, &mut |ctx, place| {
            ctx.binary(op, place, value.clone()).map(Some)
        })
    }

    fn modify(
        &mut self,
        paths: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        update: Update<'_, 'a>,
    ) -> Res<'a> {
        let mut root = Some(input.clone());
        let mut doomed = Vec::new();
        self.each_path(paths, env, input, &mut |ctx, path| {
            let before = root.take().unwrap_or(Value::NULL);
            let place = ctx.getpath(before.clone(), &path)?;
            match update(ctx, place)? {
                Some(value) => root = Some(ctx.setpath(before, &path, value)?),
                None => {
                    ctx.charge_items(1)?;
                    doomed.push(path);
                    root = Some(before);
                }
            }
            Ok(())
        })?;
        let root = root.unwrap_or(Value::NULL);
        if doomed.is_empty() {
            return Ok(root);
        }
        let doomed = self.array(doomed)?;
        self.delpaths(root, &doomed)
    }

    /// `.[] |= f`, the body of `map_values`, in one pass.
    fn modify_items(&mut self, update: &'a Node, env: &Env<'_, 'a>, input: Value<'a>) -> Res<'a> {
        match input.kind() {
            Kind::Array => {
                let mut items = Vec::with_capacity(input.len().unwrap_or(0));
                for item in input.items() {
                    self.work(1)?;
                    if let Some(value) = self.first_of(update, env, item)? {
                        items.push(value);
                    }
                }
                self.array(items)
            }
            Kind::Object => {
                let mut map = Map::with_capacity(input.len().unwrap_or(0));
                for (key, item) in input.entries() {
                    self.charge(size_of::<(Key<'_>, Value<'_>)>())?;
                    if let Some(value) = self.first_of(update, env, item)? {
                        map.push_unique(key, value);
                    }
                }
                self.object(map)
            }
            _ => {
                let mut nothing = |_: &mut Ctx<'a>, _: Value<'a>| Ok(());
                self.iterate(false, input.clone(), &mut nothing)?;
                Ok(input)
            }
        }
    }
}
