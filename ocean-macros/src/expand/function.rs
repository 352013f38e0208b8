//! Beside an `async fn`: a type of its name that carries the description and implements the trait
//! by calling the function, and its registration.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    ExprPath, GenericArgument, GenericParam, Ident, PathArguments, ReturnType, Type,
    ext::IdentExt as _, spanned::Spanned as _,
};

use super::{conditions, spec};
use crate::{
    item::{self, Function},
    model::{Hooks, Processor, Retry},
    paths::{Paths, local, used_at},
};

/// Everything beside the function.
pub(super) fn expand(function: &Function, processor: &Processor, paths: &Paths) -> TokenStream {
    let name = &function.signature.ident;
    let private = paths.private(Span::call_site());
    let cfg = conditions(&function.attributes);
    let arguments = argument_types(function);
    let needs = (!arguments.is_empty()).then(|| {
        let needs = arguments.iter().map(|ty| {
            let private = paths.private(ty.span);
            let ty = &ty.tokens;
            quote_spanned!(ty.span()=> <#ty as #private::FromEvent>::NEED)
        });
        quote!(&[#(#needs),*])
    });
    let spec = spec::spec(
        processor,
        &function.attributes,
        retry_policy(&processor.retry, &private),
        needs,
        name.span(),
        paths,
    );
    let named = named_type(function, &spec, paths);
    let constants = retry_constants(&processor.retry, &private);
    let handler = handler(function, &arguments, paths);
    let hooks = hooks(&processor.hooks, paths);
    quote! {
        #named

        #cfg
        #[automatically_derived]
        #[allow(deprecated, clippy::all, clippy::pedantic)]
        impl #private::WebhookProcessor for #name {
            #constants
            #handler
            #hooks
        }

        #cfg
        #private::inventory::submit! {
            #private::Registration {
                spec: &#name::SPEC,
                make: || #private::Arc::new(#name {}),
            }
        }
    }
}

/// The type alone, where the attribute is mistaken: code that names it has no mistake of its own.
pub(super) fn placeholder(function: &Function, paths: &Paths) -> TokenStream {
    // A method has no room for a type beside it, and a second attribute makes the same type.
    let is_method = function.signature.receiver().is_some();
    if is_method || item::other_attribute(&function.attributes).is_some() {
        return TokenStream::new();
    }
    let name = function.signature.ident.unraw().to_string();
    let private = paths.private(Span::call_site());
    named_type(
        function,
        &quote!(#private::ProcessorSpec::new(#name, "/")),
        paths,
    )
}

fn named_type(function: &Function, spec: &TokenStream, paths: &Paths) -> TokenStream {
    let name = &function.signature.ident;
    let visibility = &function.visibility;
    let private = paths.private(Span::call_site());
    let cfg = conditions(&function.attributes);
    let docs = format!("The processor made of the function [`{name}`](fn@{name}).");
    quote! {
        #cfg
        #[doc = #docs]
        #[allow(non_camel_case_types, unreachable_pub, dead_code)]
        #[derive(
            ::core::clone::Clone,
            ::core::marker::Copy,
            ::core::fmt::Debug,
            ::core::default::Default
        )]
        #visibility struct #name {}

        #cfg
        #[automatically_derived]
        #[allow(unreachable_pub, dead_code, clippy::all, clippy::pedantic)]
        impl #name {
            /// What is known of the processor before an event arrives.
            #visibility const SPEC: #private::ProcessorSpec = #spec;
        }
    }
}

// === The handler ===

struct ArgumentType {
    tokens: TokenStream,
    span: Span,
}

/// The types of the arguments. Lifetimes that the function declares are left to inference, since
/// they mean nothing outside of it.
fn argument_types(function: &Function) -> Vec<ArgumentType> {
    let lifetimes: Vec<Ident> = function
        .signature
        .generics
        .params
        .iter()
        .filter_map(|parameter| match parameter {
            GenericParam::Lifetime(declared) => Some(declared.lifetime.ident.clone()),
            _ => None,
        })
        .collect();
    function
        .arguments()
        .map(|argument| ArgumentType {
            tokens: infer(argument.ty.to_token_stream(), &lifetimes),
            span: argument.ty.span(),
        })
        .collect()
}

fn infer(tokens: TokenStream, lifetimes: &[Ident]) -> TokenStream {
    let mut after_apostrophe = false;
    tokens
        .into_iter()
        .map(|token| {
            let is_name = std::mem::take(&mut after_apostrophe);
            match token {
                TokenTree::Ident(name) if is_name && lifetimes.contains(&name) => {
                    Ident::new("_", name.span()).into()
                }
                TokenTree::Punct(punct) => {
                    after_apostrophe = punct.as_char() == '\'';
                    punct.into()
                }
                TokenTree::Group(group) => {
                    let mut inner = Group::new(group.delimiter(), infer(group.stream(), lifetimes));
                    inner.set_span(group.span());
                    inner.into()
                }
                other => other,
            }
        })
        .collect()
}

fn handler(function: &Function, arguments: &[ArgumentType], paths: &Paths) -> TokenStream {
    let name = &function.signature.ident;
    let private = paths.private(Span::call_site());
    let cx = local("cx", Span::call_site());
    let (locals, values): (Vec<_>, Vec<_>) = arguments
        .iter()
        .enumerate()
        .map(|(place, argument)| {
            let private = paths.private(argument.span);
            let ty = &argument.tokens;
            (local(&format!("argument_{place}"), argument.span), {
                let cx = used_at(&cx, argument.span);
                quote_spanned!(argument.span=> <#ty as #private::FromEvent>::from_event(#cx))
            })
        })
        .unzip();
    let at_name = paths.private(name.span());
    let returned = local("returned", name.span());
    let call = quote_spanned! {name.span()=>
        #at_name::assert_processor_future_is_send(#name(#(#locals),*))
    };
    let result = result(&function.signature.output, &returned, paths);
    quote! {
        async fn handle_event(
            &self,
            #cx: &#private::EventContext<'_>,
        ) -> ::core::result::Result<#private::Outcome, #private::ProcessorError> {
            #(let #locals = #values?;)*
            let #returned = #call.await;
            #result
        }
    }
}

