//! Every setting there is: name, default, meaning. One table serves reading, `run --help` and the
//! warning about names that nobody reads.

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// The name of its environment variable; the path in `config.yaml` is the same in camel case.
    pub(crate) name: &'static str,
    /// The default, written as an operator would write it; `None` if there is none.
    pub(crate) default: Option<&'static str>,
    /// What it means.
    pub(crate) help: &'static str,
    /// Whether its value must never be shown.
    pub(crate) secret: bool,
}

const fn setting(name: &'static str, default: Option<&'static str>, help: &'static str) -> Setting {
    Setting {
        name,
        default,
        help,
        secret: false,
    }
}

const fn secret(name: &'static str, help: &'static str) -> Setting {
    Setting {
        name,
        default: None,
        help,
        secret: true,
    }
}

/// All settings that are read, in the order `run --help` shows them.
pub(crate) const SETTINGS: &[Setting] = &[
    secret(
        "OCEAN__PORT__CLIENT_ID",
        "Port client id; required with the catalog `port`",
    ),
    secret(
        "OCEAN__PORT__CLIENT_SECRET",
        "Port client secret; required with the catalog `port`",
    ),
    setting(
        "OCEAN__PORT__BASE_URL",
        Some("https://api.getport.io"),
        "address of Port's API",
    ),
    setting(
        "OCEAN__PORT__PORT_APP_CONFIG_CACHE_TTL",
        Some("60s"),
        "how long a mapping is used before Port is asked again, in the background",
    ),
    setting(
        "OCEAN__PORT__FEATURE_FLAGS_CACHE_TTL_SECONDS",
        Some("300s"),
        "how long the organisation's flags are remembered",
    ),
    setting(
        "OCEAN__INTEGRATION__TYPE",
        None,
        "type of the integration at Port; default: the integration's name",
    ),
    setting(
        "OCEAN__INTEGRATION__IDENTIFIER",
        None,
        "identifier at Port; default: my-<type>-integration",
    ),
    setting(
        "OCEAN__BASE_URL",
        None,
        "public URL of this server; with it the integration registers its webhook",
    ),
    setting("OCEAN__PATH_PREFIX", None, "prefix of all public routes"),
    setting(
        "OCEAN__EVENT_LISTENER__TYPE",
        Some("POLLING"),
        "upstream's listener; all but ONCE and ACTIONS_ONLY mean live events here",
    ),
    setting(
        "OCEAN__EVENT_LISTENER__APP_HOST",
        None,
        "public URL, for upstream's listener WEBHOOK",
    ),
    setting(
        "OCEAN__RUNTIME",
        Some("OnPrem"),
        "`OnPrem`, or `Saas` where Port runs the integration",
    ),
    setting(
        "OCEAN__EVENT_WORKERS_COUNT",
        Some("64"),
        "handlers in flight in this process",
    ),
    setting(
        "OCEAN__MAX_EVENT_PROCESSING_SECONDS",
        Some("90s"),
        "longest time of one attempt, whatever a processor declares",
    ),
    setting(
        "OCEAN__MAX_WAIT_SECONDS_BEFORE_SHUTDOWN",
        Some("5s"),
        "how long running handlers may go on after SIGTERM",
    ),
    setting(
        "OCEAN__QUEUE__TYPE",
        Some("embedded"),
        "`embedded` (on disk), `redis` (the same, fed by a Redis stream as well) or `memory` (lost on exit)",
    ),
    setting("OCEAN__QUEUE__PATH", Some("./.ocean"), "data folder"),
    setting(
        "OCEAN__QUEUE__MAX_PENDING_BYTES",
        Some("8GiB"),
        "beyond it the door answers 503 with Retry-After",
    ),
    setting(
        "OCEAN__QUEUE__RETENTION",
        Some("7d/1GiB"),
        "how long and how much of finished events is kept, as age, size or both",
    ),
    setting(
        "OCEAN__CATALOG__TYPE",
        Some("port"),
        "`port`, `local` (embedded) or `dry-run`",
    ),
    setting(
        "OCEAN__ALLOW_UNVERIFIED_SOURCES",
        Some("false"),
        "lets sources start without a secret, where their code allows it",
    ),
    setting(
        "OCEAN__MAX_BODY_BYTES",
        Some("26214400"),
        "largest accepted body, after inflation",
    ),
    setting(
        "OCEAN__ADMIN__LISTEN",
        Some("127.0.0.1:8001"),
        "address of dashboard and admin API, or `off`",
    ),
    secret(
        "OCEAN__ADMIN__TOKEN",
        "bearer token of the admin API; required off loopback",
    ),
    setting(
        "OCEAN__PROCESSING_MODE",
        Some("dsp"),
        "`dsp` or `ocean-core`, as upstream",
    ),
    setting(
        "OCEAN__LAKEHOUSE_ENABLED",
        Some("true"),
        "ship raw items to Port's lake, if the organisation has it",
    ),
    setting(
        "OCEAN__ALLOW_ENVIRONMENT_VARIABLES_JQ_ACCESS",
        Some("false"),
        "whether mappings see the environment as `env` and `$ENV`",
    ),
    setting(
        "OCEAN__INITIALIZE_PORT_RESOURCES",
        Some("true"),
        "create missing blueprints and the default mapping at start",
    ),
    setting(
        "OCEAN__CREATE_PORT_RESOURCES_ORIGIN",
        None,
        "`Default`, `Empty` or `Port`: where a new integration's resources come from",
    ),
    setting(
        "OCEAN__CLIENT_TIMEOUT",
        Some("60s"),
        "time of one request to the tool",
    ),
    setting(
        "OCEAN__OAUTH_ACCESS_TOKEN_FILE_PATH",
        None,
        "file with an OAuth token for the tool, read again on use",
    ),
    setting(
        "OCEAN__UPSERT_ENTITIES_BATCH_MAX_LENGTH",
        Some("20"),
        "entities of one bulk upsert, 1 to 20",
    ),
    setting(
        "OCEAN__DELETE_ENTITIES_MAX_BATCH_SIZE",
        Some("100"),
        "entities of one bulk delete, 1 to 100",
    ),
    setting(
        "OCEAN__LIVE_EVENTS__IS_REDIS_STREAM_CONSUMER_ENABLED",
        Some("false"),
        "also takes in what upstream's gateway writes to a Redis stream",
    ),
    setting(
        "OCEAN__LIVE_EVENTS__REDIS__URL",
        Some("redis://localhost:6379"),
        "address of Redis; a number in its path is the database",
    ),
    setting(
        "OCEAN__LIVE_EVENTS__REDIS__USERNAME",
        None,
        "user name at Redis",
    ),
    secret("OCEAN__LIVE_EVENTS__REDIS__PASSWORD", "password at Redis"),
    setting(
        "OCEAN__LIVE_EVENTS__REDIS__ENABLE_TLS",
        Some("false"),
        "encrypt the connection to Redis, as `rediss` in its address does",
    ),
    setting(
        "OCEAN__LIVE_EVENTS__REDIS__CA",
        None,
        "who may sign Redis's certificate: PEM in base64; default: the system's list",
    ),
    setting(
        "OCEAN__LIVE_EVENTS__REDIS__CERT",
        None,
        "our own certificate for Redis: PEM in base64; needs PRIVATE_KEY",
    ),
    secret(
        "OCEAN__LIVE_EVENTS__REDIS__PRIVATE_KEY",
        "key of our certificate: PEM in base64; needs CERT",
    ),
    setting(
        "OCEAN__LIVE_EVENTS__REDIS__BLOCK_MS",
        Some("1000"),
        "milliseconds that a read waits for entries",
    ),
    setting(
        "OCEAN__LIVE_EVENTS__REDIS__READ_COUNT",
        Some("10"),
        "entries of one read; they are stored in one commit",
    ),
    setting(
        "OCEAN__LIVE_EVENTS__REDIS__STREAM_TTL_SECONDS",
        Some("30d"),
        "life of a stream that is made here, or `none`; the gateway prolongs it",
    ),
    setting(
        "OCEAN__LIVE_EVENTS__REDIS__STREAM_MAINTENANCE_WORKER_ENABLED",
        Some("true"),
        "take over entries that are stuck with a consumer, remove consumers that are gone",
    ),
    setting(
        "OCEAN__LIVE_EVENTS__REDIS__STREAM_MAINTENANCE_SCAN_INTERVAL_SECONDS",
        Some("30s"),
        "how often that is looked after",
    ),
    setting(
        "OCEAN__LIVE_EVENTS__REDIS__PEL_STUCK_TIMEOUT_SECONDS",
        Some("600s"),
        "after how long an entry counts as stuck",
    ),
    setting(
        "OCEAN__LIVE_EVENTS__REDIS__PEL_XAUTOCLAIM_COUNT",
        Some("100"),
        "entries taken over at once",
    ),
    setting(
        "OCEAN__LIVE_EVENTS__REDIS__STREAM_MAINTENANCE_CONSUMER_CLEANUP_ENABLED",
        Some("true"),
        "remove consumers that are gone",
    ),
    setting(
        "OCEAN__LIVE_EVENTS__REDIS__STREAM_MAINTENANCE_CONSUMER_CLEANUP_IDLE_SECONDS",
        Some("86400s"),
        "after how long without a word a consumer counts as gone",
    ),
    setting(
        "OCEAN__LIVE_EVENTS__REDIS__CONNECTION_ERROR_BACKOFF_SECONDS",
        Some("5s"),
        "pause before a lost connection is made anew",
    ),
    setting(
        "OCEAN__LIVE_EVENTS__REDIS__CONNECTION_STARTUP_MAX_RETRIES",
        Some("5"),
        "how often the first connection is tried anew before the start fails",
    ),
    setting(
        "OCEAN__LIVE_EVENTS__REDIS__CONNECTION_STARTUP_INITIAL_BACKOFF_SECONDS",
        Some("1s"),
        "pause before the first of them",
    ),
    setting(
        "OCEAN__LIVE_EVENTS__REDIS__CONNECTION_STARTUP_EXPONENTIAL_BASE",
        Some("2.0"),
        "by how much each further pause is longer",
    ),
    setting(
        "OCEAN__UPSERT_ENTITIES_BATCH_MAX_SIZE_IN_BYTES",
        Some("1048576"),
        "bytes of one bulk upsert",
    ),
    setting(
        "OCEAN__SSL__PORT__VERIFY",
        Some("true"),
        "verify Port's certificate",
    ),
    setting(
        "OCEAN__SSL__THIRD_PARTY__VERIFY",
        Some("true"),
        "verify the tool's certificate",
    ),
    setting(
        "APPLICATION__PORT",
        Some("8000"),
        "port of the public listener",
    ),
    setting(
        "APPLICATION__HOST",
        Some("0.0.0.0"),
        "address of the public listener",
    ),
    setting(
        "APPLICATION__LOG_LEVEL",
        Some("INFO"),
        "DEBUG, INFO, WARNING or ERROR, or a tracing filter",
    ),
    setting(
        "APPLICATION__LOG_FORMAT",
        Some("auto"),
        "`human`, `json`, or `auto`: human on a terminal",
    ),
];

