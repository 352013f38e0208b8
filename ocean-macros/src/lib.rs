//! The attribute `#[webhook_processor(..)]`.
//!
//! Four steps, each knowing only the one before: `args` reads the attribute's tokens, `item` reads
//! the signature of what it stands on, `model` checks both against each other, and `expand` writes
//! code. **Every mistake is collected and reported at its own token in one compile; the user's
//! item is always re-emitted untouched, and its body is never parsed.**
//!
//! The attribute is documented where users find it, at its re-export in `ocean_core`.

use proc_macro::TokenStream;

mod args;
mod error;
mod expand;
mod item;
mod model;
mod paths;
#[cfg(test)]
mod tests;

#[allow(missing_docs, reason = "documented at the re-export in `ocean_core`")]
#[proc_macro_attribute]
pub fn webhook_processor(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::webhook_processor(args.into(), item.into()).into()
}
