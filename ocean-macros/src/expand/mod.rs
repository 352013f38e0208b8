//! Writes the code: the user's item as it was, then what stands beside it.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Meta, Token, punctuated::Punctuated};

mod block;
mod function;
mod spec;

use crate::{
    error::Errors,
    item::Item,
    model::{self, Processor},
    paths::Paths,
};

/// The whole expansion. The item comes first and untouched, so that editors keep working on it
/// whatever is wrong with the attribute.
pub(crate) fn webhook_processor(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let arguments = model::arguments(args, &mut errors);
    let beside = match syn::parse2::<Item>(item.clone()) {
        Ok(parsed) => {
            let declared = Processor::check(&arguments, &parsed, &mut errors);
            let paths = Paths::new(declared.root.as_ref());
            match (&parsed, &declared.processor) {
                (Item::Function(function), Some(processor)) => {
                    function::expand(function, processor, &paths)
                }
                (Item::Block(block), Some(processor)) => block::expand(block, processor, &paths),
                (Item::Function(function), None) => function::placeholder(function, &paths),
                (Item::Block(_), None) => TokenStream::new(),
            }
        }
        Err(error) => {
            errors.push(error);
            TokenStream::new()
        }
    };
    quote!(#item #beside #errors)
}

/// The `cfg` attributes among `attributes`: what stands beside the item exists only where the item
/// does. The attribute macro runs before they are evaluated.
fn conditions(attributes: &[Attribute]) -> TokenStream {
    attributes
        .iter()
        .filter_map(|attribute| {
            if attribute.path().is_ident("cfg") {
                return Some(quote!(#attribute));
            }
            // `cfg_attr` may hold a `cfg` beside attributes that make sense only on the item.
            let Meta::List(list) = &attribute.meta else {
                return None;
            };
            if !list.path.is_ident("cfg_attr") {
                return None;
            }
            let metas = list
                .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
                .ok()?;
            let predicate = metas.first()?;
            let cfgs: Vec<_> = metas
                .iter()
                .skip(1)
                .filter(|meta| meta.path().is_ident("cfg"))
                .collect();
            (!cfgs.is_empty()).then(|| quote!(#[cfg_attr(#predicate, #(#cfgs),*)]))
        })
        .collect()
}