/// Upstream's settings that have no meaning for live events, or none in this implementation. They
/// are accepted silently, so that a deployment can switch images without touching them.
pub(crate) const WITHOUT_EFFECT: &[&str] = &[
    "APPLICATION__ENABLE_HTTP_LOGGING",
    "OCEAN__ACTIONS_PROCESSOR__",
    "OCEAN__CACHING_STORAGE_MODE",
    "OCEAN__DISABLE_IP_OUTBOUND_BLOCKER",
    "OCEAN__EVENTS_DEBUG_LOGGING",
    "OCEAN__EVENT_LISTENER__",
    "OCEAN__INTEGRATION__INCREMENTAL_SYNC_",
    "OCEAN__LAKEHOUSE_BUFFER_",
    "OCEAN__LIVE_EVENTS__REDIS__PEL_MAX_REQUEUE_COUNT",
    "OCEAN__LIVE_EVENTS__REDIS__STREAM_MAINTENANCE_ERROR_BACKOFF_SECONDS",
    "OCEAN__LIVE_EVENTS__TYPE",
    "OCEAN__METRICS__",
    "OCEAN__PORT__BLUEPRINT_CACHE_TTL_SECONDS",
    "OCEAN__PROCESS_EXECUTION_MODE",
    "OCEAN__PROCESS_IN_QUEUE_",
    "OCEAN__RESOURCES_PATH",
    "OCEAN__SCHEDULED_RESYNC_INTERVAL",
    "OCEAN__SEND_RAW_DATA_EXAMPLES",
    "OCEAN__SSL__",
    "OCEAN__STATUS_HEARTBEAT_INTERVAL_SECONDS",
    "OCEAN__STREAMING__",
    "OCEAN__YIELD_ITEMS_TO_PARSE_BATCH_SIZE",
];
