//! The app config: what a team wrote, read into a form that needs no further checks.
//!
//! Reading follows upstream's model (pydantic v1): numbers and truth values become text where a jq
//! program is expected, unknown keys are ignored, and a wrong or missing key makes the whole config
//! unusable. Unlike upstream, all problems are named at once, and `mappings` may be a list of one
//! object, which Port's editor writes.

use serde_json::{Map, Value};

use super::ConfigError;
use crate::catalog::WriteOptions;

/// A checked app config. `entityDeletionThreshold` is not read: it concerns resyncs only.
#[derive(Debug)]
pub(super) struct AppConfig {
    pub(super) write: WriteOptions,
    pub(super) resources: Vec<ResourceConfig>,
}

/// One entry of `resources`.
#[derive(Debug)]
pub(super) struct ResourceConfig {
    pub(super) kind: String,
    /// The selector as it was written, for the typed selectors of processors.
    pub(super) selector: Value,
    pub(super) query: String,
    pub(super) items: Option<ItemsConfig>,
    /// The entity's fields in the order in which they are sent; a key that the mapping does not
    /// set is not here, one that it sets to null is.
    pub(super) fields: Vec<(&'static str, Template<String>)>,
}

/// `itemsToParse` and what goes with it.
#[derive(Debug, PartialEq)]
pub(super) struct ItemsConfig {
    pub(super) program: String,
    /// The key under which an element is put into its copy of the item.
    pub(super) name: String,
    /// Whether the list is cut out of the copies.
    pub(super) transform: bool,
}

/// A value whose leaves are programs: `String` as written, or compiled ones.
#[derive(Debug, PartialEq)]
pub(super) enum Template<P> {
    /// An explicit null in the mapping.
    Null,
    Program(P),
    Object(Vec<(String, Self)>),
    List(Vec<Self>),
}

/// Reads a mapping file: JSON or YAML.
///
/// ```
/// let config = ocean_core::mapping::parse_text("resources: []").unwrap();
/// assert_eq!(config, serde_json::json!({"resources": []}));
/// ```
///
/// # Errors
/// The text is neither; says where.
pub fn parse_text(text: &str) -> Result<Value, ConfigError> {
    // Not everything that is JSON is read alike as YAML: tabs, long numbers, lone surrogates.
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    serde_saphyr::from_str(text).map_err(|error| ConfigError {
        problems: vec![format!("not YAML: {}", first_line(&error.to_string()))],
    })
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

impl AppConfig {
    /// Checks an app config as Port stores it.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(super) fn check(config: &Value) -> Result<Self, ConfigError> {
        let mut checker = Checker::default();
        match checker.app_config(config) {
            Some(config) if checker.problems.is_empty() => Ok(config),
            _ => Err(ConfigError {
                problems: checker.problems,
            }),
        }
    }
}

// === Path ===

/// Where in the config a value stands: the resource it belongs to and the keys within it.
#[derive(Clone, Debug)]
struct Path {
    resource: String,
    keys: String,
}

impl Path {
    fn key(&self, key: &str) -> Self {
        let keys = match &*self.keys {
            "" => key.to_owned(),
            keys => format!("{keys}.{key}"),
        };
        Self {
            keys,
            resource: self.resource.clone(),
        }
    }

    fn element(&self, index: usize) -> Self {
        Self {
            keys: format!("{}[{index}]", self.keys),
            resource: self.resource.clone(),
        }
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&*self.resource, &*self.keys) {
            ("", keys) => write!(f, "`{keys}`"),
            (resource, "") => f.write_str(resource),
            (resource, keys) => write!(f, "{resource} `{keys}`"),
        }
    }
}

// === Checker ===

/// Reads a config and goes on after a problem, so that all of them are found. A `None` means that
/// the problem is already noted.
#[derive(Default)]
struct Checker {
    problems: Vec<String>,
}

