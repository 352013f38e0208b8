//! Beside `impl WebhookProcessor for T`: the description of `T`, and its registration.

use proc_macro2::Span;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::{conditions, spec};
use crate::{item::Block, model::Processor, paths::Paths};

/// Everything beside the block.
pub(super) fn expand(
    block: &Block,
    processor: &Processor,
    paths: &Paths,
) -> proc_macro2::TokenStream {
    let self_type = &block.self_type;
    let private = paths.private(Span::call_site());
    let cfg = conditions(&block.attributes);
    let spec = spec::spec(
        processor,
        &block.attributes,
        Some(quote!(#private::RetryPolicy::of::<Self>())),
        None,
        self_type.span(),
        paths,
    );
    let span = self_type.span();
    let at_type = paths.private(span);
    let make = quote_spanned!(span=> #at_type::make_by_default::<#self_type>);
    quote! {
        #cfg
        #[automatically_derived]
        #[allow(unreachable_pub, dead_code, clippy::all, clippy::pedantic)]
        impl #self_type {
            /// What is known of the processor before an event arrives.
            pub const SPEC: #private::ProcessorSpec = #spec;
        }

        #cfg
        #private::inventory::submit! {
            #private::Registration {
                spec: &<#self_type>::SPEC,
                make: #make,
            }
        }
    }
}
