//! The keys of the attribute, each read into its type on its own.

use std::time::Duration;

use proc_macro2::Span;
use syn::{ExprPath, Ident, LitStr, Path};

use super::values::{Keyed, Literal, Reader, shown};
use crate::{
    args::{self, Argument, Value},
    error::{Errors, list, nearest},
};

/// Every key and how it is written, in the order of the documentation.
const KEYS: &[(&str, &str)] = &[
    ("path", r#"path = "/webhook""#),
    ("kinds", r#"kinds = ["issue"]"#),
    ("event", r#"event = "issue_created""#),
    ("events", r#"events = ["issue_created", "issue_updated"]"#),
    ("event_prefix", r#"event_prefix = "issue_""#),
    (
        "when",
        r#"when(pointer = "/action", in = ["opened", "closed"])"#,
    ),
    ("requires", r#"requires = ["/issue/key"]"#),
    ("guard", "guard = path::to::function"),
    ("key", r#"key = "/issue/id""#),
    ("coalesce", "coalesce"),
    ("delete_on", r#"delete_on = ["issue_deleted"]"#),
    (
        "delete_when",
        r#"delete_when(pointer = "/action", eq = "deleted")"#,
    ),
    ("delete", r#"delete = "/issue""#),
    ("enrich", "enrich = path::to::function"),
    ("max_retries", "max_retries = 3"),
    ("initial_retry_delay", r#"initial_retry_delay = "1s""#),
    ("max_retry_delay", r#"max_retry_delay = "30s""#),
    ("exponential_base", "exponential_base = 2.0"),
    ("timeout", r#"timeout = "90s""#),
    ("authenticate", "authenticate = path::to::function"),
    ("validate", "validate = path::to::function"),
    ("on_error", "on_error = path::to::function"),
    ("name", r#"name = "issues""#),
    ("action", "action"),
    ("crate", "crate = ::ocean_core"),
];

/// As [`KEYS`], inside of `when(..)`.
const WHEN_KEYS: &[(&str, &str)] = &[
    ("pointer", r#"pointer = "/action""#),
    ("header", r#"header = "x-github-event""#),
    ("eq", r#"eq = "opened""#),
    ("ne", r#"ne = "opened""#),
    ("in", r#"in = ["opened", "closed"]"#),
    ("prefix", r#"prefix = "open""#),
    ("suffix", r#"suffix = "ed""#),
];

/// Words that mean a key without resembling it, mostly those of Ocean for Python.
const SYNONYMS: &[(&str, &str)] = &[
    ("url", "path"),
    ("route", "path"),
    ("filter", "when"),
    ("condition", "when"),
    ("if", "when"),
    ("retry", "max_retries"),
    ("retries", "max_retries"),
    ("backoff", "exponential_base"),
    ("order_by", "key"),
    ("ordering", "key"),
    ("should_process_event", "guard"),
    ("get_matching_kinds", "kinds"),
    ("path", "pointer"),
    ("field", "pointer"),
    ("equals", "eq"),
    ("is", "eq"),
    ("not", "ne"),
    ("one_of", "in"),
    ("starts_with", "prefix"),
    ("ends_with", "suffix"),
];

/// What the attribute says, key by key; keys with a mistake are absent.
#[derive(Default)]
pub(crate) struct Keys {
    pub(crate) path: Option<Keyed<LitStr>>,
    pub(crate) kinds: Option<Keyed<Vec<LitStr>>>,
    pub(crate) event: Option<Keyed<LitStr>>,
    pub(crate) events: Option<Keyed<Vec<LitStr>>>,
    pub(crate) event_prefix: Option<Keyed<LitStr>>,
    pub(crate) when: Vec<Condition>,
    pub(crate) requires: Option<Keyed<Vec<LitStr>>>,
    pub(crate) guard: Option<Keyed<ExprPath>>,
    pub(crate) key: Option<Keyed<Vec<LitStr>>>,
    pub(crate) coalesce: Option<Keyed<()>>,
    pub(crate) delete_on: Option<Keyed<Vec<LitStr>>>,
    pub(crate) delete_when: Vec<Condition>,
    pub(crate) delete: Option<Keyed<LitStr>>,
    pub(crate) enrich: Option<Keyed<ExprPath>>,
    pub(crate) max_retries: Option<Keyed<u32>>,
    pub(crate) initial_retry_delay: Option<Keyed<Duration>>,
    pub(crate) max_retry_delay: Option<Keyed<Duration>>,
    pub(crate) exponential_base: Option<Keyed<f64>>,
    pub(crate) timeout: Option<Keyed<Duration>>,
    pub(crate) authenticate: Option<Keyed<ExprPath>>,
    pub(crate) validate: Option<Keyed<ExprPath>>,
    pub(crate) on_error: Option<Keyed<ExprPath>>,
    pub(crate) name: Option<Keyed<LitStr>>,
    pub(crate) action: Option<Keyed<()>>,
    pub(crate) root: Option<Keyed<Path>>,
    written: Vec<Ident>,
    meant: Vec<&'static str>,
}

/// One `when(..)`.
pub(crate) struct Condition {
    pub(crate) subject: Subject,
    pub(crate) test: Test,
    pub(crate) span: Span,
}

/// What a condition looks at.
#[derive(Clone, PartialEq)]
pub(crate) enum Subject {
    Pointer(String),
    /// In lower case.
    Header(String),
}

/// What must hold of it.
#[derive(Clone, PartialEq)]
pub(crate) enum Test {
    Eq(Literal),
    Ne(Literal),
    In(Vec<Literal>),
    Prefix(String),
    Suffix(String),
}

impl Keys {
    /// Reads the arguments, reporting what is unknown, repeated or of the wrong type.
    pub(crate) fn read(arguments: &[Argument], errors: &mut Errors) -> Self {
        let mut keys = Self::default();
        for argument in arguments {
            let name = argument.key.to_string();
            let Some((_, example)) = KEYS.iter().find(|(known, _)| *known == name) else {
                let meant = meant(&name, KEYS);
                errors.at(&argument.key, unknown(&name, "", meant, KEYS));
                // Nothing is missing that was meant by it.
                keys.meant.extend(meant);
                continue;
            };
            if !name.ends_with("when") && keys.written(&name).is_some() {
                let message = format!("`{name}` is given twice; keep one");
                errors.at(&argument.key, message);
                continue;
            }
            keys.written.push(argument.key.clone());
            let reader = Reader {
                argument,
                example,
                errors: &mut *errors,
            };
            keys.set(&name, reader);
        }
        keys
    }

    /// Whether the key was written, rightly or not, or another was probably meant to be it.
    pub(crate) fn is_written(&self, name: &str) -> bool {
        self.written(name).is_some() || self.meant.contains(&name)
    }

    /// The key as it was written first.
    pub(crate) fn written(&self, name: &str) -> Option<&Ident> {
        self.written.iter().find(|key| *key == name)
    }

    fn set(&mut self, name: &str, mut reader: Reader<'_>) {
        let key = reader.argument.key.clone();
        macro_rules! set {
            ($field:ident, $read:ident) => {
                self.$field = reader.$read().map(|value| Keyed { key, value })
            };
        }
        match name {
            "path" => set!(path, text),
            "kinds" => set!(kinds, texts),
            "event" => set!(event, text),
            "events" => set!(events, texts),
            "event_prefix" => set!(event_prefix, text),
            "when" => self.when.extend(condition(reader)),
            "requires" => set!(requires, pointers),
            "guard" => set!(guard, function),
            "key" => set!(key, pointers),
            "coalesce" => set!(coalesce, flag),
            "delete_on" => set!(delete_on, text_or_texts),
            "delete_when" => self.delete_when.extend(condition(reader)),
            "delete" => set!(delete, pointer_or_root),
            "enrich" => set!(enrich, function),
            "max_retries" => set!(max_retries, count),
            "initial_retry_delay" => set!(initial_retry_delay, duration),
            "max_retry_delay" => set!(max_retry_delay, duration),
            "exponential_base" => set!(exponential_base, factor),
            "timeout" => set!(timeout, duration),
            "authenticate" => set!(authenticate, function),
            "validate" => set!(validate, function),
            "on_error" => set!(on_error, function),
            "name" => set!(name, text),
            "action" => set!(action, flag),
            "crate" => set!(root, module),
            _ => unreachable!("each key of the table is set"),
        }
    }
}

/// How the key is written.
pub(crate) fn example(name: &str) -> &'static str {
    KEYS.iter()
        .find(|(known, _)| *known == name)
        .map_or("", |(_, example)| example)
}

fn meant(name: &str, table: &[(&'static str, &str)]) -> Option<&'static str> {
    let known: Vec<_> = table.iter().map(|(known, _)| *known).collect();
    let synonym = SYNONYMS
        .iter()
        .find(|(word, key)| *word == name && known.contains(key))
        .map(|(_, key)| *key);
    synonym.or_else(|| nearest(name, &known))
}

fn unknown(name: &str, place: &str, meant: Option<&str>, table: &[(&str, &str)]) -> String {
    let known: Vec<_> = table.iter().map(|(known, _)| *known).collect();
    let question = meant
        .map(|key| format!("; did you mean `{key}`?"))
        .unwrap_or_default();
    format!(
        "unknown key `{name}`{place}{question}\nthe keys are {}",
        list(&known)
    )
}

// === when ===

fn condition(reader: Reader<'_>) -> Option<Condition> {
    let Reader {
        argument,
        example,
        errors,
    } = reader;
    let group = match &argument.value {
        Value::Nested(group) => group,
        value => {
            let key = &argument.key;
            let message = format!("`{key}` takes a condition in parentheses; write `{example}`");
            errors.at_span(value.span(&argument.key), message);
            return None;
        }
    };
    let key = &argument.key;
    let arguments = args::parse(group.stream(), WHEN_KEYS[0].1, errors);
    let mut subject: Option<(Ident, Option<Subject>)> = None;
    let mut test: Option<(Ident, Option<Test>)> = None;
    let mut is_known = true;
    for argument in &arguments {
        let name = argument.key.to_string();
        let Some((_, example)) = WHEN_KEYS.iter().find(|(known, _)| *known == name) else {
            let meant = meant(&name, WHEN_KEYS);
            errors.at(
                &argument.key,
                unknown(&name, &format!(" of `{key}`"), meant, WHEN_KEYS),
            );
            is_known = false;
            continue;
        };
        let is_subject = matches!(&*name, "pointer" | "header");
        let earlier = if is_subject {
            subject.as_ref().map(|(key, _)| key)
        } else {
            test.as_ref().map(|(key, _)| key)
        };
        if let Some(earlier) = earlier {
            let message = if *earlier == argument.key {
                format!("`{name}` is given twice; keep one, or write a second `{key}(..)`")
            } else {
                format!("`{earlier}` and `{name}` exclude each other; write a second `{key}(..)`")
            };
            errors.at(&argument.key, message);
            continue;
        }
        let reader = Reader {
            argument,
            example,
            errors: &mut *errors,
        };
        let key = argument.key.clone();
        if is_subject {
            subject = Some((key, subject_of(&name, reader)));
        } else {
            test = Some((key, test_of(&name, reader)));
        }
    }
    let lack = match (&subject, &test) {
        (None, None) => format!("the condition is empty; write `{example}`"),
        (None, _) => "the condition does not say of what; add `pointer = \"/action\"` for a value \
                      of the payload or `header = \"x-github-event\"` for a header"
            .to_owned(),
        (_, None) => "the condition does not say what must hold; add `eq`, `ne`, `in`, `prefix` \
                      or `suffix`, such as `in = [\"opened\", \"closed\"]`"
            .to_owned(),
        _ => String::new(),
    };
    // An unknown key may have been meant to be what is lacking.
    if !lack.is_empty() && is_known {
        errors.at_span(group.delim_span().join(), lack);
    }
    let (test_key, test) = test?;
    let (subject, test) = (subject?.1?, test?);
    if matches!(subject, Subject::Header(_)) && compares_other_than_text(&test) {
        errors.at(
            test_key,
            "headers are text; compare with a string, such as `eq = \"push\"`",
        );
        return None;
    }
    Some(Condition {
        subject,
        test,
        span: key.span(),
    })
}

fn subject_of(name: &str, mut reader: Reader<'_>) -> Option<Subject> {
    if name == "pointer" {
        return reader.pointer().map(|text| Subject::Pointer(text.value()));
    }
    let header = reader.text()?;
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if !header.value().chars().all(is_token) {
        let message = format!("`{}` is not a header name", shown(&header));
        reader.errors.at(&header, message);
        return None;
    }
    Some(Subject::Header(header.value().to_ascii_lowercase()))
}

fn test_of(name: &str, mut reader: Reader<'_>) -> Option<Test> {
    match name {
        "eq" => reader.literal().map(Test::Eq),
        "ne" => reader.literal().map(Test::Ne),
        "in" => reader.literals().map(Test::In),
        "prefix" => reader.text().map(|text| Test::Prefix(text.value())),
        "suffix" => reader.text().map(|text| Test::Suffix(text.value())),
        _ => unreachable!("each key of the table is a subject or a test"),
    }
}

fn compares_other_than_text(test: &Test) -> bool {
    let is_text = |literal: &Literal| matches!(literal, Literal::Str(_));
    match test {
        Test::Eq(literal) | Test::Ne(literal) => !is_text(literal),
        Test::In(literals) => !literals.iter().all(is_text),
        Test::Prefix(_) | Test::Suffix(_) => false,
    }
}
