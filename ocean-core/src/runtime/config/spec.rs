//! The integration's own settings, as its `.port/spec.yaml` declares them.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::layers::Layers;
use crate::{error::StartError, names::snake_case, source::setting_variable};

/// The part of `.port/spec.yaml` that the runtime reads.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Spec {
    #[serde(default)]
    configurations: Vec<Configuration>,
    #[serde(default)]
    features: Vec<Feature>,
}

#[derive(Clone, Debug, Deserialize)]
struct Configuration {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    default: Option<Value>,
    #[serde(default)]
    sensitive: bool,
    #[serde(default)]
    description: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Feature {
    #[serde(default)]
    resources: Vec<FeatureResource>,
}

#[derive(Clone, Debug, Deserialize)]
struct FeatureResource {
    kind: String,
}

impl Spec {
    /// Parses a spec.
    ///
    /// # Errors
    /// It is not YAML of this shape.
    pub(crate) fn parse(text: &str) -> Result<Self, StartError> {
        serde_saphyr::from_str(text)
            .map_err(|error| StartError::new(format!(".port/spec.yaml cannot be read: {error}")))
    }

    /// The kinds the integration declares.
    pub(crate) fn kinds(&self) -> Vec<String> {
        let resources = self.features.iter().flat_map(|feature| &feature.resources);
        resources.map(|resource| resource.kind.clone()).collect()
    }

    /// The integration's config with every declared key present, missing ones as null.
    ///
    /// # Errors
    /// Every missing or malformed value, by the name of its environment variable.
    pub(crate) fn config(&self, layers: &Layers) -> Result<Map<String, Value>, StartError> {
        let mut problems = StartError::default();
        let mut config = Map::new();
        for configuration in &self.configurations {
            let value = configuration.value(layers).unwrap_or_else(|problem| {
                problems.add(problem);
                Value::Null
            });
            config.insert(snake_case(&configuration.name), value);
        }
        problems.into_result(config)
    }

    /// Name of the environment variable, and a line of help, for each setting.
    pub(crate) fn help(&self) -> Vec<(String, String)> {
        self.configurations
            .iter()
            .map(|configuration| {
                let required = if configuration.required {
                    " (required)"
                } else {
                    ""
                };
                let secret = if configuration.sensitive {
                    " (secret)"
                } else {
                    ""
                };
                let description = configuration.description.as_deref().unwrap_or("").trim();
                (
                    configuration.variable(),
                    format!("{description}{required}{secret}"),
                )
            })
            .collect()
    }
}

impl Configuration {
    fn variable(&self) -> String {
        setting_variable(&self.name)
    }

    fn value(&self, layers: &Layers) -> Result<Value, String> {
        let given = layers
            .get(&self.variable())
            .filter(|value| !is_blank(value));
        let Some(value) = given.or(self.default.as_ref()) else {
            return if self.required {
                let description = self.description.as_deref().unwrap_or("a required setting");
                Err(format!("no `{}`: {}", self.variable(), description.trim()))
            } else {
                Ok(Value::Null)
            };
        };
        self.checked(value)
            .map_err(|problem| format!("`{}`: {problem}", self.variable()))
    }

    fn checked(&self, value: &Value) -> Result<Value, String> {
        let text = match value {
            Value::String(text) => text.trim(),
            Value::Number(_) | Value::Bool(_) if self.kind == "string" => {
                return Ok(Value::String(value.to_string()));
            }
            other => {
                return self
                    .fits(other)
                    .then(|| other.clone())
                    .ok_or_else(|| self.misfit());
            }
        };
        match self.kind.as_str() {
            "string" => Ok(Value::String(text.to_owned())),
            "url" => {
                let url = url::Url::parse(text)
                    .map_err(|error| format!("`{text}` is not a URL: {error}"))?;
                if !matches!(url.scheme(), "http" | "https") {
                    return Err(format!("`{text}` is not an http or https URL"));
                }
                Ok(Value::String(text.trim_end_matches('/').to_owned()))
            }
            "boolean" => super::values::boolean(text).map(Value::Bool),
            "integer" => text
                .parse::<i64>()
                .map(Value::from)
                .map_err(|_| format!("`{text}` is not a whole number")),
            "object" | "array" => serde_json::from_str(text)
                .ok()
                .filter(|value| self.fits(value))
                .ok_or_else(|| self.misfit()),
            other => Err(format!("the spec declares the unknown type `{other}`")),
        }
    }

