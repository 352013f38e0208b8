//! Settings: read once at start, checked as a whole, typed ever after. The only reader of the
//! environment.

use std::{
    net::SocketAddr,
    num::{NonZeroU64, NonZeroUsize},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::{Map, Value};
use url::Url;

use crate::{
    catalog::{ProcessingMode, ResourcesOrigin},
    error::StartError,
    ingress::stream::StreamOptions,
    queue::embedded::Retention,
};

pub(crate) mod layers;
mod reader;
mod spec;
mod stream;
mod table;
mod values;

pub(crate) use layers::Layers;
pub(crate) use spec::Spec;
pub(crate) use table::SETTINGS;
pub(crate) use values::duration;

use reader::{Reader, positive};

/// All settings, valid.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) port: PortSettings,
    pub(crate) integration: IntegrationSettings,
    pub(crate) base_url: Option<Url>,
    pub(crate) path_prefix: String,
    pub(crate) live_events: bool,
    pub(crate) workers: NonZeroUsize,
    pub(crate) max_attempt_time: Duration,
    pub(crate) shutdown_wait: Duration,
    pub(crate) queue: QueueSettings,
    /// The Redis stream that is read beside the public listener.
    pub(crate) stream: Option<StreamOptions>,
    pub(crate) catalog: CatalogKind,
    pub(crate) allow_unverified_sources: bool,
    pub(crate) max_body_bytes: usize,
    pub(crate) admin: Option<AdminSettings>,
    pub(crate) processing_mode: ProcessingMode,
    pub(crate) lakehouse_enabled: bool,
    pub(crate) is_saas: bool,
    /// What Port is told of the event listener.
    pub(crate) changelog_destination: Value,
    pub(crate) jq_environment: bool,
    pub(crate) client_timeout: Duration,
    pub(crate) oauth_token_file: Option<PathBuf>,
    pub(crate) verify_tool_tls: bool,
    pub(crate) listen: SocketAddr,
}

/// How Port is reached.
#[derive(Clone, Debug)]
pub(crate) struct PortSettings {
    pub(crate) base_url: Url,
    /// Empty unless the catalog needs Port.
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) app_config_ttl: Duration,
    pub(crate) feature_flags_ttl: Duration,
    pub(crate) initialize_resources: bool,
    pub(crate) resources_origin: Option<ResourcesOrigin>,
    pub(crate) batch_max_length: usize,
    pub(crate) delete_batch_max_length: usize,
    pub(crate) batch_max_bytes: usize,
    pub(crate) verify_tls: bool,
}

/// Who we are at Port, and the integration's own config.
#[derive(Clone, Debug)]
pub(crate) struct IntegrationSettings {
    pub(crate) kind: String,
    pub(crate) identifier: String,
    /// As the spec declares it, keys in snake case.
    pub(crate) config: Map<String, Value>,
}

/// Where events are kept.
#[derive(Clone, Debug)]
pub(crate) struct QueueSettings {
    pub(crate) kind: QueueKind,
    pub(crate) folder: PathBuf,
    pub(crate) max_pending_bytes: NonZeroU64,
    pub(crate) retention: Retention,
}

/// Which queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueKind {
    Embedded,
    Memory,
}

/// Which catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CatalogKind {
    Port,
    Local,
    DryRun,
}

/// The admin listener.
#[derive(Clone, Debug)]
pub(crate) struct AdminSettings {
    pub(crate) listen: SocketAddr,
    pub(crate) token: Option<String>,
}

