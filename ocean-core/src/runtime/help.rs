//! The part of `run --help` that lists every setting.

use std::fmt::Write as _;

use super::config::{SETTINGS, Spec};

/// All settings with defaults and meanings, the integration's own first.
pub(crate) fn settings(spec: &Spec) -> String {
    let mut text = String::from(
        "Settings, from the environment, `.env` and `config.yaml` (in this order of precedence):\n",
    );
    for (name, help) in spec.help() {
        entry(&mut text, &name, None, &help);
    }
    for setting in SETTINGS {
        let secret = if setting.secret { " (secret)" } else { "" };
        entry(
            &mut text,
            setting.name,
            setting.default,
            &format!("{}{secret}", setting.help),
        );
    }
    text.push_str(
        "\nDurations: 90s, 5m, 1h, 7d or plain seconds. Sizes: 8GiB, 512MiB or plain bytes.",
    );
    text
}

fn entry(text: &mut String, name: &str, default: Option<&str>, help: &str) {
    let default = default
        .map(|default| format!(" [default: {default}]"))
        .unwrap_or_default();
    writeln!(text, "  {name}\n          {help}{default}").expect("writing to a string works");
}
