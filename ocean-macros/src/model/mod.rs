//! A processor as it was declared: keys and item checked against each other. Only what is made
//! here reaches the expansion.

use std::time::Duration;

use proc_macro2::Span;
use syn::{
    ExprPath, GenericParam, Ident, LitStr, Path, ReturnType, Safety, Type, ext::IdentExt as _,
};

mod keys;
mod values;

pub(crate) use keys::{Condition, Subject, Test};
pub(crate) use values::Literal;

use self::{
    keys::{Keys, example},
    values::{Keyed, shown},
};
use crate::{
    args::{self, Argument},
    error::Errors,
    item::{Block, Function, Item, other_attribute},
};

/// A processor without mistakes.
pub(crate) struct Processor {
    pub(crate) name: String,
    pub(crate) path: LitStr,
    /// What it is for; `None` for an action processor.
    pub(crate) kinds: Option<Vec<LitStr>>,
    pub(crate) events: Events,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) requires: Vec<LitStr>,
    pub(crate) guard: Option<ExprPath>,
    pub(crate) key: Vec<LitStr>,
    pub(crate) coalesce: bool,
    pub(crate) delete: Option<Delete>,
    pub(crate) enrich: Option<ExprPath>,
    pub(crate) retry: Retry,
    pub(crate) timeout: Option<Duration>,
    pub(crate) hooks: Hooks,
}

/// Which event names it is for.
pub(crate) enum Events {
    Any,
    OneOf(Vec<LitStr>),
    Prefix(LitStr),
}

/// What it deletes by declaration.
pub(crate) struct Delete {
    pub(crate) on: Vec<LitStr>,
    pub(crate) when: Vec<Condition>,
    pub(crate) pointer: LitStr,
}

/// When failed attempts are repeated, as far as it was said.
#[derive(Default)]
pub(crate) struct Retry {
    pub(crate) max_retries: Option<u32>,
    pub(crate) initial_delay: Option<Duration>,
    pub(crate) max_delay: Option<Duration>,
    pub(crate) exponential_base: Option<f64>,
}

/// Functions that stand for methods of the trait.
pub(crate) struct Hooks {
    pub(crate) authenticate: Option<ExprPath>,
    pub(crate) validate: Option<ExprPath>,
    pub(crate) on_error: Option<ExprPath>,
}

/// The way to `ocean_core`, which even a mistaken attribute may name.
pub(crate) struct Declared {
    pub(crate) root: Option<Path>,
    pub(crate) processor: Option<Processor>,
}

impl Processor {
    /// Checks what was written. There is a processor if and only if no mistake was found.
    pub(crate) fn check(arguments: &[Argument], item: &Item, errors: &mut Errors) -> Declared {
        let mut keys = Keys::read(arguments, errors);
        check_item(item, &keys, errors);
        let path = checked_path(&keys, errors);
        let events = checked_events(&keys, errors);
        let kinds = checked_kinds(&keys, item, errors);
        let delete = checked_delete(&mut keys, &events, errors);
        let name = checked_name(&keys, item, errors);
        let retry = checked_retry(&keys, errors);
        check_conditions(&keys.when, errors);
        if let (Some(coalesce), false) = (&keys.coalesce, keys.is_written("key")) {
            let message = format!(
                "`coalesce` needs to know which events are about the same thing; add `{}`",
                example("key")
            );
            errors.at(&coalesce.key, message);
        }
        let root = keys.root.map(|root| root.value);
        let (true, Some(path)) = (errors.is_empty(), path) else {
            return Declared {
                root,
                processor: None,
            };
        };
        let processor = Self {
            name,
            path,
            kinds,
            events,
            conditions: keys.when,
            requires: value_or_default(keys.requires),
            guard: keys.guard.map(|guard| guard.value),
            key: value_or_default(keys.key),
            coalesce: keys.coalesce.is_some(),
            delete,
            enrich: keys.enrich.map(|function| function.value),
            retry,
            timeout: keys.timeout.map(|timeout| timeout.value),
            hooks: Hooks {
                authenticate: keys.authenticate.map(|hook| hook.value),
                validate: keys.validate.map(|hook| hook.value),
                on_error: keys.on_error.map(|hook| hook.value),
            },
        };
        Declared {
            root,
            processor: Some(processor),
        }
    }
}

/// How a `path` is written, for the parser's messages.
pub(crate) fn first_example() -> &'static str {
    example("path")
}

