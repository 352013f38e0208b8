//! What Port's client must be told.

use std::{fmt, time::Duration};

use url::Url;

use crate::{catalog::BatchOptions, http::HttpOptions};

/// Settings of the Port catalog; the runtime reads them from `OCEAN__…`.
#[derive(Clone)]
pub struct PortOptions {
    /// The API's address (`OCEAN__PORT__BASE_URL`), without `/v1`.
    pub base_url: Url,
    /// `OCEAN__PORT__CLIENT_ID`.
    pub client_id: String,
    /// `OCEAN__PORT__CLIENT_SECRET`.
    pub client_secret: String,
    /// Which integration it is.
    pub integration: IntegrationName,
    /// Where raw items are mapped if the organisation allows a choice (`OCEAN__PROCESSING_MODE`).
    pub processing_mode: ProcessingMode,
    /// Whether raw items may go to Port's data lake (`OCEAN__LAKEHOUSE_ENABLED`). Default true.
    pub lakehouse_enabled: bool,
    /// How long the organisation's feature flags are believed
    /// (`OCEAN__PORT__FEATURE_FLAGS_CACHE_TTL_SECONDS`). Default 300 s.
    pub flags_ttl: Duration,
    /// Whether blueprints and default mapping are created (`OCEAN__INITIALIZE_PORT_RESOURCES`).
    pub initialize_resources: bool,
    /// Who creates them (`OCEAN__CREATE_PORT_RESOURCES_ORIGIN`); `None` asks Port.
    pub origin: Option<ResourcesOrigin>,
    /// Whether the integration runs at Port (`OCEAN__RUNTIME=Saas`). Default false.
    pub is_saas: bool,
    /// Where Port announces mapping changes, as the event listener wants it. Default `{}`.
    pub changelog_destination: serde_json::Value,
    /// Batching of writes.
    pub batch: BatchOptions,
    /// Time limits, repeats and TLS. `user_agent` is not used: Port prescribes it.
    pub http: HttpOptions,
}

impl PortOptions {
    /// Options with all defaults.
    pub fn new(
        base_url: Url,
        client_id: impl Into<String>,
        client_secret: impl Into<String>,
        integration: IntegrationName,
    ) -> Self {
        Self {
            base_url,
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            integration,
            processing_mode: ProcessingMode::Dsp,
            lakehouse_enabled: true,
            flags_ttl: Duration::from_secs(300),
            initialize_resources: true,
            origin: None,
            is_saas: false,
            changelog_destination: serde_json::json!({}),
            batch: BatchOptions::default(),
            http: Self::http_defaults(),
        }
    }

    /// The HTTP behaviour towards Port: upstream's first delay of 0.3 s, but only three repeats in
    /// place; what takes longer waits on disk.
    pub fn http_defaults() -> HttpOptions {
        HttpOptions {
            timeout: Duration::from_secs(30),
            max_retries: 3,
            base_delay: Duration::from_millis(300),
            max_delay: Duration::from_secs(2),
            ..HttpOptions::default()
        }
    }

    /// The `User-Agent` of all calls; Port keeps it as an entity's `$datasource`.
    pub(super) fn user_agent(&self) -> String {
        let IntegrationName {
            kind,
            identifier,
            version,
        } = &self.integration;
        format!("port-ocean/{kind}/{version}/{identifier}")
    }
}

impl fmt::Debug for PortOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortOptions")
            .field("base_url", &self.base_url.as_str())
            .field("integration", &self.integration)
            .finish_non_exhaustive()
    }
}

/// Which integration it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegrationName {
    /// Its type, such as `jira`.
    pub kind: String,
    /// Its identifier at Port (`OCEAN__INTEGRATION__IDENTIFIER`), such as `my-jira`.
    pub identifier: String,
    /// Its version.
    pub version: String,
}

/// Where raw items become entities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessingMode {
    /// At Port, if the organisation has the feature; upstream's default.
    Dsp,
    /// Here.
    OceanCore,
}

/// Who creates blueprints and the default mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourcesOrigin {
    /// Nobody: the integration starts with an empty mapping.
    Empty,
    /// The integration, from its own files.
    Default,
    /// Port.
    Port,
}
