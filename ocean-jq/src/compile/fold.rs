//! Folding: nodes of constants become constants.

use super::try_constant;
use crate::eval::{Ctx, Env};
use crate::limits::Limits;
use crate::node::{Code, Node, Op};
use crate::options::Clock;
use crate::value::Value;

/// Folded constants stay small: `"ab" * 1000000` is cheaper to repeat than to carry around.
const MAX_BYTES: usize = 16 << 10;

/// The constant of a node whose children are constants; the node itself when it has none.
pub(super) fn constant_node(node: Node) -> Node {
    if !is_constant_work(&node) {
        return node;
    }
    // Nodes that fail are left to fail when they are evaluated.
    let code = Code {
        main: node,
        funcs: Vec::new(),
        clock: Clock::fixed(0.0),
    };
    let limits = Limits {
        steps: 10_000,
        bytes: MAX_BYTES,
        ..Limits::default()
    };
    let folded = {
        let mut ctx = Ctx::new(&code, &limits);
        ctx.one(&code.main, &Env::root(), Value::NULL)
            .ok()
            .and_then(|value| try_constant(&value))
    };
    folded.unwrap_or(code.main)
}

fn is_constant_work(node: &Node) -> bool {
    let is_constant = |node: &Node| node.constant().is_some();
    if !node.single {
        return false;
    }
    match &node.op {
        Op::Binary { left, right, .. } => is_constant(left) && is_constant(right),
        // `[1, 2]` collects constants only.
        Op::Collect(body) => match &body.op {
            Op::Comma(parts) => parts.iter().all(is_constant),
            _ => is_constant(body),
        },
        Op::Object(entries) => entries
            .iter()
            .all(|(key, value)| is_constant(key) && value.as_ref().is_some_and(is_constant)),
        Op::Pipe(parts) => match &**parts {
            [
                first,
                Node {
                    op: Op::Native { args, .. },
                    ..
                },
            ] => is_constant(first) && args.is_empty(),
            _ => false,
        },
        _ => false,
    }
}