fn value_or_default<T: Default>(keyed: Option<Keyed<T>>) -> T {
    keyed.map(|keyed| keyed.value).unwrap_or_default()
}

fn missing(key: &str, why: &str, errors: &mut Errors) {
    let message = format!("`{key}` is missing{why}; write `{}`", example(key));
    errors.at_span(Span::call_site(), message);
}

// === Keys against each other ===

fn checked_path(keys: &Keys, errors: &mut Errors) -> Option<LitStr> {
    let Some(Keyed { value: path, .. }) = &keys.path else {
        if !keys.is_written("path") {
            missing("path", "", errors);
        }
        return None;
    };
    let text = path.value();
    let problem = if !text.starts_with('/') {
        format!("a path starts with `/`; write `\"/{text}\"`")
    } else if let Some(rest) = text.strip_prefix("/integration/") {
        format!("`/integration` stands before every path by itself; write `\"/{rest}\"`")
    } else if text.len() > 1 && text.ends_with('/') {
        format!(
            "a path has no `/` at its end; write `\"{}\"`",
            text.trim_end_matches('/')
        )
    } else if text.contains("//") {
        "the path has an empty part; remove the extra `/`".to_owned()
    } else if let Some(wrong) = text
        .chars()
        .find(|c| c.is_whitespace() || "?#%".contains(*c))
    {
        format!("a path has no {wrong:?} in it; name only the path, as the source declares it")
    } else {
        return Some(path.clone());
    };
    errors.at(path, problem);
    None
}

fn checked_events(keys: &Keys, errors: &mut Errors) -> Events {
    let written: Vec<&Ident> = ["event", "events", "event_prefix"]
        .iter()
        .filter_map(|name| keys.written(name))
        .collect();
    if let [first, others @ ..] = &*written {
        for other in others {
            let message = format!(
                "`{first}` and `{other}` exclude each other; keep one, or list all names in `events`"
            );
            errors.at(other, message);
        }
    }
    if let Some(prefix) = &keys.event_prefix {
        return Events::Prefix(prefix.value.clone());
    }
    if let Some(events) = &keys.events {
        return Events::OneOf(events.value.clone());
    }
    match &keys.event {
        Some(event) => Events::OneOf(vec![event.value.clone()]),
        None => Events::Any,
    }
}

fn checked_kinds(keys: &Keys, item: &Item, errors: &mut Errors) -> Option<Vec<LitStr>> {
    let Some(action) = keys.written("action") else {
        if !keys.is_written("kinds") && !computes_kinds(item) {
            missing(
                "kinds",
                ", and without `action` a processor updates entities of some kind",
                errors,
            );
        }
        return Some(
            keys.kinds
                .as_ref()
                .map(|kinds| kinds.value.clone())
                .unwrap_or_default(),
        );
    };
    for (name, reason) in [
        ("kinds", "an action processor updates no entities"),
        ("delete", "an action processor deletes no entities"),
        ("delete_on", "an action processor deletes no entities"),
        ("delete_when", "an action processor deletes no entities"),
        ("enrich", "an action processor has no items to enrich"),
    ] {
        if let Some(key) = keys.written(name) {
            let message =
                format!("`{name}` and `{action}` exclude each other: {reason}; remove one");
            errors.at(key, message);
        }
    }
    None
}

fn computes_kinds(item: &Item) -> bool {
    matches!(item, Item::Block(block) if block.has("matching_kinds"))
}

fn checked_delete(keys: &mut Keys, events: &Events, errors: &mut Errors) -> Option<Delete> {
    for name in ["delete_on", "delete_when"] {
        if let (Some(key), None) = (keys.written(name), keys.written("delete")) {
            let message = format!(
                "`{name}` needs the object to delete; add `{}`, or `delete = \"\"` for the whole payload",
                example("delete")
            );
            errors.at(key, message);
        }
    }
    check_conditions(&keys.delete_when, errors);
    let on = keys
        .delete_on
        .as_ref()
        .map(|on| &*on.value)
        .unwrap_or_default();
    for name in on {
        let text = name.value();
        let problem = match events {
            Events::Prefix(prefix) if !text.starts_with(&prefix.value()) => {
                format!(
                    "`event_prefix` is {}, with which it does not start",
                    shown(prefix)
                )
            }
            Events::OneOf(names) if names.iter().all(|other| other.value() != text) => {
                if keys.events.is_some() {
                    "add it to `events`".to_owned()
                } else {
                    "write `events = [..]` with both names instead of `event`".to_owned()
                }
            }
            _ => continue,
        };
        errors.at(
            name,
            format!("no event `{text}` reaches this processor; {problem}"),
        );
    }
    let on = on.to_vec();
    let when = std::mem::take(&mut keys.delete_when);
    keys.delete.as_ref().map(|delete| Delete {
        on,
        when,
        pointer: delete.value.clone(),
    })
}

