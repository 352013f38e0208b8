//! jaq with all its builtins, as the benchmarks call it.

use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Ctx, Vars, data, unwrap_valr};
use jaq_json::Val;

pub(crate) type Filter = jaq_core::compile::Filter<jaq_core::Native<data::JustLut<Val>>>;

/// The compiled program; `None` when jaq does not take it.
pub(crate) fn compile(text: &str) -> Option<Filter> {
    let defs = jaq_core::defs()
        .chain(jaq_std::defs())
        .chain(jaq_json::defs());
    let funs = jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs());
    let arena = Arena::default();
    let modules = Loader::new(defs)
        .load(
            &arena,
            File {
                code: text,
                path: (),
            },
        )
        .ok()?;
    jaq_core::Compiler::default()
        .with_funs(funs)
        .compile(modules)
        .ok()
}

/// The first output, or the error in front of it.
pub(crate) fn first(filter: &Filter, input: &Val) -> Option<Result<Val, String>> {
    let ctx = Ctx::<data::JustLut<Val>>::new(&filter.lut, Vars::new([]));
    let mut outputs = filter.id.run((ctx, input.clone())).map(unwrap_valr);
    outputs
        .next()
        .map(|output| output.map_err(|error| error.to_string()))
}
