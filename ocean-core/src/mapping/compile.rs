//! Compiling an app config: every distinct program once, with all that is wrong named by resource,
//! field and column.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{
    ConfigError, Mapping, MappingOptions, Problem,
    config::{AppConfig, ItemsConfig, ResourceConfig, Template},
    deletion_path::deletion_path,
    program::{Compiled, Program, Programs},
};
use crate::resource::{Resource, SelectorSet};

/// Compiles `config`, taking over what `previous` already compiled.
pub(super) fn compile(
    config: &Json,
    options: &MappingOptions,
    previous: Option<&Mapping>,
) -> Result<Mapping, ConfigError> {
    let config = AppConfig::check(config)?;
    let mut compiler = Compiler {
        options,
        previous: previous.map(|previous| &previous.programs),
        programs: Programs::new(&options.env),
        problems: Vec::new(),
        refusals: Vec::new(),
    };
    let resources = config
        .resources
        .into_iter()
        .enumerate()
        .map(|(index, resource)| compiler.resource(index, resource))
        .collect();
    if !compiler.refusals.is_empty() {
        return Err(ConfigError {
            problems: compiler.refusals,
        });
    }
    Ok(Mapping {
        resources,
        write: config.write,
        problems: compiler.problems,
        programs: compiler.programs,
    })
}

/// One resource, ready to map items.
#[derive(Debug)]
pub(super) struct CompiledResource {
    pub(super) resource: Arc<Resource>,
    /// The resource's name in notes and metrics: `issue-0`.
    pub(super) label: Arc<str>,
    pub(super) query: Leaf,
    pub(super) items: Option<Items>,
    /// The entity's fields in wire order.
    pub(super) fields: Vec<Field>,
    /// Why the resource can never yield an entity, if so.
    pub(super) dead: Option<String>,
}

/// One field of the entity.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) role: Role,
    pub(super) node: Node,
    /// The field's key as JSON, with its colon.
    pub(super) key: Box<str>,
}

/// Which rules apply to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Identifier,
    Blueprint,
    Icon,
    Team,
    Other,
}

/// A value whose leaves are compiled programs.
#[derive(Debug)]
pub(super) enum Node {
    /// An explicit null in the mapping, at this path.
    Null(Arc<str>),
    Leaf(Leaf),
    /// Each key is JSON, with its colon.
    Object(Vec<(Box<str>, Self)>),
    List(Vec<Self>),
}

/// A program and where it stands.
#[derive(Debug)]
pub(super) struct Leaf {
    /// The path within the entity, such as `properties.status`, without list positions.
    pub(super) path: Arc<str>,
    /// The program as the mapping has it.
    pub(super) text: Arc<str>,
    pub(super) program: Compiled,
    /// The text that the program always gives, if it is a constant: blueprints as a rule are.
    pub(super) constant: Option<Arc<str>>,
}

/// `itemsToParse`, compiled.
#[derive(Debug)]
pub(super) struct Items {
    pub(super) list: Leaf,
    /// The key under which an element is put into its copy of the item.
    pub(super) name: Arc<str>,
    /// How the list is cut out of the copies.
    pub(super) cut: Cut,
}

/// How `itemsToParse` cuts its list out of the copies of the item.
#[derive(Debug)]
pub(super) enum Cut {
    /// Not at all.
    Keep,
    /// With this program.
    Delete(Compiled),
    /// There is no path to delete, so no item has copies.
    NoPath,
}

struct Compiler<'a> {
    options: &'a MappingOptions,
    previous: Option<&'a Programs>,
    programs: Programs,
    problems: Vec<Problem>,
    refusals: Vec<String>,
}

/// The resource that is being compiled.
#[derive(Clone, Copy)]
struct Place<'a> {
    index: usize,
    kind: &'a str,
}