fn checked_name(keys: &Keys, item: &Item, errors: &mut Errors) -> String {
    let Some(Keyed { value: name, .. }) = &keys.name else {
        return match item {
            Item::Function(function) => function.signature.ident.unraw().to_string(),
            Item::Block(block) => type_name(&block.self_type),
        };
    };
    let text = name.value();
    if let Some(wrong) = text
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || "_-.:".contains(*c)))
    {
        let message =
            format!("a name has no {wrong:?} in it; use letters, digits, `_`, `-`, `.` and `:`");
        errors.at(name, message);
    }
    text
}

fn type_name(self_type: &Type) -> String {
    match self_type {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .map(|segment| segment.ident.unraw().to_string())
            .unwrap_or_default(),
        _ => String::new(),
    }
}

fn checked_retry(keys: &Keys, errors: &mut Errors) -> Retry {
    // The defaults are those of `RetryPolicy` in ocean-core.
    let initial = keys.initial_retry_delay.as_ref();
    let max = keys.max_retry_delay.as_ref();
    let initial_delay = initial.map_or(Duration::from_secs(1), |delay| delay.value);
    let max_delay = max.map_or(Duration::from_secs(30), |delay| delay.value);
    if initial_delay > max_delay
        && let Some(Keyed { key, .. }) = initial.or(max)
    {
        let message = format!(
            "`initial_retry_delay` ({initial_delay:?}) is longer than `max_retry_delay` \
             ({max_delay:?}); change one"
        );
        errors.at(key, message);
    }
    if keys
        .max_retries
        .as_ref()
        .is_some_and(|retries| retries.value == 0)
    {
        for name in ["initial_retry_delay", "max_retry_delay", "exponential_base"] {
            if let Some(key) = keys.written(name) {
                let message = format!("`{name}` has no effect with `max_retries = 0`; remove one");
                errors.at(key, message);
            }
        }
    }
    Retry {
        max_retries: keys.max_retries.as_ref().map(|retries| retries.value),
        initial_delay: initial.map(|delay| delay.value),
        max_delay: max.map(|delay| delay.value),
        exponential_base: keys.exponential_base.as_ref().map(|base| base.value),
    }
}

fn check_conditions(conditions: &[Condition], errors: &mut Errors) {
    for (place, condition) in conditions.iter().enumerate() {
        for earlier in &conditions[..place] {
            if condition.subject != earlier.subject {
                continue;
            }
            match (&earlier.test, &condition.test) {
                (one, other) if one == other => {
                    errors.at_span(condition.span, "this condition is given twice; keep one");
                }
                (Test::Eq(_), Test::Eq(_)) => {
                    let message = "all conditions must hold, and a value cannot equal two others; \
                                   write `in = [..]` for one of several";
                    errors.at_span(condition.span, message);
                }
                _ => {}
            }
        }
    }
}

// === Keys against the item ===

fn check_item(item: &Item, keys: &Keys, errors: &mut Errors) {
    if let Some(attribute) = other_attribute(item.attributes()) {
        errors.at(attribute, "`#[webhook_processor]` is given twice; keep one");
    }
    match item {
        Item::Function(function) => check_function(function, keys, errors),
        Item::Block(block) => check_block(block, keys, errors),
    }
}