    fn fits(&self, value: &Value) -> bool {
        match self.kind.as_str() {
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64(),
            "object" => value.is_object(),
            "array" => value.is_array(),
            _ => false,
        }
    }

    fn misfit(&self) -> String {
        let article = if self.kind.starts_with(['a', 'i', 'o']) {
            "an"
        } else {
            "a"
        };
        format!("the value is not {article} {}", self.kind)
    }
}

fn is_blank(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Source, SourceSettings, Verification, check_sources};

    const SPEC: &str = r"
features: [ { resources: [ { kind: issue }, { kind: user } ] } ]
configurations:
  - { name: jiraHost, type: url, required: true, description: The site. }
  - { name: userToken, type: string, required: true, sensitive: true }
  - { name: pageSize, type: integer, default: 50 }
  - { name: projects, type: array }
  - { name: archived, type: boolean }
";

    fn config(environment: &[(&str, &str)]) -> Result<Map<String, Value>, StartError> {
        let environment: Vec<_> = environment
            .iter()
            .map(|(name, value)| {
                (
                    format!("OCEAN__INTEGRATION__CONFIG__{name}"),
                    (*value).to_owned(),
                )
            })
            .collect();
        Spec::parse(SPEC)
            .unwrap()
            .config(&Layers::merge(&environment, &[], None).unwrap())
    }

    #[test]
    fn a_secret_with_an_acronym_in_its_name_is_found_by_its_source() {
        let spec = "configurations: [ { name: webhookAPIKey, type: string } ]";
        let variable = setting_variable("webhookAPIKey");
        let layers = Layers::merge(&[(variable, "s".to_owned())], &[], None).unwrap();
        let config = Spec::parse(spec).unwrap().config(&layers).unwrap();
        let settings = SourceSettings {
            config: &config,
            allow_unverified: false,
        };
        let source = Source::new("/w").verify(Verification::bearer().secret("webhookAPIKey"));
        check_sources(vec![source], &settings).unwrap();
    }

    #[test]
    fn values_take_the_declared_types() {
        let config = config(&[
            ("JIRA_HOST", "https://ex.atlassian.net//"),
            ("USER_TOKEN", "123"),
            ("PROJECTS", r#"["OPS"]"#),
            ("ARCHIVED", "True"),
        ]);
        assert_eq!(
            Value::Object(config.unwrap()),
            serde_json::json!({
                "jira_host": "https://ex.atlassian.net", "user_token": "123", "page_size": 50,
                "projects": ["OPS"], "archived": true,
            })
        );
    }

    #[test]
    fn all_problems_are_named_at_once() {
        let error = config(&[
            ("PROJECTS", "{}"),
            ("ARCHIVED", "maybe"),
            ("USER_TOKEN", " "),
        ]);
        let problems = error.unwrap_err().problems().join("\n");
        expect_test::expect![[r"
            no `OCEAN__INTEGRATION__CONFIG__JIRA_HOST`: The site.
            no `OCEAN__INTEGRATION__CONFIG__USER_TOKEN`: a required setting
            `OCEAN__INTEGRATION__CONFIG__PROJECTS`: the value is not an array
            `OCEAN__INTEGRATION__CONFIG__ARCHIVED`: `maybe` is not a truth value; write true or false"]]
        .assert_eq(&problems);
    }

    #[test]
    fn kinds_come_from_the_features() {
        assert_eq!(Spec::parse(SPEC).unwrap().kinds(), ["issue", "user"]);
    }
}
