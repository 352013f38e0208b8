//! Collects mistakes, so that one compile reports them all.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::Error;

/// The mistakes found so far.
#[derive(Default)]
pub(crate) struct Errors(Vec<Error>);

impl Errors {
    /// Reports a mistake at all of `tokens`.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.0.push(Error::new_spanned(tokens, message));
    }

    /// Reports a mistake at `span`.
    pub(crate) fn at_span(&mut self, span: Span, message: impl Display) {
        self.0.push(Error::new(span, message));
    }

    /// Takes over a mistake that the parser found.
    pub(crate) fn push(&mut self, error: Error) {
        self.0.push(error);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl ToTokens for Errors {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.0.iter().map(Error::to_compile_error));
    }
}

/// The entry of `known` that `written` was probably meant to be.
pub(crate) fn nearest<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let similar = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(written, name), *name))
        .min()
        .filter(|(distance, _)| *distance <= (written.len() / 3).max(1))
        .map(|(_, name)| name);
    // `retries` is far from `max_retries` letter by letter, and yet means nothing else.
    similar.or_else(|| {
        known
            .iter()
            .find(|name| written.len() > 3 && (name.contains(written) || written.contains(**name)))
            .copied()
    })
}

/// `a`, `b` and `c`, each in backticks.
pub(crate) fn list(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match &*quoted {
        [] => String::new(),
        [only] => only.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}
