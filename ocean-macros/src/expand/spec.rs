//! The constant description, as a chain of `ProcessorSpec`'s builder methods.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

use crate::{
    model::{Condition, Events, Literal, Processor, Subject, Test},
    paths::Paths,
};

/// The description of `processor`, placed at `place`, whose line it reports. `retry` and `needs`
/// differ between functions and blocks.
pub(super) fn spec(
    processor: &Processor,
    attributes: &[Attribute],
    retry: Option<TokenStream>,
    needs: Option<TokenStream>,
    place: Span,
    paths: &Paths,
) -> TokenStream {
    let private = paths.private(Span::call_site());
    let (name, path) = (&processor.name, &processor.path);
    let located = paths.private(place);
    let new = quote_spanned!(place=> #located::ProcessorSpec::new(#name, #path));
    let mut parts = vec![new];
    match &processor.kinds {
        None => parts.push(quote!(.action())),
        Some(kinds) if kinds.is_empty() => {}
        Some(kinds) => parts.push(quote!(.kinds(&[#(#kinds),*]))),
    }
    match &processor.events {
        Events::Any => {}
        Events::OneOf(names) => parts.push(quote!(.events(&[#(#names),*]))),
        Events::Prefix(prefix) => parts.push(quote!(.event_prefix(#prefix))),
    }
    if !processor.conditions.is_empty() {
        let conditions = processor.conditions.iter().map(|c| condition(c, &private));
        parts.push(quote!(.when(&[#(#conditions),*])));
    }
    if !processor.requires.is_empty() {
        let pointers = &processor.requires;
        parts.push(quote!(.requires(&[#(#pointers),*])));
    }
    if let Some(guard) = &processor.guard {
        parts.push(quote!(.guard(#guard)));
    }
    if !processor.key.is_empty() {
        let pointers = &processor.key;
        parts.push(quote!(.key(&[#(#pointers),*])));
    }
    if processor.coalesce {
        parts.push(quote!(.coalesce()));
    }
    if let Some(delete) = &processor.delete {
        let (on, pointer) = (&delete.on, &delete.pointer);
        parts.push(quote!(.delete(&[#(#on),*], #pointer)));
        if !delete.when.is_empty() {
            let conditions = delete.when.iter().map(|c| condition(c, &private));
            parts.push(quote!(.delete_when(&[#(#conditions),*])));
        }
    }
    if let Some(enrich) = &processor.enrich {
        parts.push(quote!(.enrich(#enrich)));
    }
    parts.extend(retry.map(|retry| quote!(.retry(#retry))));
    if let Some(timeout) = processor.timeout {
        let timeout = duration(timeout, &private);
        parts.push(quote!(.timeout(#timeout)));
    }
    parts.extend(needs.map(|needs| quote!(.needs(#needs))));
    if let Some(docs) = docs(attributes) {
        parts.push(quote!(.docs(#docs)));
    }
    quote!(#(#parts)*)
}

/// An expression of type `Duration`.
pub(super) fn duration(duration: Duration, private: &TokenStream) -> TokenStream {
    // The longest that can be written is `u64::MAX` seconds, which no number of milliseconds holds.
    if duration.subsec_millis() == 0 {
        let seconds = duration.as_secs();
        quote!(#private::Duration::from_secs(#seconds))
    } else {
        let (seconds, nanoseconds) = (duration.as_secs(), duration.subsec_nanos());
        quote!(#private::Duration::new(#seconds, #nanoseconds))
    }
}

fn condition(condition: &Condition, private: &TokenStream) -> TokenStream {
    let subject = match &condition.subject {
        Subject::Pointer(pointer) => quote!(Pointer(#pointer)),
        Subject::Header(name) => quote!(Header(#name)),
    };
    let literal = |literal: &Literal| match literal {
        Literal::Str(text) => quote!(#private::Literal::Str(#text)),
        Literal::Int(number) => quote!(#private::Literal::Int(#number)),
        Literal::Bool(value) => quote!(#private::Literal::Bool(#value)),
    };
    let test = match &condition.test {
        Test::Eq(value) => {
            let value = literal(value);
            quote!(Eq(#value))
        }
        Test::Ne(value) => {
            let value = literal(value);
            quote!(Ne(#value))
        }
        Test::In(values) => {
            let values = values.iter().map(literal);
            quote!(In(&[#(#values),*]))
        }
        Test::Prefix(text) => quote!(Prefix(#text)),
        Test::Suffix(text) => quote!(Suffix(#text)),
    };
    quote! {
        #private::Condition {
            subject: #private::Subject::#subject,
            test: #private::Test::#test,
        }
    }
}

/// The item's documentation as one string expression, without the space that `///` leaves.
fn docs(attributes: &[Attribute]) -> Option<TokenStream> {
    let lines: Vec<&Expr> = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"))
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(pair) => Some(&pair.value),
            _ => None,
        })
        .collect();
    let texts: Option<Vec<String>> = lines
        .iter()
        .map(|line| match line {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) => Some(text.value()),
            _ => None,
        })
        .collect();
    if lines.is_empty() {
        return None;
    }
    let Some(texts) = texts else {
        // Documentation that is computed, such as by `include_str!`.
        return Some(quote!(::core::concat!(#(#lines, "\n"),*)));
    };
    let text: Vec<&str> = texts
        .iter()
        .flat_map(|text| text.split('\n'))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    let text = text.join("\n");
    let text = text.trim();
    Some(quote!(#text))
}