impl Checker {
    fn app_config(&mut self, config: &Value) -> Option<AppConfig> {
        let Value::Object(config) = config else {
            return match config {
                Value::Null => self.empty(),
                other => self.refuse(format!(
                    "the mapping is {}; it must be an object with `resources`",
                    describe(other)
                )),
            };
        };
        if config.is_empty() {
            return self.empty();
        }
        let root = Path {
            resource: String::new(),
            keys: String::new(),
        };
        let defaults = WriteOptions::default();
        // At the top level upstream also takes the names that its code uses.
        let get = |key: &str, snake: &str| config.get(key).or_else(|| config.get(snake));
        let mut flag = |key, snake, default| match get(key, snake) {
            None => Some(default),
            Some(value) => self.flag(&root.key(key), value),
        };
        let merge = flag("enableMergeEntity", "enable_merge_entity", defaults.merge);
        let create_missing_related_entities = flag(
            "createMissingRelatedEntities",
            "create_missing_related_entities",
            defaults.create_missing_related_entities,
        );
        let delete_dependents = flag(
            "deleteDependentEntities",
            "delete_dependent_entities",
            defaults.delete_dependents,
        );
        let resources = match config.get("resources") {
            None => Some(Vec::new()),
            Some(Value::Array(resources)) => Some(
                resources
                    .iter()
                    .enumerate()
                    .filter_map(|(index, resource)| self.resource(index, resource))
                    .collect(),
            ),
            Some(other) => self.expect("a list", &root.key("resources"), other),
        };
        Some(AppConfig {
            write: WriteOptions {
                merge: merge?,
                create_missing_related_entities: create_missing_related_entities?,
                delete_dependents: delete_dependents?,
            },
            resources: resources?,
        })
    }

    fn resource(&mut self, index: usize, resource: &Value) -> Option<ResourceConfig> {
        let kind = resource.get("kind").and_then(coerce);
        let path = Path {
            resource: match &kind {
                Some(kind) => format!("resources[{index}] ({kind})"),
                None => format!("resources[{index}]"),
            },
            keys: String::new(),
        };
        let resource = self.object(&path, resource)?;
        let kind = self.required_text(&path, resource, "kind", "issue");
        let selector_path = path.key("selector");
        let selector = self
            .required(&path, resource, "selector", "an object with a `query`")
            .and_then(|selector| self.object(&selector_path, selector));
        let query = selector
            .and_then(|selector| self.required_text(&selector_path, selector, "query", "true"));
        let port_path = path.key("port");
        let port = self
            .required(&path, resource, "port", "an object with `entity`")
            .and_then(|port| self.object(&port_path, port));
        let items = port.and_then(|port| self.items(&port_path, port));
        let fields = port.and_then(|port| self.mappings(&port_path, port));
        Some(ResourceConfig {
            kind: kind?,
            selector: Value::Object(selector?.clone()),
            query: query?,
            items: items?,
            fields: fields?,
        })
    }

    fn items(&mut self, path: &Path, port: &Map<String, Value>) -> Option<Option<ItemsConfig>> {
        let program = match port.get("itemsToParse") {
            None | Some(Value::Null) => Some(None),
            Some(value) => self.text(&path.key("itemsToParse"), value).map(Some),
        };
        let name = match port.get("itemsToParseName") {
            None => Some("item".to_owned()),
            Some(value) => self.text(&path.key("itemsToParseName"), value),
        };
        let transform = match port.get("itemsToParseTopLevelTransform") {
            None => Some(true),
            Some(value) => self.flag(&path.key("itemsToParseTopLevelTransform"), value),
        };
        let (program, name, transform) = (program?, name?, transform?);
        // An empty text is no program to upstream, so the item is mapped as a whole.
        let program = program.filter(|program| !program.is_empty());
        Some(program.map(|program| ItemsConfig {
            program,
            name,
            transform,
        }))
    }

