//! Live events of the tool: where they arrive, who may send them, and what processors share.

use ocean_core::{
    Assets, Integration, Source, StartContext, StartError, StateMap,
    dev::DevKit,
    source::{Locator, Verification},
};
use serde::Deserialize;

mod client;
mod dev;
pub mod webhooks;

pub use client::Client;

/// The integration.
#[derive(Debug)]
pub struct Template;

/// Its settings, as `.port/spec.yaml` declares them, in snake case.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// The address of the tool's API.
    pub api_url: String,
    /// A token of the tool's API.
    pub api_token: String,
}

impl Integration for Template {
    const NAME: &'static str = "template";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;

    fn assets() -> Assets {
        Assets {
            spec: include_str!("../.port/spec.yaml"),
            app_config: include_str!("../.port/resources/port-app-config.yaml"),
            blueprints: include_str!("../.port/resources/blueprints.json"),
            ..Assets::NONE
        }
    }

    fn sources(_: &Config) -> Vec<Source> {
        vec![
            Source::new("/webhook")
                .event_name(Locator::pointer("/event"))
                .delivery(Locator::header("x-delivery-id"))
                .verify(
                    Verification::hmac_sha256("x-signature")
                        .prefix("sha256=")
                        .secret("webhookSecret"),
                )
                .unverified("the tool signs its webhooks only if it was given a secret"),
        ]
    }

    fn state(cx: &StartContext<Config>) -> Result<StateMap, StartError> {
        Ok(StateMap::new().with(Client::new(cx)?))
    }

    fn dev() -> Option<DevKit> {
        Some(dev::KIT)
    }
}
