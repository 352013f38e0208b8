//! Procedural macros of Ocean for Rust.

use proc_macro::TokenStream;

/// Registers a processor.
#[proc_macro_attribute]
pub fn webhook_processor(_: TokenStream, item: TokenStream) -> TokenStream {
    item
}