impl Settings {
    /// Checks everything given.
    ///
    /// # Errors
    /// All problems at once, each with the name of its setting.
    pub(crate) fn check(
        layers: &Layers,
        spec: &Spec,
        integration: &str,
    ) -> Result<Self, StartError> {
        let mut reader = Reader {
            layers,
            problems: StartError::default(),
        };
        let catalog = reader.one_of(
            "OCEAN__CATALOG__TYPE",
            &[
                ("port", CatalogKind::Port),
                ("local", CatalogKind::Local),
                ("dry-run", CatalogKind::DryRun),
            ],
        );
        let kind = reader
            .text("OCEAN__INTEGRATION__TYPE")
            .unwrap_or_else(|| integration.to_owned())
            .to_lowercase();
        let identifier = reader
            .text("OCEAN__INTEGRATION__IDENTIFIER")
            .unwrap_or_else(|| format!("my-{kind}-integration"));
        let config = spec.config(layers).unwrap_or_else(|problems| {
            reader.problems.extend(problems);
            Map::new()
        });
        let base_url = reader.url("OCEAN__BASE_URL").or_else(|| {
            config
                .get("app_host")
                .and_then(Value::as_str)
                .and_then(|url| Url::parse(url).ok())
        });
        let live_events = reader.live_events();
        let identity = stream::Identity {
            kind: &kind,
            identifier: &identifier,
            base_url: base_url.as_ref(),
        };
        let stream = reader.stream(&identity).filter(|_| live_events);
        let settings = Self {
            port: reader.port(catalog != Some(CatalogKind::Port)),
            integration: IntegrationSettings {
                kind,
                identifier,
                config,
            },
            base_url,
            path_prefix: reader.path_prefix(),
            live_events,
            workers: reader
                .parsed("OCEAN__EVENT_WORKERS_COUNT", positive)
                .unwrap_or(NonZeroUsize::MIN),
            max_attempt_time: reader.duration("OCEAN__MAX_EVENT_PROCESSING_SECONDS"),
            shutdown_wait: reader.duration("OCEAN__MAX_WAIT_SECONDS_BEFORE_SHUTDOWN"),
            queue: reader.queue(),
            stream,
            catalog: catalog.unwrap_or(CatalogKind::Port),
            allow_unverified_sources: reader.flag("OCEAN__ALLOW_UNVERIFIED_SOURCES"),
            max_body_bytes: reader.size("OCEAN__MAX_BODY_BYTES"),
            admin: reader.admin(),
            processing_mode: reader
                .one_of(
                    "OCEAN__PROCESSING_MODE",
                    &[
                        ("dsp", ProcessingMode::Dsp),
                        ("ocean-core", ProcessingMode::OceanCore),
                    ],
                )
                .unwrap_or(ProcessingMode::OceanCore),
            lakehouse_enabled: reader.flag("OCEAN__LAKEHOUSE_ENABLED"),
            is_saas: reader
                .one_of("OCEAN__RUNTIME", &[("OnPrem", false), ("Saas", true)])
                .unwrap_or(false),
            changelog_destination: reader.changelog_destination(),
            jq_environment: reader.flag("OCEAN__ALLOW_ENVIRONMENT_VARIABLES_JQ_ACCESS"),
            client_timeout: reader.duration("OCEAN__CLIENT_TIMEOUT"),
            oauth_token_file: reader
                .text("OCEAN__OAUTH_ACCESS_TOKEN_FILE_PATH")
                .map(PathBuf::from),
            verify_tool_tls: reader.flag("OCEAN__SSL__THIRD_PARTY__VERIFY"),
            listen: reader.listen(),
        };
        reader.problems.into_result(settings)
    }
}

/// The data folder, needed by commands that need no other setting.
pub(crate) fn data_folder(layers: &Layers) -> PathBuf {
    let reader = Reader {
        layers,
        problems: StartError::default(),
    };
    reader
        .text("OCEAN__QUEUE__PATH")
        .map_or_else(|| Path::new(".ocean").into(), PathBuf::from)
}

/// Arms the failpoint that `OCEAN_FAILPOINT=name[:n]` names, in builds for crash tests.
#[cfg(feature = "failpoints")]
pub(crate) fn arm_failpoint() {
    if let Ok(text) = std::env::var("OCEAN_FAILPOINT") {
        let (name, n) = text.split_once(':').unwrap_or((&text, "1"));
        crate::failpoint::arm(name, n.parse().unwrap_or(1));
    }
}

/// Whether mappings see the environment, for commands that need no other setting.
pub(crate) fn jq_environment(layers: &Layers) -> bool {
    let mut reader = Reader {
        layers,
        problems: StartError::default(),
    };
    reader.flag("OCEAN__ALLOW_ENVIRONMENT_VARIABLES_JQ_ACCESS")
}

/// The process's environment, for mappings of operators who allow that.
pub(crate) fn environment() -> Arc<Map<String, Value>> {
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        Some((
            name.into_string().ok()?,
            Value::String(value.into_string().ok()?),
        ))
    });
    Arc::new(variables.collect())
}

/// The level and format of logs, needed before anything can be reported.
pub(crate) fn logging(layers: &Layers) -> (String, String) {
    let reader = Reader {
        layers,
        problems: StartError::default(),
    };
    let text = |name| reader.text(name).unwrap_or_default();
    (
        text("APPLICATION__LOG_LEVEL"),
        text("APPLICATION__LOG_FORMAT"),
    )
}

