//! Where expansions find what they use: one module, whatever the user's crate calls `ocean_core`.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::Path;

/// The way to `ocean_core::__private`, which exports everything that expansions name.
pub(crate) struct Paths(Option<Path>);

impl Paths {
    /// The way by `root`, the value of the key `crate`, or by `::ocean_core`.
    pub(crate) fn new(root: Option<&Path>) -> Self {
        Self(root.cloned())
    }

    /// The module, with `span` as the place of errors.
    pub(crate) fn private(&self, span: Span) -> TokenStream {
        match &self.0 {
            Some(root) => {
                let root = at(quote!(#root), span);
                quote_spanned!(span=> #root::__private)
            }
            None => quote_spanned!(span=> ::ocean_core::__private),
        }
    }
}

/// The local variable `__name`, at `span`.
pub(crate) fn local(name: &str, span: Span) -> Ident {
    Ident::new(&format!("__{name}"), span)
}

/// The same variable at another place: errors about a call point at its argument only if both
/// come from the same expansion, so a variable is located where it is used.
pub(crate) fn used_at(local: &Ident, span: Span) -> Ident {
    Ident::new(&local.to_string(), local.span().located_at(span))
}

// Locations only: `crate` and `self` must still mean the user's crate and module.
fn at(tokens: TokenStream, span: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token: TokenTree| {
            token.set_span(token.span().located_at(span));
            token
        })
        .collect()
}
