//! The layers a setting can come from, merged key by key: environment over `.env` over
//! `config.yaml`. Precedence and spelling are upstream's.

use std::{collections::BTreeMap, fs, io, path::Path};

use serde_json::{Map, Value};

use crate::{error::StartError, names::snake_case};

/// All settings given, as one tree in snake case, with `ocean` and `application` at the root.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers(Map<String, Value>);

impl Layers {
    /// Reads the process's environment, and `.env` and `config.yaml` of `folder`.
    ///
    /// # Errors
    /// A file that cannot be read or parsed, named with its place.
    pub(crate) fn read(folder: &Path) -> Result<Self, StartError> {
        let environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let mut problems = StartError::default();
        let dotenv = dotenv(&folder.join(".env")).unwrap_or_else(|problem| {
            problems.add(problem);
            Vec::new()
        });
        let yaml = read_optional(&folder.join("config.yaml")).unwrap_or_else(|problem| {
            problems.add(problem);
            None
        });
        match Self::merge(&environment, &dotenv, yaml.as_deref()) {
            Ok(layers) => problems.into_result(layers),
            Err(problem) => {
                problems.add(problem);
                Err(problems)
            }
        }
    }

    /// Merges the given sources.
    ///
    /// # Errors
    /// `yaml` is not a YAML mapping.
    pub(crate) fn merge(
        environment: &[(String, String)],
        dotenv: &[(String, String)],
        yaml: Option<&str>,
    ) -> Result<Self, String> {
        let mut root = Map::new();
        if let Some(yaml) = yaml {
            let file: Value = serde_saphyr::from_str(yaml)
                // A snippet of the file may hold a secret.
                .map_err(|error| {
                    format!("config.yaml is not valid YAML: {}", error.without_snippet())
                })?;
            let variables: BTreeMap<&str, &str> = dotenv
                .iter()
                .chain(environment)
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            match resolve(file, &variables) {
                Some(Value::Object(file)) => {
                    root.insert("ocean".to_owned(), Value::Object(file));
                }
                Some(Value::Null) | None => {}
                Some(_) => return Err("config.yaml is not a mapping of settings".to_owned()),
            }
        }
        overlay(&mut root, dotenv);
        overlay(&mut root, environment);
        Ok(Self(root))
    }

    /// Sets one value, as a command-line flag does.
    pub(crate) fn set(&mut self, name: &str, value: Value) {
        insert(&mut self.0, &path_of(name), value);
    }

    /// Forgets one value and all below it.
    pub(crate) fn remove(&mut self, name: &str) {
        let path = path_of(name);
        let Some((last, parents)) = path.split_last() else {
            return;
        };
        let mut node = &mut self.0;
        for segment in parents {
            let Some(next) = node.get_mut(segment).and_then(Value::as_object_mut) else {
                return;
            };
            node = next;
        }
        node.shift_remove(last);
    }

    /// The value at a setting's name.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        let path = path_of(name);
        let (last, parents) = path.split_last()?;
        let mut node = &self.0;
        for segment in parents {
            node = node.get(segment)?.as_object()?;
        }
        node.get(last).filter(|value| !value.is_null())
    }

    /// The names of all values given, as environment variables would be called.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (root, value) in &self.0 {
            collect(&root.to_uppercase(), value, &mut names);
        }
        names
    }
}

fn collect(prefix: &str, value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                collect(&format!("{prefix}__{}", key.to_uppercase()), value, names);
            }
        }
        _ => names.push(prefix.to_owned()),
    }
}

fn path_of(name: &str) -> Vec<String> {
    name.split("__").map(str::to_lowercase).collect()
}

/// Lays variables over the tree: whole objects given as JSON first, so that a nested variable
/// refines them, as upstream's settings library does.
fn overlay(root: &mut Map<String, Value>, variables: &[(String, String)]) {
    let mut relevant: Vec<(Vec<String>, &str)> = variables
        .iter()
        .map(|(name, value)| (path_of(name), value.as_str()))
        .filter(|(path, _)| path.len() > 1 && matches!(&*path[0], "ocean" | "application"))
        .collect();
    relevant.sort_by_key(|(path, _)| path.len());
    for (path, text) in relevant {
        let value = match serde_json::from_str::<Value>(text) {
            Ok(object @ Value::Object(_)) => snake_keys(object),
            _ => Value::String(text.to_owned()),
        };
        insert(root, &path, value);
    }
}

fn insert(root: &mut Map<String, Value>, path: &[String], value: Value) {
    let Some((last, parents)) = path.split_last() else {
        return;
    };
    let mut node = root;
    for segment in parents {
        let next = node
            .entry(segment.clone())
            .or_insert_with(|| Value::Object(Map::new()));
        if !next.is_object() {
            *next = Value::Object(Map::new());
        }
        node = next.as_object_mut().expect("made an object just above");
    }
    match (node.get_mut(last), value) {
        (Some(Value::Object(old)), Value::Object(new)) => deep_merge(old, new),
        (_, value) => {
            node.insert(last.clone(), value);
        }
    }
}

fn deep_merge(old: &mut Map<String, Value>, new: Map<String, Value>) {
    for (key, value) in new {
        match (old.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => deep_merge(old, new),
            (_, value) => {
                old.insert(key, value);
            }
        }
    }
}

