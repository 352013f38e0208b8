//! The attribute's tokens as a list of keys with values, nothing checked yet but the grammar:
//! `key`, `key = value` and `key(..)`, separated by commas.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    ExprPath, Ident, Lit, LitStr, Token, bracketed,
    ext::IdentExt as _,
    parse::{Parse, ParseStream, Parser as _},
    token,
};

use crate::error::Errors;

/// One entry of the attribute.
pub(crate) struct Argument {
    pub(crate) key: Ident,
    pub(crate) value: Value,
}

/// What stands behind a key.
pub(crate) enum Value {
    /// Nothing.
    Flag,
    /// `=` and nothing, at the `=`.
    Missing(Span),
    /// Something without `=`, at its start.
    Unassigned(Span),
    /// `= operand`.
    Is(Operand),
    /// `(..)`.
    Nested(Group),
}

/// What stands behind `=`.
pub(crate) enum Operand {
    /// A literal; numbers may be negative.
    Literal(Lit),
    /// `[..]`, with its tokens.
    List(Vec<Operand>, TokenStream),
    /// A path.
    Path(ExprPath),
    /// Anything else.
    Other(TokenStream),
}

/// Reads `tokens`. What does not follow the grammar is reported and left out; `example` says how
/// it could be written.
pub(crate) fn parse(tokens: TokenStream, example: &str, errors: &mut Errors) -> Vec<Argument> {
    let mut arguments = Vec::new();
    let read = |input: ParseStream<'_>| {
        while !input.is_empty() {
            match argument(input, example, errors) {
                Ok(argument) => arguments.push(argument),
                Err(error) => {
                    errors.push(error);
                    skip_to_comma(input);
                }
            }
            if input.is_empty() || input.parse::<Option<Token![,]>>()?.is_some() {
                continue;
            }
            // A forgotten comma: what follows is most likely the next key.
            let follows = input.fork().parse::<TokenTree>()?;
            errors.at(&follows, format!("expected `,` before `{follows}`"));
            if !input.peek(Ident::peek_any) {
                skip_to_comma(input);
                input.parse::<Option<Token![,]>>()?;
            }
        }
        Ok(())
    };
    if let Err(error) = read.parse2(tokens) {
        errors.push(error);
    }
    arguments
}

fn argument(input: ParseStream<'_>, example: &str, errors: &mut Errors) -> syn::Result<Argument> {
    if !input.peek(Ident::peek_any) {
        return keyless(input, example, errors);
    }
    let key = input.call(Ident::parse_any)?;
    let value = if input.peek(token::Paren) {
        Value::Nested(input.parse()?)
    } else if let Some(equals) = input.parse::<Option<Token![=]>>()? {
        if input.is_empty() || input.peek(Token![,]) {
            Value::Missing(equals.span)
        } else {
            Value::Is(input.parse()?)
        }
    } else if input.is_empty() || input.peek(Token![,]) || input.peek(Ident::peek_any) {
        Value::Flag
    } else {
        let span = input.span();
        skip_to_comma(input);
        Value::Unassigned(span)
    };
    Ok(Argument { key, value })
}

/// A value without key. A pointer or path was meant for the first key, and is taken for it so that
/// the key is not reported as missing too.
fn keyless(input: ParseStream<'_>, example: &str, errors: &mut Errors) -> syn::Result<Argument> {
    let (first, _) = example.split_once(' ').unwrap_or((example, ""));
    if let Ok(text) = input.fork().parse::<LitStr>()
        && text.value().starts_with('/')
    {
        let message = format!("expected a key; write `{first} = {:?}`", text.value());
        errors.at(&text, message);
        return Ok(Argument {
            key: Ident::new(first, text.span()),
            value: Value::Is(input.parse()?),
        });
    }
    let found: TokenTree = input.parse()?;
    let message = format!("expected a key, such as `{example}`, found `{found}`");
    Err(syn::Error::new(found.span(), message))
}

fn skip_to_comma(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        if input.parse::<TokenTree>().is_err() {
            return;
        }
    }
}

// === impl Operand ===

impl Parse for Operand {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Lit) {
            return input.parse().map(Self::Literal);
        }
        if input.peek(token::Bracket) {
            let brackets = input.fork().parse::<Group>()?.to_token_stream();
            let content;
            bracketed!(content in input);
            let entries = content.parse_terminated(Self::parse, Token![,])?;
            return Ok(Self::List(entries.into_iter().collect(), brackets));
        }
        if let Ok(path) = input.fork().parse::<ExprPath>() {
            // A path that goes on, as in a call or a macro, is none.
            let ahead = input.fork();
            let _: ExprPath = ahead.parse()?;
            if ahead.is_empty() || ahead.peek(Token![,]) || ahead.peek(Ident::peek_any) {
                input.parse::<ExprPath>()?;
                return Ok(Self::Path(path));
            }
        }
        let mut other = TokenStream::new();
        while !input.is_empty() && !input.peek(Token![,]) {
            other.extend([input.parse::<TokenTree>()?]);
        }
        Ok(Self::Other(other))
    }
}

impl ToTokens for Operand {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Literal(literal) => literal.to_tokens(tokens),
            Self::Path(path) => path.to_tokens(tokens),
            Self::List(_, all) | Self::Other(all) => all.to_tokens(tokens),
        }
    }
}

impl Operand {
    /// What it is, for "expected .., found ..".
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::Literal(Lit::Str(_)) => "a string",
            Self::Literal(Lit::Int(_)) => "an integer",
            Self::Literal(Lit::Float(_)) => "a float",
            Self::Literal(Lit::Bool(_)) => "a boolean",
            Self::Literal(Lit::Char(_)) => "a character",
            Self::Literal(_) => "a literal of another type",
            Self::List(..) => "a list",
            Self::Path(_) => "a path",
            Self::Other(_) => "an expression",
        }
    }
}

impl Value {
    /// Where errors about it point, given the key before it.
    pub(crate) fn span(&self, key: &Ident) -> Span {
        match self {
            Self::Flag => key.span(),
            Self::Missing(span) | Self::Unassigned(span) => *span,
            Self::Is(operand) => syn::spanned::Spanned::span(operand),
            Self::Nested(group) => group.span(),
        }
    }
}
