//! What every command starts from: settings, sources, state and registry, checked as a whole.

use std::sync::Arc;

use super::config::{Layers, Settings, Spec};
use crate::{
    clock::Clock,
    error::StartError,
    http::HttpOptions,
    integration::{Integration, StartContext},
    mapping::MappingOptions,
    processor::{Registered, Registry},
    source::{CheckedSource, SourceSettings, check_sources},
    state::StateMap,
    telemetry::Telemetry,
};

/// An integration that is ready to run.
pub(crate) struct Prepared<I: Integration> {
    pub(crate) settings: Settings,
    pub(crate) spec: Spec,
    pub(crate) context: StartContext<I::Config>,
    pub(crate) sources: Vec<CheckedSource>,
    pub(crate) state: StateMap,
    pub(crate) registry: Arc<Registry>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) clock: Clock,
}

impl<I: Integration> Prepared<I> {
    /// Checks everything that can be checked without the network.
    ///
    /// # Errors
    /// All problems at once.
    pub(crate) fn new(layers: &Layers, processors: Vec<Registered>) -> Result<Self, StartError> {
        let spec = Spec::parse(I::assets().spec)?;
        let settings = Settings::check(layers, &spec, I::NAME)?;
        let mut problems = StartError::default();
        let config: I::Config = serde_json::from_value(settings.integration.config.clone().into())
            .map_err(|error| {
                StartError::new(format!(
                    "the settings of {} cannot be used: {error}",
                    I::NAME
                ))
            })?;
        let clock = Clock::system();
        let context = StartContext {
            config,
            identifier: settings.integration.identifier.clone(),
            base_url: public_url(&settings),
            live_events: settings.live_events,
            oauth_token_file: settings.oauth_token_file.clone(),
            http: HttpOptions {
                timeout: settings.client_timeout,
                verify_tls: settings.verify_tool_tls,
                user_agent: format!("ocean-{}/{}", I::NAME, I::VERSION),
                ..HttpOptions::default()
            },
            clock,
        };
        let declared = I::sources(&context.config);
        let source_settings = SourceSettings {
            config: &settings.integration.config,
            allow_unverified: settings.allow_unverified_sources,
        };
        let sources = check_sources(declared.clone(), &source_settings).unwrap_or_else(|error| {
            problems.extend(error);
            Vec::new()
        });
        // Without any state every processor would lack its own; the reason is told once.
        let state = match I::state(&context) {
            Ok(state) => state,
            Err(error) => {
                problems.extend(error);
                return Err(problems);
            }
        };
        match Registry::build(processors, &declared, &spec.kinds(), &state) {
            Ok(registry) => problems.into_result(Self {
                settings,
                spec,
                context,
                sources,
                state,
                registry: Arc::new(registry),
                telemetry: Arc::new(Telemetry::default()),
                clock,
            }),
            Err(error) => {
                problems.extend(error);
                Err(problems)
            }
        }
    }

    /// What compiling a mapping depends on.
    pub(crate) fn mapping_options(&self) -> MappingOptions {
        mapping_options(
            &self.registry,
            &self.spec.kinds(),
            self.settings.jq_environment,
        )
    }
}

/// What compiling a mapping for these processors depends on.
pub(crate) fn mapping_options(
    registry: &Registry,
    kinds: &[String],
    environment: bool,
) -> MappingOptions {
    let selectors = kinds
        .iter()
        .map(|kind| (kind.clone(), registry.selector_types(kind)));
    MappingOptions {
        env: if environment {
            super::config::environment()
        } else {
            Arc::default()
        },
        selectors: selectors.collect(),
        kinds: kinds.to_vec(),
    }
}

/// `OCEAN__BASE_URL` with the path prefix, as upstream builds it.
fn public_url(settings: &Settings) -> Option<url::Url> {
    let mut url = settings.base_url.clone()?;
    let path = format!(
        "{}{}",
        url.path().trim_end_matches('/'),
        settings.path_prefix
    );
    url.set_path(&path);
    Some(url)
}