    fn mappings(
        &mut self,
        path: &Path,
        port: &Map<String, Value>,
    ) -> Option<Vec<(&'static str, Template<String>)>> {
        let entity = self.required(path, port, "entity", "an object with `mappings`")?;
        let path = path.key("entity");
        let entity = self.object(&path, entity)?;
        let mappings = self.required(
            &path,
            entity,
            "mappings",
            "an object with `identifier` and `blueprint`",
        )?;
        let path = path.key("mappings");
        let mappings = match mappings {
            Value::Array(list) => match &**list {
                [only] => only,
                list => {
                    return self.refuse(format!(
                        "{path} is a list of {}; a resource maps one entity: write a resource for \
                         each",
                        list.len()
                    ));
                }
            },
            mappings => mappings,
        };
        let mappings = self.object(&path, mappings)?;
        let mut fields = Vec::new();
        let mut complete = true;
        for (key, shape) in FIELDS {
            let field = match mappings.get(key) {
                None if shape.required => {
                    self.missing(&path.key(key), shape.example);
                    complete = false;
                    continue;
                }
                None => continue,
                Some(value) => self.field(&path.key(key), shape, value),
            };
            match field {
                Some(field) => fields.push((key, field)),
                None => complete = false,
            }
        }
        complete.then_some(fields)
    }

    fn field(&mut self, path: &Path, shape: &Shape, value: &Value) -> Option<Template<String>> {
        match (shape.holds, value) {
            (_, Value::Null) if shape.nullable => Some(Template::Null),
            (Holds::Program, value) => self.text(path, value).map(Template::Program),
            (Holds::ProgramOrSearch, value) => self.program_or_search(path, value),
            (Holds::Programs, value) => self.map(path, value, |checker, path, value| {
                checker.text(path, value).map(Template::Program)
            }),
            (Holds::ProgramsOrSearches, value) => self.map(path, value, Self::program_or_search),
        }
    }

    fn map(
        &mut self,
        path: &Path,
        value: &Value,
        read: impl Fn(&mut Self, &Path, &Value) -> Option<Template<String>>,
    ) -> Option<Template<String>> {
        let entries = self.object(path, value)?;
        let read: Vec<_> = entries
            .iter()
            .map(|(key, value)| Some((key.clone(), read(self, &path.key(key), value)?)))
            .collect();
        // Collected in two steps: a problem in one entry must not hide those of the next.
        read.into_iter()
            .collect::<Option<_>>()
            .map(Template::Object)
    }

    fn program_or_search(&mut self, path: &Path, value: &Value) -> Option<Template<String>> {
        match value {
            Value::Object(search) => self.search(path, search, 0),
            value => self.text(path, value).map(Template::Program),
        }
    }

    /// A search object: a combinator and rules, each a comparison or a search object again.
    fn search(
        &mut self,
        path: &Path,
        search: &Map<String, Value>,
        depth: usize,
    ) -> Option<Template<String>> {
        // Far beyond what anyone writes, and far below what would exhaust the stack.
        const MAX_DEPTH: usize = 64;
        if depth == MAX_DEPTH {
            return self.refuse(format!("{path} is nested deeper than {MAX_DEPTH} rules"));
        }
        let combinator = self.required_text(path, search, "combinator", "\"and\"");
        let rules_path = path.key("rules");
        let rules = match self.required(path, search, "rules", "a list of rules") {
            Some(Value::Array(rules)) => {
                let rules: Vec<_> = rules
                    .iter()
                    .enumerate()
                    .map(|(index, rule)| self.rule(&rules_path.element(index), rule, depth))
                    .collect();
                rules.into_iter().collect::<Option<Vec<_>>>()
            }
            Some(other) => self.expect("a list of rules", &rules_path, other),
            None => None,
        };
        Some(Template::Object(vec![
            ("combinator".to_owned(), Template::Program(combinator?)),
            ("rules".to_owned(), Template::List(rules?)),
        ]))
    }

    fn rule(&mut self, path: &Path, rule: &Value, depth: usize) -> Option<Template<String>> {
        const PARTS: [(&str, &str); 3] = [
            ("property", "\"$identifier\""),
            ("operator", "\"=\""),
            ("value", ".key"),
        ];
        let rule = self.object(path, rule)?;
        // As upstream's union decides: what can be read as a comparison is one.
        let compares = PARTS.iter().all(|(part, _)| rule.contains_key(*part));
        if !compares && (rule.contains_key("combinator") || rule.contains_key("rules")) {
            return self.search(path, rule, depth + 1);
        }
        let parts = PARTS.map(|(part, example)| {
            let program = self.required_text(path, rule, part, example)?;
            Some((part.to_owned(), Template::Program(program)))
        });
        parts
            .into_iter()
            .collect::<Option<_>>()
            .map(Template::Object)
    }