/// Keys in snake case and `{{ from env NAME }}` replaced; `None` where NAME is unset.
fn resolve(value: Value, variables: &BTreeMap<&str, &str>) -> Option<Value> {
    match value {
        Value::Object(map) => Some(Value::Object(
            map.into_iter()
                .filter_map(|(key, value)| Some((snake_case(&key), resolve(value, variables)?)))
                .collect(),
        )),
        Value::String(text) => match from_env(&text) {
            Some(name) => variables
                .get(name)
                .map(|value| Value::String((*value).to_owned())),
            None => Some(Value::String(text)),
        },
        other => Some(other),
    }
}

fn from_env(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    inner.strip_prefix("from env ").map(str::trim)
}

fn snake_keys(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(key, value)| (snake_case(&key), snake_keys(value)))
                .collect(),
        ),
        other => other,
    }
}

fn dotenv(path: &Path) -> Result<Vec<(String, String)>, String> {
    match fs::File::open(path) {
        Ok(file) => dotenvy::from_read_iter(file)
            .enumerate()
            .map(|(index, entry)| {
                // The error's own text shows the line, which may hold a secret.
                entry.map_err(|_| {
                    let number = index + 1;
                    format!("{}: entry {number} is not NAME=value", path.display())
                })
            })
            .collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

fn read_optional(path: &Path) -> Result<Option<String>, String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[track_caller]
    fn check(
        environment: &[(&str, &str)],
        dotenv: &[(&str, &str)],
        yaml: &str,
        name: &str,
        expected: Option<&str>,
    ) {
        let yaml = (!yaml.is_empty()).then_some(yaml);
        let layers = Layers::merge(&owned(environment), &owned(dotenv), yaml).unwrap();
        assert_eq!(
            layers.get(name).map(|value| value.to_string()).as_deref(),
            expected
        );
    }

    #[test]
    fn the_environment_wins_over_dotenv_and_yaml() {
        let yaml = "baseUrl: https://yaml.example";
        let dotenv = [("OCEAN__BASE_URL", "https://dotenv.example")];
        let environment = [("ocean__base_url", "https://env.example")];
        check(
            &environment,
            &dotenv,
            yaml,
            "OCEAN__BASE_URL",
            Some(r#""https://env.example""#),
        );
        check(
            &[],
            &dotenv,
            yaml,
            "OCEAN__BASE_URL",
            Some(r#""https://dotenv.example""#),
        );
        check(
            &[],
            &[],
            yaml,
            "OCEAN__BASE_URL",
            Some(r#""https://yaml.example""#),
        );
        check(&[], &[], "", "OCEAN__BASE_URL", None);
    }

    #[test]
    fn a_nested_variable_refines_an_object_given_as_json() {
        let environment = [
            ("OCEAN__INTEGRATION__CONFIG__JIRA_HOST", "https://b.example"),
            (
                "OCEAN__INTEGRATION__CONFIG",
                r#"{"jira_host":"https://a.example","appHost":"x"}"#,
            ),
        ];
        check(
            &environment,
            &[],
            "",
            "OCEAN__INTEGRATION__CONFIG",
            Some(r#"{"jira_host":"https://b.example","app_host":"x"}"#),
        );
    }

    #[test]
    fn yaml_reads_variables_only_where_asked_to() {
        let yaml =
            "port: { clientId: '{{ from env PORT_ID }}', clientSecret: '{{ from env NONE }}' }";
        let environment = [("PORT_ID", "id-1")];
        check(
            &environment,
            &[],
            yaml,
            "OCEAN__PORT__CLIENT_ID",
            Some(r#""id-1""#),
        );
        check(&environment, &[], yaml, "OCEAN__PORT__CLIENT_SECRET", None);
    }

    #[test]
    fn nested_yaml_and_environment_are_merged_key_by_key() {
        let yaml = "integration: { identifier: from-yaml, config: { jiraHost: a, other: b } }";
        let environment = [("OCEAN__INTEGRATION__CONFIG__JIRA_HOST", "c")];
        check(
            &environment,
            &[],
            yaml,
            "OCEAN__INTEGRATION__IDENTIFIER",
            Some(r#""from-yaml""#),
        );
        check(
            &environment,
            &[],
            yaml,
            "OCEAN__INTEGRATION__CONFIG",
            Some(r#"{"jira_host":"c","other":"b"}"#),
        );
    }

    #[test]
    fn broken_yaml_is_an_error_that_names_the_file() {
        let error = Layers::merge(&[], &[], Some("a: [")).unwrap_err();
        assert!(error.starts_with("config.yaml"), "{error}");
    }

    #[test]
    fn a_broken_file_never_shows_what_stands_in_it() {
        let folder = tempfile::TempDir::new().unwrap();
        fs::write(
            folder.path().join(".env"),
            "A=1\nOCEAN__PORT__CLIENT_SECRET='s3cret\n",
        )
        .unwrap();
        fs::write(
            folder.path().join("config.yaml"),
            "port: { clientSecret: s3cret: [\n",
        )
        .unwrap();
        let error = Layers::read(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains(".env") && error.contains("config.yaml"),
            "{error}"
        );
        assert!(!error.contains("s3cret"), "{error}");
    }
}
