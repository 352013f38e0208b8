//! A resource of the mapping as processors see it: its kind, its place and its selectors.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    fmt,
    sync::Arc,
};

use serde::de::DeserializeOwned;

/// One entry of `resources` in the app config.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its place in `resources`, from 0.
    pub index: usize,
    /// Its kind, such as `issue`.
    pub kind: Arc<str>,
    /// Its selector, in every typed form that a processor of this kind asks for.
    pub selector: SelectorSet,
}

impl fmt::Display for Resource {
    // As upstream names it in metrics and logs: `issue-0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.kind, self.index)
    }
}

// === SelectorType ===

/// A type that reads selectors, such as `IssueSelector`.
#[derive(Clone, Copy)]
pub struct SelectorType {
    /// Identity and name of the type.
    pub key: TypeKey,
    parse: fn(&serde_json::Value) -> Result<Arc<dyn Any + Send + Sync>, String>,
}

impl SelectorType {
    /// The selector type `T`.
    pub const fn of<T: DeserializeOwned + Send + Sync + 'static>() -> Self {
        Self {
            key: TypeKey::of::<T>(),
            parse: |selector| match serde_json::from_value::<T>(selector.clone()) {
                Ok(value) => Ok(Arc::new(value)),
                Err(error) => Err(error.to_string()),
            },
        }
    }
}

impl fmt::Debug for SelectorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key.name())
    }
}

// === SelectorSet ===

/// One selector, parsed into each of the types that processors ask for, when the mapping loads.
#[derive(Clone, Default)]
pub struct SelectorSet {
    parsed: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    // What decides the fetch: resources with equal text share one run of a processor.
    identity: Arc<str>,
}

impl SelectorSet {
    /// Reads `selector` into each of `types`.
    ///
    /// # Errors
    /// For each type that refuses the selector, its name and why.
    pub fn parse(
        selector: &serde_json::Value,
        types: impl IntoIterator<Item = SelectorType>,
    ) -> Result<Self, Vec<String>> {
        let mut parsed = HashMap::new();
        let mut problems = Vec::new();
        for kind in types {
            match (kind.parse)(selector) {
                Ok(value) => {
                    parsed.insert(kind.key.id(), value);
                }
                Err(error) => problems.push(format!("{}: {error}", kind.key.name())),
            }
        }
        if problems.is_empty() {
            Ok(Self {
                parsed,
                identity: identity(selector),
            })
        } else {
            Err(problems)
        }
    }

    /// The selector as a `T`, if a processor of this kind declared that type.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.parsed.get(&TypeId::of::<T>())?.clone().downcast().ok()
    }

    /// The selector's text without its `query`: what a fetch may depend on.
    pub fn identity(&self) -> &Arc<str> {
        &self.identity
    }
}

fn identity(selector: &serde_json::Value) -> Arc<str> {
    let mut selector = selector.clone();
    if let Some(keys) = selector.as_object_mut() {
        keys.shift_remove("query");
    }
    selector.to_string().into()
}

impl fmt::Debug for SelectorSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SelectorSet").field(&self.identity).finish()
    }
}

// === TypeKey ===

/// Identity and name of a type, as constants can hold them.
#[derive(Clone, Copy)]
pub struct TypeKey {
    id: fn() -> TypeId,
    name: fn() -> &'static str,
}

impl TypeKey {
    /// The key of `T`.
    pub const fn of<T: 'static>() -> Self {
        Self {
            id: TypeId::of::<T>,
            name: type_name::<T>,
        }
    }

    /// The identity.
    pub fn id(&self) -> TypeId {
        (self.id)()
    }

    /// The name without its module path.
    pub fn name(&self) -> &'static str {
        let name = (self.name)();
        // Generic arguments keep their paths: cutting inside them would garble the name.
        match name.find('<') {
            Some(_) => name,
            None => name.rsplit("::").next().unwrap_or(name),
        }
    }
}

impl fmt::Debug for TypeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