    fn required_text(
        &mut self,
        path: &Path,
        object: &Map<String, Value>,
        key: &str,
        example: &str,
    ) -> Option<String> {
        match object.get(key) {
            Some(value) => self.text(&path.key(key), value),
            None => {
                self.missing(&path.key(key), example);
                None
            }
        }
    }

    fn required<'a>(
        &mut self,
        path: &Path,
        object: &'a Map<String, Value>,
        key: &str,
        what: &str,
    ) -> Option<&'a Value> {
        let value = object.get(key);
        if value.is_none() {
            self.problems
                .push(format!("{} is missing; add {what}", path.key(key)));
        }
        value
    }

    fn missing(&mut self, path: &Path, example: &str) {
        self.problems.push(format!(
            "{path} is missing; set it to text such as `{example}`"
        ));
    }

    fn text(&mut self, path: &Path, value: &Value) -> Option<String> {
        coerce(value).or_else(|| self.expect("text", path, value))
    }

    /// A flag, with all the texts for yes and no that pydantic takes.
    fn flag(&mut self, path: &Path, value: &Value) -> Option<bool> {
        const YES: [&str; 6] = ["1", "on", "t", "true", "y", "yes"];
        const NO: [&str; 6] = ["0", "off", "f", "false", "n", "no"];
        let text = coerce(value).unwrap_or_default().to_lowercase();
        let text = text.strip_suffix(".0").unwrap_or(&text);
        match (YES.contains(&text), NO.contains(&text)) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => self.expect("true or false", path, value),
        }
    }

    fn object<'a>(&mut self, path: &Path, value: &'a Value) -> Option<&'a Map<String, Value>> {
        match value {
            Value::Object(object) => Some(object),
            other => self.expect("an object", path, other),
        }
    }

    fn expect<T>(&mut self, expected: &str, path: &Path, found: &Value) -> Option<T> {
        self.refuse(format!(
            "{path} is {}; it must be {expected}",
            describe(found)
        ))
    }

    fn empty<T>(&mut self) -> Option<T> {
        self.refuse("the mapping is empty; write one with `resources` in Port".to_owned())
    }

    fn refuse<T>(&mut self, problem: String) -> Option<T> {
        self.problems.push(problem);
        None
    }
}

/// Text as pydantic v1 reads it: numbers and truth values in Python's spelling.
fn coerce(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(true) => Some("True".to_owned()),
        Value::Bool(false) => Some("False".to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) => "text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

// === Shape ===

/// What the mapping may say about one field of the entity.
struct Shape {
    holds: Holds,
    required: bool,
    nullable: bool,
    example: &'static str,
}

#[derive(Clone, Copy)]
enum Holds {
    Program,
    ProgramOrSearch,
    Programs,
    ProgramsOrSearches,
}

/// The entity's fields in the order in which upstream sends them.
const FIELDS: [(&str, &Shape); 7] = [
    (
        "identifier",
        &Shape::required(Holds::ProgramOrSearch, ".key"),
    ),
    ("icon", &Shape::nullable(Holds::Program)),
    ("blueprint", &Shape::required(Holds::Program, "\"issue\"")),
    ("title", &Shape::nullable(Holds::Program)),
    ("team", &Shape::nullable(Holds::ProgramOrSearch)),
    ("properties", &Shape::optional(Holds::Programs)),
    ("relations", &Shape::optional(Holds::ProgramsOrSearches)),
];

impl Shape {
    const fn required(holds: Holds, example: &'static str) -> Self {
        Self {
            holds,
            required: true,
            nullable: false,
            example,
        }
    }

    const fn optional(holds: Holds) -> Self {
        Self {
            holds,
            required: false,
            nullable: false,
            example: "",
        }
    }

    const fn nullable(holds: Holds) -> Self {
        Self {
            nullable: true,
            ..Self::optional(holds)
        }
    }
}

#[cfg(test)]
mod tests;
