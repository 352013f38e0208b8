//! Builtins on values: plain functions, held by nodes.

use std::fmt;

use crate::eval::{Ctx, Res};
use crate::value::Value;

/// What a builtin on values looks like.
pub(crate) type Run = for<'x> fn(&mut Ctx<'x>, Value<'x>, &mut [Value<'x>]) -> Res<'x>;

/// The function of a native node.
#[derive(Clone, Copy)]
pub(crate) struct NativeFn(pub(crate) Run);

impl fmt::Debug for NativeFn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("native")
    }
}
