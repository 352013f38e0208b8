//! Logs: for people on a terminal, JSON elsewhere, always on standard error so that commands can
//! be piped.

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Starts logging. `level` is a level as upstream names it or a tracing filter; `format` is
/// `human`, `json` or `auto`.
///
/// # Errors
/// What is wrong with either.
pub(crate) fn start(level: &str, format: &str) -> Result<(), String> {
    let filter = match level.to_uppercase().as_str() {
        "DEBUG" | "INFO" | "ERROR" | "TRACE" => level.to_lowercase(),
        // Upstream's names of Python's logging library.
        "WARNING" | "WARN" => "warn".to_owned(),
        "CRITICAL" => "error".to_owned(),
        _ => level.to_owned(),
    };
    let filter = EnvFilter::try_new(&filter).map_err(|error| {
        format!("`APPLICATION__LOG_LEVEL`: `{level}` is neither a level nor a filter: {error}")
    })?;
    let terminal = std::io::stderr().is_terminal();
    let json = match format.to_lowercase().as_str() {
        "json" => true,
        "human" => false,
        "auto" => !terminal,
        _ => {
            return Err(format!(
                "`APPLICATION__LOG_FORMAT`: `{format}` is none of human, json, auto"
            ));
        }
    };
    let registry = tracing_subscriber::registry().with(filter);
    // A second start in one process, as in tests, keeps the first subscriber.
    let _ = if json {
        let layer = fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(std::io::stderr);
        registry.with(layer).try_init()
    } else {
        let layer = fmt::layer()
            .with_ansi(terminal)
            .with_writer(std::io::stderr);
        registry.with(layer.with_target(false)).try_init()
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn wrong_values_are_named() {
        assert!(
            super::start("INFO", "xml")
                .unwrap_err()
                .contains("APPLICATION__LOG_FORMAT")
        );
        assert!(
            super::start("a=b=c", "json")
                .unwrap_err()
                .contains("APPLICATION__LOG_LEVEL")
        );
    }
}
