//! What the attribute stands on: attributes, signature or header, and the names in the block.
//! Bodies stay token streams.

use proc_macro2::{Group, TokenStream, TokenTree};
use syn::{
    Attribute, FnArg, Generics, Ident, Signature, Token, Type, Visibility, WhereClause,
    parse::{Parse, ParseStream},
    token,
};

/// An item that the attribute can stand on.
pub(crate) enum Item {
    /// `async fn`.
    Function(Box<Function>),
    /// `impl WebhookProcessor for T`.
    Block(Box<Block>),
}

/// A function without its body.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
}

/// An impl block without its bodies.
pub(crate) struct Block {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) unsafety: Option<Token![unsafe]>,
    pub(crate) generics: Generics,
    /// The trait; `None` for an inherent impl.
    pub(crate) trait_type: Option<Type>,
    pub(crate) self_type: Type,
    /// The names of its functions and constants.
    pub(crate) members: Vec<Ident>,
}

impl Item {
    pub(crate) fn attributes(&self) -> &[Attribute] {
        match self {
            Self::Function(function) => &function.attributes,
            Self::Block(block) => &block.attributes,
        }
    }
}

impl Function {
    /// Its arguments, without a receiver.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &syn::PatType> {
        self.signature
            .inputs
            .iter()
            .filter_map(|input| match input {
                FnArg::Typed(argument) => Some(argument),
                FnArg::Receiver(_) => None,
            })
    }
}

impl Block {
    /// Whether it has a function or constant of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.iter().any(|member| member == name)
    }
}

/// A second `#[webhook_processor]` among `attributes`.
pub(crate) fn other_attribute(attributes: &[Attribute]) -> Option<&Attribute> {
    attributes.iter().find(|attribute| {
        let last = attribute.path().segments.last();
        last.is_some_and(|segment| segment.ident == "webhook_processor")
    })
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        if input.peek(Token![impl]) || (input.peek(Token![unsafe]) && input.peek2(Token![impl])) {
            return block(attributes, input).map(|block| Self::Block(Box::new(block)));
        }
        let visibility = input.parse()?;
        let keyword = input.fork();
        let Ok(signature) = input.parse::<Signature>() else {
            return Err(keyword.error(
                "`#[webhook_processor]` goes on an `async fn` or on `impl WebhookProcessor for T`",
            ));
        };
        input.parse::<TokenStream>()?;
        Ok(Self::Function(Box::new(Function {
            attributes,
            visibility,
            signature,
        })))
    }
}

fn block(attributes: Vec<Attribute>, input: ParseStream<'_>) -> syn::Result<Block> {
    let unsafety = input.parse()?;
    input.parse::<Token![impl]>()?;
    let mut generics = if input.peek(Token![<]) {
        input.parse()?
    } else {
        Generics::default()
    };
    input.parse::<Option<Token![!]>>()?;
    let first: Type = input.parse()?;
    let (trait_type, self_type) = if input.parse::<Option<Token![for]>>()?.is_some() {
        (Some(first), input.parse()?)
    } else {
        (None, first)
    };
    generics.where_clause = if input.peek(Token![where]) {
        Some(input.parse::<WhereClause>()?)
    } else {
        None
    };
    if !input.peek(token::Brace) {
        return Err(input.error("expected the block"));
    }
    let body: Group = input.parse()?;
    Ok(Block {
        attributes,
        unsafety,
        generics,
        trait_type,
        self_type,
        members: members(body.stream()),
    })
}

// Attributes, signatures and bodies are groups or hold no `fn` and `const` before a name on this
// level, except `const` in types, which no member of the trait is named after.
fn members(body: TokenStream) -> Vec<Ident> {
    let mut members = Vec::new();
    let mut announced = false;
    for token in body {
        let TokenTree::Ident(ident) = token else {
            announced = false;
            continue;
        };
        if announced {
            members.push(ident.clone());
        }
        announced = ident == "fn" || ident == "const";
    }
    members
}