impl Compiler<'_> {
    fn resource(&mut self, index: usize, config: ResourceConfig) -> CompiledResource {
        let place = Place {
            index,
            kind: &config.kind,
        };
        let first_problem = self.problems.len();
        if !self.options.kinds.is_empty() && !self.options.kinds.contains(&config.kind) {
            let message = format!(
                "no processor maps this kind; the kinds are {}",
                self.options.kinds.join(", ")
            );
            self.problem(place, "kind", message);
        }
        let selector = self.selector(place, &config.selector);
        let query = self.leaf(place, "selector.query", "selector.query", config.query);
        let items = config.items.map(|items| self.items(place, items));
        let fields: Vec<_> = config
            .fields
            .into_iter()
            .map(|(name, template)| Field {
                role: Role::of(name),
                key: json_key(name),
                node: self.node(place, &format!("{MAPPINGS}{name}"), name, template),
            })
            .collect();
        let resource = Resource {
            index,
            kind: place.kind.into(),
            selector,
        };
        let dead = self.problems[first_problem..]
            .iter()
            .find(|problem| is_vital(&problem.path))
            .map(ToString::to_string);
        CompiledResource {
            label: resource.to_string().into(),
            resource: Arc::new(resource),
            query,
            items,
            fields,
            dead,
        }
    }

    fn selector(&mut self, place: Place<'_>, selector: &Json) -> SelectorSet {
        let types = self.options.selectors.get(place.kind);
        SelectorSet::parse(selector, types.into_iter().flatten().copied()).unwrap_or_else(
            |errors| {
                let Place { index, kind } = place;
                let refusals = errors
                    .into_iter()
                    .map(|error| format!("resources[{index}] ({kind}) `selector`: {error}"));
                self.refusals.extend(refusals);
                SelectorSet::default()
            },
        )
    }

    fn items(&mut self, place: Place<'_>, config: ItemsConfig) -> Items {
        const PATH: &str = "port.itemsToParse";
        let cut = match deletion_path(&config.program) {
            _ if !config.transform => Cut::Keep,
            Some(path) => {
                let program = format!(". | del({path})");
                Cut::Delete(self.programs.compile(&program, self.previous))
            }
            None => Cut::NoPath,
        };
        let list = self.leaf(place, PATH, "itemsToParse", config.program);
        // A list that does not compile yields nothing anyway, and says so.
        if list.program.is_ok() {
            match &cut {
                Cut::NoPath => self.problem(
                    place,
                    PATH,
                    "names no path that could be cut out of the item, so every item is skipped; \
                     set `itemsToParseTopLevelTransform` to false"
                        .to_owned(),
                ),
                Cut::Delete(Err(error)) => {
                    let message = format!("what it names cannot be cut out of the item: {error}");
                    self.problem(place, PATH, message);
                }
                Cut::Delete(Ok(_)) | Cut::Keep => {}
            }
        }
        Items {
            list,
            name: config.name.into(),
            cut,
        }
    }

    /// `full` is the place in the app config, with list positions, for problems; `path` the one
    /// within the entity, without them, for notes.
    fn node(
        &mut self,
        place: Place<'_>,
        full: &str,
        path: &str,
        template: Template<String>,
    ) -> Node {
        match template {
            Template::Null => Node::Null(path.into()),
            Template::Program(text) => Node::Leaf(self.leaf(place, full, path, text)),
            Template::Object(entries) => {
                let entries = entries.into_iter().map(|(key, template)| {
                    let (full, path) = (format!("{full}.{key}"), format!("{path}.{key}"));
                    let node = self.node(place, &full, &path, template);
                    (json_key(&key), node)
                });
                Node::Object(entries.collect())
            }
            Template::List(elements) => {
                let elements = elements.into_iter().enumerate();
                let elements = elements.map(|(index, template)| {
                    self.node(place, &format!("{full}[{index}]"), path, template)
                });
                Node::List(elements.collect())
            }
        }
    }

    fn leaf(&mut self, place: Place<'_>, full: &str, path: &str, text: String) -> Leaf {
        let program = self.programs.compile(&text, self.previous);
        if let Err(error) = &program {
            let hint = match &*text {
                "True" | "False" => "; a truth value in the mapping must be quoted",
                _ => "",
            };
            self.problem(place, full, format!("{error}{hint}"));
        }
        Leaf {
            path: path.into(),
            text: text.into(),
            constant: program.as_ref().ok().and_then(Program::constant),
            program,
        }
    }

    fn problem(&mut self, place: Place<'_>, path: &str, message: String) {
        self.problems.push(Problem {
            resource: place.index,
            kind: place.kind.to_owned(),
            path: path.to_owned(),
            message,
        });
    }
}

fn json_key(key: &str) -> Box<str> {
    format!("{}:", Json::from(key)).into()
}

const MAPPINGS: &str = "port.entity.mappings.";

impl Role {
    fn of(name: &str) -> Self {
        match name {
            "identifier" => Self::Identifier,
            "blueprint" => Self::Blueprint,
            "icon" => Self::Icon,
            "team" => Self::Team,
            _ => Self::Other,
        }
    }
}

/// Whether a resource can yield nothing at all when what stands here does not work.
fn is_vital(path: &str) -> bool {
    match path.strip_prefix(MAPPINGS) {
        Some(field) => ["identifier", "blueprint"].contains(&field),
        None => ["selector.query", "port.itemsToParse"].contains(&path),
    }
}