fn check_function(function: &Function, keys: &Keys, errors: &mut Errors) {
    let signature = &function.signature;
    let name = &signature.ident;
    if let Some(receiver) = signature.receiver() {
        let message = "a processor function has no `self`; move it out of the `impl`, or implement \
                       `WebhookProcessor` for the type and annotate that `impl`";
        errors.at(receiver, message);
    }
    // Of `const async` the compiler itself says that it cannot be.
    if let (Some(constness), None) = (&signature.constness, &signature.asyncness) {
        errors.at(
            constness,
            "a webhook processor cannot be `const`; remove it",
        );
    }
    if let Safety::Unsafe(unsafety) = &signature.safety {
        errors.at(
            unsafety,
            "a webhook processor cannot be `unsafe`; remove it",
        );
    }
    if let Some(abi) = &signature.abi {
        errors.at(
            abi,
            "a webhook processor is not called from C; remove the `extern`",
        );
    }
    if let Some(variadic) = &signature.variadic {
        errors.at(
            variadic,
            "a webhook processor takes no variable arguments; remove the `...`",
        );
    }
    if signature.asyncness.is_none() {
        let message = format!("a webhook processor is asynchronous; write `async fn {name}`");
        errors.at(signature.fn_token, message);
    }
    for parameter in &signature.generics.params {
        let what = match parameter {
            GenericParam::Lifetime(_) => continue,
            GenericParam::Type(_) => "type",
            GenericParam::Const(_) => "const",
        };
        let message = format!(
            "a webhook processor has no {what} parameters, since nobody says which {what}s to \
             register it for; use concrete types"
        );
        errors.at(parameter, message);
    }
    for argument in function.arguments() {
        check_argument(argument, keys, errors);
    }
    if matches!(signature.output, ReturnType::Default) {
        let message = format!(
            "a webhook processor returns a `Result`; write `-> Result<RawResults, ProcessorError>` \
             behind the arguments of `{name}`, or `-> Result<(), ProcessorError>` for side effects only"
        );
        errors.at(name, message);
    }
}

fn check_argument(argument: &syn::PatType, keys: &Keys, errors: &mut Errors) {
    if let Some(cfg) = argument
        .attrs
        .iter()
        .find(|attribute| attribute.path().is_ident("cfg"))
    {
        let message = "an argument of a webhook processor cannot be conditional; put `#[cfg]` on \
                       the function and write two of them";
        errors.at(cfg, message);
    }
    match &*argument.ty {
        Type::ImplTrait(ty) => {
            let message = "an argument of a webhook processor has a concrete type, such as \
                           `Payload<T>`; name it instead of `impl Trait`";
            errors.at(ty, message);
        }
        Type::Path(ty) if keys.is_written("action") => {
            let is_selector = |segment: &syn::PathSegment| segment.ident == "Selector";
            if ty.path.segments.last().is_some_and(is_selector) {
                let message = "an action processor runs without a resource, so there is no \
                               selector; remove the argument or `action`";
                errors.at(ty, message);
            }
        }
        _ => {}
    }
}

fn check_block(block: &Block, keys: &Keys, errors: &mut Errors) {
    let self_type = &block.self_type;
    match &block.trait_type {
        None => {
            let message = "this `impl` has no trait; write `impl WebhookProcessor for ..`, or put \
                           the attribute on an `async fn` outside of it";
            errors.at(self_type, message);
        }
        Some(Type::Path(path))
            if path
                .path
                .segments
                .last()
                .is_some_and(|last| last.ident == "WebhookProcessor") => {}
        Some(other) => {
            errors.at(
                other,
                "expected `WebhookProcessor`; the attribute registers no other trait",
            );
        }
    }
    if let Some(unsafety) = &block.unsafety {
        errors.at(
            unsafety,
            "`WebhookProcessor` is not an unsafe trait; remove the `unsafe`",
        );
    }
    if !block.generics.params.is_empty() {
        let message = "a registered processor has no parameters; implement the trait for a \
                       concrete type";
        errors.at(&block.generics, message);
    }
    for (name, written) in [
        ("authenticate", "the method `authenticate`"),
        ("validate", "the method `validate_payload`"),
        ("on_error", "the method `on_error`"),
        ("max_retries", "`const MAX_RETRIES: u32 = ..;`"),
        (
            "initial_retry_delay",
            "`const INITIAL_RETRY_DELAY: Duration = ..;`",
        ),
        ("max_retry_delay", "`const MAX_RETRY_DELAY: Duration = ..;`"),
        ("exponential_base", "`const EXPONENTIAL_BASE: f64 = ..;`"),
    ] {
        if let Some(key) = keys.written(name) {
            let message =
                format!("`{name}` is for functions; write {written} into the `impl` block");
            errors.at(key, message);
        }
    }
}

/// Reads the attribute's tokens.
pub(crate) fn arguments(tokens: proc_macro2::TokenStream, errors: &mut Errors) -> Vec<Argument> {
    args::parse(tokens, first_example(), errors)
}
