//! What GitHub's payloads have in common, and what all items of a repository carry.

use std::ops::Deref;

use ocean_core::{Raw, WebhookEvent};
use serde::{Deserialize, Deserializer};

/// The repository that an event is about.
#[derive(Clone, Debug, Deserialize)]
pub struct Repository {
    /// Its name, without the owner.
    pub name: String,
    /// The organization or user it belongs to.
    pub owner: Account,
    /// The branch that is shown first.
    #[serde(default)]
    pub default_branch: String,
}

/// An organization or a user.
#[derive(Clone, Debug, Deserialize)]
pub struct Account {
    /// Its name.
    pub login: String,
}

/// What names a numbered thing: an issue, a pull request, an alert.
#[derive(Debug, Deserialize)]
pub struct Numbered {
    /// Its number in the repository.
    pub number: Number,
}

/// What names a thing with an id: a release, a run, a deployment.
#[derive(Debug, Deserialize)]
pub struct Identified {
    /// Its id.
    pub id: Number,
}

/// A number that names something, as text: it becomes a part of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number(String);

impl Deref for Number {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(|number| Self(number.to_string()))
    }
}

/// Adds `__repository`, `__repository_object` and `__organization`, as upstream's items have them.
pub fn in_repository(event: &WebhookEvent, raw: Raw) -> Raw {
    let raw = in_organization(event, raw);
    let raw = match text(event, "/repository/name") {
        Some(name) => raw.with("__repository", &name),
        None => raw,
    };
    match event.pointer("/repository") {
        Some(repository) => match Raw::parse(repository.to_json_string()) {
            Ok(repository) => raw.with("__repository_object", &repository),
            Err(_) => raw,
        },
        None => raw,
    }
}

/// Adds `__organization`: the organization, or the user who owns the repository.
pub fn in_organization(event: &WebhookEvent, raw: Raw) -> Raw {
    let login =
        text(event, "/organization/login").or_else(|| text(event, "/repository/owner/login"));
    match login {
        Some(login) => raw.with("__organization", &login),
        None => raw,
    }
}

/// The text at `pointer` of the parsed body, which all conditions share.
pub(crate) fn text(event: &WebhookEvent, pointer: &str) -> Option<String> {
    Some(event.pointer(pointer)?.as_str()?.to_owned())
}
