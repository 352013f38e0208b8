//! Reads settings one by one and keeps what is wrong with them.

use std::{
    net::SocketAddr,
    num::{NonZeroU64, NonZeroUsize},
    str::FromStr,
    time::Duration,
};

use serde_json::Value;
use url::Url;

use super::{
    AdminSettings, Layers, PortSettings, QueueKind, QueueSettings, SETTINGS, duration, values,
};
use crate::{catalog::ResourcesOrigin, error::StartError};

/// Reads settings by name and collects what is wrong with them.
pub(super) struct Reader<'a> {
    pub(super) layers: &'a Layers,
    pub(super) problems: StartError,
}

impl Reader<'_> {
    /// The value as text, or the default of the table.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let setting = SETTINGS.iter().find(|setting| setting.name == name);
        let setting = setting.unwrap_or_else(|| panic!("`{name}` is not in the table of settings"));
        let given = self.layers.get(name).map(|value| match value {
            Value::String(text) => text.trim().to_owned(),
            other => other.to_string(),
        });
        given
            .filter(|text| !text.is_empty())
            .or_else(|| setting.default.map(str::to_owned))
    }

    pub(super) fn parsed<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(name)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.problems.add(format!("`{name}`: {problem}"));
                None
            }
        }
    }

    pub(super) fn required(&mut self, name: &'static str, meaning: &str) -> String {
        self.text(name).unwrap_or_else(|| {
            self.problems.add(format!("no `{name}`: {meaning}"));
            String::new()
        })
    }

    pub(super) fn duration(&mut self, name: &str) -> Duration {
        self.parsed(name, duration).unwrap_or_default()
    }

    pub(super) fn flag(&mut self, name: &str) -> bool {
        self.parsed(name, values::boolean).unwrap_or_default()
    }

    pub(super) fn size(&mut self, name: &str) -> usize {
        self.parsed(name, |text| {
            let bytes = values::bytes(text)?;
            usize::try_from(bytes).map_err(|_| format!("`{text}` is too large"))
        })
        .unwrap_or_default()
    }

    pub(super) fn url(&mut self, name: &str) -> Option<Url> {
        self.parsed(name, |text| {
            let url =
                Url::parse(text).map_err(|error| format!("`{text}` is not a URL: {error}"))?;
            if matches!(url.scheme(), "http" | "https") {
                Ok(url)
            } else {
                Err(format!("`{text}` is not an http or https URL"))
            }
        })
    }

    pub(super) fn one_of<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        self.parsed(name, |text| {
            let choice = choices
                .iter()
                .find(|(choice, _)| choice.eq_ignore_ascii_case(text));
            choice.map(|(_, value)| *value).ok_or_else(|| {
                let names: Vec<_> = choices.iter().map(|(choice, _)| *choice).collect();
                format!("`{text}` is none of {}", names.join(", "))
            })
        })
    }

    pub(super) fn port(&mut self, credentials_optional: bool) -> PortSettings {
        let (client_id, client_secret) = if credentials_optional {
            let given = |name| self.text(name).unwrap_or_default();
            (
                given("OCEAN__PORT__CLIENT_ID"),
                given("OCEAN__PORT__CLIENT_SECRET"),
            )
        } else {
            (
                self.required(
                    "OCEAN__PORT__CLIENT_ID",
                    "the client id of your Port credentials",
                ),
                self.required(
                    "OCEAN__PORT__CLIENT_SECRET",
                    "the client secret of your Port credentials",
                ),
            )
        };
        let fallback = || Url::parse("https://api.getport.io").expect("a valid URL");
        PortSettings {
            base_url: self.url("OCEAN__PORT__BASE_URL").unwrap_or_else(fallback),
            client_id,
            client_secret,
            // Below a second Port would be asked without pause.
            app_config_ttl: self
                .duration("OCEAN__PORT__PORT_APP_CONFIG_CACHE_TTL")
                .max(Duration::from_secs(1)),
            feature_flags_ttl: self.duration("OCEAN__PORT__FEATURE_FLAGS_CACHE_TTL_SECONDS"),
            initialize_resources: self.flag("OCEAN__INITIALIZE_PORT_RESOURCES"),
            resources_origin: self.one_of(
                "OCEAN__CREATE_PORT_RESOURCES_ORIGIN",
                &[
                    ("Empty", ResourcesOrigin::Empty),
                    ("Default", ResourcesOrigin::Default),
                    // Upstream's older name.
                    ("Ocean", ResourcesOrigin::Default),
                    ("Port", ResourcesOrigin::Port),
                ],
            ),
            batch_max_length: self
                .parsed("OCEAN__UPSERT_ENTITIES_BATCH_MAX_LENGTH", positive)
                .map_or(20, |length| length.get().min(20)),
            delete_batch_max_length: self
                .parsed("OCEAN__DELETE_ENTITIES_MAX_BATCH_SIZE", positive)
                .map_or(100, |length| length.get().min(100)),
            batch_max_bytes: self.size("OCEAN__UPSERT_ENTITIES_BATCH_MAX_SIZE_IN_BYTES"),
            verify_tls: self.flag("OCEAN__SSL__PORT__VERIFY"),
        }
    }

    pub(super) fn path_prefix(&self) -> String {
        let prefix = self.text("OCEAN__PATH_PREFIX").unwrap_or_default();
        match prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("/{prefix}"),
        }
    }

    pub(super) fn live_events(&mut self) -> bool {
        let listener = "OCEAN__EVENT_LISTENER__TYPE";
        // Whole objects are accepted too, as upstream does: {"type": "WEBHOOKS_ONLY"}.
        match self
            .text(listener)
            .unwrap_or_default()
            .to_uppercase()
            .as_str()
        {
            "POLLING" | "KAFKA" | "WEBHOOK" | "WEBHOOKS_ONLY" => true,
            "ONCE" | "ACTIONS_ONLY" => false,
            other => {
                self.problems.add(format!(
                    "`{listener}`: `{other}` is none of POLLING, KAFKA, WEBHOOK, WEBHOOKS_ONLY, \
                     ONCE, ACTIONS_ONLY"
                ));
                true
            }
        }
    }

    /// As upstream's listeners announce themselves, so that Port keeps what it knows.
    pub(super) fn changelog_destination(&mut self) -> Value {
        match self
            .text("OCEAN__EVENT_LISTENER__TYPE")
            .unwrap_or_default()
            .to_uppercase()
            .as_str()
        {
            "KAFKA" => serde_json::json!({"type": "KAFKA"}),
            "WEBHOOK" => match self.url("OCEAN__EVENT_LISTENER__APP_HOST") {
                Some(host) => {
                    let url = format!("{}/resync", host.as_str().trim_end_matches('/'));
                    serde_json::json!({"type": "WEBHOOK", "url": url})
                }
                None => {
                    self.problems
                        .add("no `OCEAN__EVENT_LISTENER__APP_HOST`: the listener WEBHOOK needs it");
                    Value::Null
                }
            },
            _ => serde_json::json!({}),
        }
    }

    pub(super) fn queue(&mut self) -> QueueSettings {
        let kinds = [
            ("embedded", QueueKind::Embedded),
            // Read from Redis, kept on disk; see `stream`.
            ("redis", QueueKind::Embedded),
            ("memory", QueueKind::Memory),
        ];
        let folder = self.text("OCEAN__QUEUE__PATH").unwrap_or_default();
        QueueSettings {
            kind: self
                .one_of("OCEAN__QUEUE__TYPE", &kinds)
                .unwrap_or(QueueKind::Embedded),
            folder: folder.into(),
            max_pending_bytes: self
                .parsed("OCEAN__QUEUE__MAX_PENDING_BYTES", |text| {
                    NonZeroU64::new(values::bytes(text)?)
                        .ok_or_else(|| "must be more than 0".into())
                })
                .unwrap_or(NonZeroU64::MAX),
            retention: self
                .parsed("OCEAN__QUEUE__RETENTION", values::retention)
                .unwrap_or_default(),
        }
    }

    pub(super) fn admin(&mut self) -> Option<AdminSettings> {
        let name = "OCEAN__ADMIN__LISTEN";
        let token = self.text("OCEAN__ADMIN__TOKEN");
        let text = self.text(name)?;
        if text.eq_ignore_ascii_case("off") {
            return None;
        }
        let listen = self.parsed(name, |text| {
            SocketAddr::from_str(text).map_err(|_| {
                format!("`{text}` is neither an address such as 127.0.0.1:8001 nor off")
            })
        })?;
        if !listen.ip().is_loopback() && token.is_none() {
            self.problems.add(format!(
                "`{name}`: {listen} is reachable from other machines; set `OCEAN__ADMIN__TOKEN` or \
                 listen on 127.0.0.1"
            ));
        }
        Some(AdminSettings { listen, token })
    }

    pub(super) fn listen(&mut self) -> SocketAddr {
        let host = self.parsed("APPLICATION__HOST", |text| {
            text.parse::<std::net::IpAddr>()
                .map_err(|_| format!("`{text}` is not an IP address"))
        });
        let port = self.parsed("APPLICATION__PORT", |text| {
            text.parse::<u16>()
                .map_err(|_| format!("`{text}` is not a port"))
        });
        SocketAddr::new(
            host.unwrap_or([0, 0, 0, 0].into()),
            port.unwrap_or_default(),
        )
    }
}

pub(super) fn positive(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not a whole number above 0"))
}