/// Names under `OCEAN__` that nobody reads, with the nearest that somebody does.
pub(crate) fn unknown_names(layers: &Layers, spec: &Spec) -> Vec<String> {
    let own = spec.help();
    let known = || {
        let declared = own.iter().map(|(name, _)| name.as_str());
        SETTINGS.iter().map(|setting| setting.name).chain(declared)
    };
    layers
        .names()
        .into_iter()
        .filter(|name| !known().any(|known| known == name))
        .filter(|name| {
            !table::WITHOUT_EFFECT
                .iter()
                .any(|prefix| name.starts_with(prefix))
        })
        .map(|name| match crate::nearest::nearest(&name, known()) {
            Some(nearest) => format!("nobody reads `{name}`; did you mean `{nearest}`?"),
            None => format!("nobody reads `{name}`"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = "configurations: [ { name: host, type: url, required: true } ]";

    fn check(environment: &[(&str, &str)]) -> Result<Settings, StartError> {
        let environment: Vec<_> = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let layers = Layers::merge(&environment, &[], None).unwrap();
        Settings::check(&layers, &Spec::parse(SPEC).unwrap(), "jira")
    }

    const ENOUGH: [(&str, &str); 3] = [
        ("OCEAN__PORT__CLIENT_ID", "id"),
        ("OCEAN__PORT__CLIENT_SECRET", "secret"),
        ("OCEAN__INTEGRATION__CONFIG__HOST", "https://ex.example"),
    ];

    #[test]
    fn the_defaults_are_those_of_the_table() {
        let settings = check(&ENOUGH).unwrap();
        assert_eq!(settings.listen.to_string(), "0.0.0.0:8000");
        assert_eq!(settings.workers.get(), 64);
        assert_eq!(settings.integration.identifier, "my-jira-integration");
        assert_eq!(settings.queue.max_pending_bytes.get(), 8 << 30);
        assert_eq!(settings.admin.unwrap().listen.to_string(), "127.0.0.1:8001");
        assert!(!settings.allow_unverified_sources && !settings.jq_environment);
    }

    #[test]
    fn everything_missing_is_listed_at_once() {
        let error = check(&[]).unwrap_err();
        expect_test::expect![[r"
            3 problems
              - no `OCEAN__INTEGRATION__CONFIG__HOST`: a required setting
              - no `OCEAN__PORT__CLIENT_ID`: the client id of your Port credentials
              - no `OCEAN__PORT__CLIENT_SECRET`: the client secret of your Port credentials"]]
        .assert_eq(&error.to_string());
    }

    #[test]
    fn the_local_catalog_needs_no_port_credentials() {
        let given = [("OCEAN__CATALOG__TYPE", "local"), ENOUGH[2]];
        assert_eq!(check(&given).unwrap().catalog, CatalogKind::Local);
    }

    #[test]
    fn an_admin_listener_off_loopback_needs_a_token() {
        let mut given = ENOUGH.to_vec();
        given.push(("OCEAN__ADMIN__LISTEN", "0.0.0.0:8001"));
        assert!(
            check(&given)
                .unwrap_err()
                .to_string()
                .contains("OCEAN__ADMIN__TOKEN")
        );
        given.push(("OCEAN__ADMIN__TOKEN", "t"));
        assert!(check(&given).is_ok());
    }

    #[test]
    fn the_listener_may_be_given_as_an_object() {
        let mut given = ENOUGH.to_vec();
        given.push(("OCEAN__EVENT_LISTENER", r#"{"type":"WEBHOOKS_ONLY"}"#));
        assert!(check(&given).unwrap().live_events);
        given[3].1 = r#"{"type":"ONCE"}"#;
        assert!(!check(&given).unwrap().live_events);
    }

    const STREAM: (&str, &str) = (
        "OCEAN__LIVE_EVENTS__IS_REDIS_STREAM_CONSUMER_ENABLED",
        "true",
    );
    const GATEWAY: (&str, &str) = ("OCEAN__BASE_URL", "https://gw.example/live-events/9f1c/");

    #[test]
    fn a_stream_is_read_where_upstream_would() {
        assert!(check(&ENOUGH).unwrap().stream.is_none());
        let of_queue = ("OCEAN__QUEUE__TYPE", "redis");
        for switch in [STREAM, of_queue] {
            let given = [&ENOUGH[..], &[switch, GATEWAY]].concat();
            let settings = check(&given).unwrap();
            assert_eq!(settings.queue.kind, QueueKind::Embedded);
            let stream = settings.stream.unwrap();
            assert_eq!(stream.key, "9f1c/live-events/raw/event-stream");
            assert_eq!(stream.group, "jira.my-jira-integration");
            let host = rustix::system::uname();
            let host = host.nodename().to_str().unwrap().to_owned();
            assert_eq!(stream.consumer, format!("my-jira-integration-{host}"));
            assert_eq!(stream.block, Duration::from_secs(1));
            assert_eq!(stream.upkeep.forget_after.unwrap().as_secs(), 86_400);
        }
    }

    #[test]
    fn a_stream_is_encrypted_if_either_setting_says_so() {
        let url = |url| ("OCEAN__LIVE_EVENTS__REDIS__URL", url);
        let flag = |flag| ("OCEAN__LIVE_EVENTS__REDIS__ENABLE_TLS", flag);
        for (given, encrypted) in [
            ([url("redis://h"), flag("false")], false),
            ([url("redis://h"), flag("true")], true),
            ([url("rediss://h"), flag("false")], true),
        ] {
            let settings = check(&[&ENOUGH[..], &[STREAM, GATEWAY], &given].concat());
            let stream = settings.unwrap().stream.unwrap();
            assert_eq!(stream.tls.is_some(), encrypted, "{given:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_stream_is_listed_at_once() {
        let check = |given: &[(&'static str, &'static str)], expected: expect_test::Expect| {
            let given = [&ENOUGH[..], &[STREAM], given].concat();
            expected.assert_eq(&check(&given).unwrap_err().to_string());
        };
        check(
            &[
                ("OCEAN__BASE_URL", "https://ocean.example"),
                ("OCEAN__QUEUE__TYPE", "memory"),
                ("OCEAN__LIVE_EVENTS__REDIS__URL", "localhost:6379"),
                ("OCEAN__LIVE_EVENTS__REDIS__READ_COUNT", "0"),
                ("OCEAN__LIVE_EVENTS__REDIS__PEL_STUCK_TIMEOUT_SECONDS", "0"),
                ("OCEAN__LIVE_EVENTS__REDIS__CA", "-----BEGIN"),
                ("OCEAN__LIVE_EVENTS__REDIS__CERT", "LS0tLS1CRUdJTg=="),
                ("OCEAN__LIVE_EVENTS__REDIS__USERNAME", "ocean"),
            ],
            expect_test::expect![[r#"
                9 problems
                  - `OCEAN__QUEUE__TYPE`: entries of a Redis stream are removed once they are stored, so they need a queue on disk; use `redis` or `embedded`
                  - `OCEAN__BASE_URL`: the Redis stream is named by it, so it must be the address at the gateway, such as https://gateway.example/live-events/<uuid>
                  - `OCEAN__LIVE_EVENTS__REDIS__URL`: is not an address such as redis://localhost:6379
                  - `OCEAN__LIVE_EVENTS__REDIS__CA`: is not PEM in base64
                  - `OCEAN__LIVE_EVENTS__REDIS__CERT` and `OCEAN__LIVE_EVENTS__REDIS__PRIVATE_KEY` belong together: set both or none
                  - `OCEAN__LIVE_EVENTS__REDIS__CA` and `OCEAN__LIVE_EVENTS__REDIS__CERT` have no use without `OCEAN__LIVE_EVENTS__REDIS__ENABLE_TLS=true`
                  - `OCEAN__LIVE_EVENTS__REDIS__USERNAME`: a user needs `OCEAN__LIVE_EVENTS__REDIS__PASSWORD`
                  - `OCEAN__LIVE_EVENTS__REDIS__READ_COUNT`: `0` is not a whole number above 0
                  - `OCEAN__LIVE_EVENTS__REDIS__PEL_STUCK_TIMEOUT_SECONDS`: must be more than 0"#]],
        );
    }

    #[test]
    fn a_stream_may_live_for_ever() {
        let ttl = "OCEAN__LIVE_EVENTS__REDIS__STREAM_TTL_SECONDS";
        for (text, expected) in [("none", None), ("60", Some(60))] {
            let given = [&ENOUGH[..], &[STREAM, GATEWAY, (ttl, text)]].concat();
            let found = check(&given).unwrap().stream.unwrap().ttl;
            assert_eq!(found.map(|ttl| ttl.as_secs()), expected);
        }
    }

    #[test]
    fn a_name_nobody_reads_is_reported_with_the_nearest() {
        let given = [
            ("OCEAN__QUEUE__PAHT", "x"),
            ("OCEAN__STREAMING__ENABLED", "true"),
        ];
        let given: Vec<_> = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let layers = Layers::merge(&given, &[], None).unwrap();
        let unknown = unknown_names(&layers, &Spec::parse(SPEC).unwrap());
        assert_eq!(
            unknown,
            ["nobody reads `OCEAN__QUEUE__PAHT`; did you mean `OCEAN__QUEUE__PATH`?"]
        );
    }
}
