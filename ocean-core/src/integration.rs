//! The integration: the one type that ties a crate of processors to the runtime.

use std::future::Future;

use serde::de::DeserializeOwned;

use crate::{
    clock::Clock, dev::DevKit, error::StartError, http::HttpOptions, source::Source,
    state::StateMap,
};

/// An integration, named in its `main`: `ocean_core::run::<Jira>()`.
///
/// Naming the type links its crate, and with it the processors it registers.
pub trait Integration: Send + Sync + 'static {
    /// Its type at Port, such as `jira`.
    const NAME: &'static str;
    /// Its version, reported to Port; usually `env!("CARGO_PKG_VERSION")`.
    const VERSION: &'static str;
    /// Its own settings, read from `OCEAN__INTEGRATION__CONFIG__…` as its spec declares them; keys
    /// are in snake case.
    type Config: DeserializeOwned + Clone + Send + Sync + 'static;

    /// Spec, blueprints, default mapping and examples, embedded in the binary.
    fn assets() -> Assets;

    /// The paths on which events arrive.
    fn sources(config: &Self::Config) -> Vec<Source>;

    /// What processors ask for with `State<T>`.
    ///
    /// # Errors
    /// What is wrong with the settings, all at once. Does not talk to the tool.
    fn state(cx: &StartContext<Self::Config>) -> Result<StateMap, StartError>;

    /// Runs beside the server once it listens, such as registering the webhook at the tool. An
    /// error is logged and does not stop the server.
    fn on_start(
        cx: StartContext<Self::Config>,
        state: StateMap,
    ) -> impl Future<Output = Result<(), StartError>> + Send {
        let _ = (cx, state);
        std::future::ready(Ok(()))
    }

    /// Proves address and credentials of the tool, for `check`.
    fn probe(state: &StateMap) -> impl Future<Output = Result<(), StartError>> + Send {
        let _ = state;
        std::future::ready(Ok(()))
    }

    /// What `dev` needs to run without an account: a stand-in of the tool's API and sample events.
    fn dev() -> Option<DevKit> {
        None
    }
}

/// What an integration may know when it builds its state.
#[derive(Clone, Debug)]
pub struct StartContext<C> {
    /// Its own settings.
    pub config: C,
    /// The integration's identifier at Port, such as `my-jira`.
    pub identifier: String,
    /// The public URL of the webhook routes, path prefix included, if one is configured. A
    /// source's address is this, `/integration` and the source's path.
    pub base_url: Option<url::Url>,
    /// Whether live events are wanted at all (upstream's event listeners `ONCE` and
    /// `ACTIONS_ONLY` do not want them).
    pub live_events: bool,
    /// The file with an OAuth access token, re-read on use (`OCEAN__OAUTH_ACCESS_TOKEN_FILE_PATH`).
    pub oauth_token_file: Option<std::path::PathBuf>,
    /// How the integration's HTTP client is set up: timeout, TLS, proxies.
    pub http: HttpOptions,
    /// The time.
    pub clock: Clock,
}

impl<C> StartContext<C> {
    /// The context of an integration with these settings and every default, as for a test.
    pub fn new(config: C) -> Self {
        Self {
            config,
            identifier: "my-integration".to_owned(),
            base_url: None,
            live_events: true,
            oauth_token_file: None,
            http: HttpOptions::default(),
            clock: Clock::system(),
        }
    }
}

/// The files of an integration's `.port` folder, embedded with `include_str!`.
#[derive(Clone, Copy, Debug)]
pub struct Assets {
    /// `.port/spec.yaml`.
    pub spec: &'static str,
    /// `.port/resources/port-app-config.yaml`.
    pub app_config: &'static str,
    /// `.port/resources/blueprints.json`.
    pub blueprints: &'static str,
    /// `.port/resources/actions.json`; empty if there are none.
    pub actions: &'static str,
    /// `.port/resources/scorecards.json`: a list of a `blueprint` and its scorecards as `data`; empty
    /// if there are none.
    pub scorecards: &'static str,
    /// `.port/resources/pages.json`; empty if there are none.
    pub pages: &'static str,
}

impl Assets {
    /// No files; those that an integration has are set over it.
    pub const NONE: Self = Self {
        spec: "",
        app_config: "",
        blueprints: "[]",
        actions: "",
        scorecards: "",
        pages: "",
    };
}