/// The handler's result as dispatch wants it. What does not fit is reported at the type that does
/// not, if the return type is a `Result` by name, else at the whole return type.
fn result(output: &ReturnType, returned: &Ident, paths: &Paths) -> TokenStream {
    let ReturnType::Type(_, ty) = output else {
        return TokenStream::new();
    };
    let Some((success, failure)) = result_arguments(ty) else {
        let span = ty.span();
        let private = paths.private(span);
        let returned = used_at(returned, span);
        return quote_spanned!(span=> #private::HandlerResult::into_result(#returned));
    };
    let (at_success, at_failure) = (paths.private(success.span()), paths.private(failure.span()));
    let value = local("value", success.span());
    let error = local("error", failure.span());
    let into_outcome = quote_spanned! {success.span()=>
        #at_success::IntoOutcome::into_outcome(#value)
    };
    let into_error = quote_spanned! {failure.span()=>
        #at_failure::IntoProcessorError::into_processor_error(#error)
    };
    quote! {
        match #returned {
            ::core::result::Result::Ok(#value) => ::core::result::Result::Ok(#into_outcome),
            ::core::result::Result::Err(#error) => ::core::result::Result::Err(#into_error),
        }
    }
}

fn result_arguments(ty: &Type) -> Option<(&Type, &Type)> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    let types: Vec<_> = arguments.args.iter().collect();
    match *types {
        [
            GenericArgument::Type(success),
            GenericArgument::Type(failure),
        ] if last.ident == "Result" => Some((success, failure)),
        _ => None,
    }
}

// === Retries and hooks ===

fn retry_policy(retry: &Retry, private: &TokenStream) -> Option<TokenStream> {
    let fields = retry_fields(retry, private);
    let all = fields.len() == 4;
    if fields.is_empty() {
        return None;
    }
    let fields = fields.into_iter().map(|(field, _, value)| {
        let field = Ident::new(field, Span::call_site());
        quote!(#field: #value)
    });
    let rest = (!all).then(|| quote!(..#private::RetryPolicy::DEFAULT));
    Some(quote!(#private::RetryPolicy { #(#fields,)* #rest }))
}

fn retry_constants(retry: &Retry, private: &TokenStream) -> TokenStream {
    retry_fields(retry, private)
        .into_iter()
        .map(|(field, constant, _)| {
            let field = Ident::new(field, Span::call_site());
            let ty = match field.to_string().as_str() {
                "max_retries" => quote!(::core::primitive::u32),
                "exponential_base" => quote!(::core::primitive::f64),
                _ => quote!(#private::Duration),
            };
            let constant = Ident::new(constant, Span::call_site());
            quote!(const #constant: #ty = Self::SPEC.retry.#field;)
        })
        .collect()
}

fn retry_fields(
    retry: &Retry,
    private: &TokenStream,
) -> Vec<(&'static str, &'static str, TokenStream)> {
    let duration = |duration| spec::duration(duration, private);
    [
        (
            "max_retries",
            "MAX_RETRIES",
            retry.max_retries.map(|count| quote!(#count)),
        ),
        (
            "initial_delay",
            "INITIAL_RETRY_DELAY",
            retry.initial_delay.map(duration),
        ),
        (
            "max_delay",
            "MAX_RETRY_DELAY",
            retry.max_delay.map(duration),
        ),
        (
            "exponential_base",
            "EXPONENTIAL_BASE",
            retry.exponential_base.map(|base| quote!(#base)),
        ),
    ]
    .into_iter()
    .filter_map(|(field, constant, value)| Some((field, constant, value?)))
    .collect()
}

fn hooks(hooks: &Hooks, paths: &Paths) -> TokenStream {
    let check = |method: &str, hook: &ExprPath| {
        let private = paths.private(Span::call_site());
        let at_hook = paths.private(hook.span());
        let method = Ident::new(method, Span::call_site());
        let event = local("event", hook.span());
        let call = quote_spanned! {hook.span()=>
            #at_hook::CheckResult::into_check(#hook(#event))
        };
        quote! {
            async fn #method(
                &self,
                #event: &#private::WebhookEvent,
            ) -> ::core::result::Result<(), #private::Rejection> {
                #call.await
            }
        }
    };
    let authenticate = hooks
        .authenticate
        .as_ref()
        .map(|hook| check("authenticate", hook));
    let validate = hooks
        .validate
        .as_ref()
        .map(|hook| check("validate_payload", hook));
    let on_error = hooks.on_error.as_ref().map(|hook| {
        let private = paths.private(Span::call_site());
        let at_hook = paths.private(hook.span());
        let (cx, error) = (local("cx", hook.span()), local("error", hook.span()));
        let call = quote_spanned! {hook.span()=>
            #at_hook::ReportResult::into_report(#hook(#cx, #error))
        };
        quote! {
            async fn on_error(
                &self,
                #cx: &#private::EventContext<'_>,
                #error: &#private::ProcessorError,
            ) {
                #call.await
            }
        }
    });
    quote!(#authenticate #validate #on_error)
}
