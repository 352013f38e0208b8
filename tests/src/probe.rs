//! An integration made for tests: its events say what its processors should do.

use ocean_core::{
    Assets, Integration, Source, StartContext, StartError, StateMap,
    prelude::*,
    source::{Locator, Verification},
};
use serde::Deserialize;

/// The integration.
pub struct Probe;

/// Its settings.
#[derive(Clone, Debug, Deserialize)]
pub struct ProbeConfig {
    /// The secret of `/signed`.
    pub secret: Option<String>,
}

impl Integration for Probe {
    const NAME: &'static str = "probe";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = ProbeConfig;

    fn assets() -> Assets {
        Assets {
            spec: include_str!("probe/spec.yaml"),
            app_config: include_str!("probe/port-app-config.yaml"),
            blueprints: "[]",
            ..Assets::NONE
        }
    }

    fn sources(_: &ProbeConfig) -> Vec<Source> {
        let source = |path: &'static str| {
            Source::new(path)
                .event_name(Locator::pointer("/event"))
                .delivery(Locator::header("x-delivery"))
                .unverified("tests post from this machine")
        };
        vec![
            source("/open"),
            source("/batch").arrays(),
            source("/form").form_field("payload"),
            Source::new("/signed")
                .event_name(Locator::pointer("/event"))
                .verify(
                    Verification::hmac_sha256("x-signature")
                        .prefix("sha256=")
                        .secret("secret"),
                ),
        ]
    }

    fn state(_: &StartContext<ProbeConfig>) -> Result<StateMap, StartError> {
        Ok(StateMap::new())
    }
}

/// What an event asks for.
#[derive(Debug, Deserialize)]
struct Order {
    /// The item the event is about.
    item: WithRaw<Item>,
    /// How handling it goes wrong.
    #[serde(default)]
    fail: Option<Fail>,
}

#[derive(Debug, Deserialize)]
struct Item {
    #[serde(default)]
    gone: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fail {
    Panic,
    Hang,
    Retry,
    /// Fails on the first attempt only.
    Once,
    Permanent,
    Drop,
}

async fn obey(order: &Order, attempt: u32) -> Result<Option<Raw>, ProcessorError> {
    match order.fail {
        Some(Fail::Panic) => panic!("the event asked for it"),
        Some(Fail::Hang) => std::future::pending().await,
        Some(Fail::Retry) => Err(ProcessorError::retry("the event asked for a retry")),
        Some(Fail::Once) if attempt == 1 => Err(ProcessorError::retry("only the first time")),
        Some(Fail::Permanent) => Err(ProcessorError::permanent("the event asked to be given up")),
        Some(Fail::Drop) => Err(ProcessorError::drop("the event asked to be dropped")),
        Some(Fail::Once) | None if order.item.gone => Ok(None),
        Some(Fail::Once) | None => Ok(Some(order.item.raw())),
    }
}

/// Keeps things in step with the events themselves.
#[webhook_processor(
    path = "/open",
    kinds = ["thing"],
    event_prefix = "thing_",
    key = "/item/id",
    requires = ["/item/id"],
    delete_on = ["thing_deleted"],
    delete = "/item",
    initial_retry_delay = "50ms",
    max_retry_delay = "200ms",
    timeout = "1s"
)]
async fn thing(
    order: Payload<Order>,
    cx: &EventContext<'_>,
) -> Result<Option<Raw>, ProcessorError> {
    obey(&order, cx.attempt).await
}

/// A second processor of the same events, to see that neither disturbs the other.
#[webhook_processor(
    path = "/open",
    kinds = ["shadow"],
    event = "thing_shadowed",
    key = "/item/id"
)]
async fn shadow(order: Payload<Order>) -> Result<Vec<Raw>, ProcessorError> {
    Ok(vec![order.item.raw()])
}

/// Only the newest of a pile matters.
#[webhook_processor(path = "/open", kinds = ["thing"], event = "latest", key = "/item/id", coalesce)]
async fn latest(order: Payload<Order>) -> Result<Vec<Raw>, ProcessorError> {
    Ok(vec![order.item.raw()])
}

/// Takes its time before it tries again.
#[webhook_processor(
    path = "/open",
    kinds = ["thing"],
    event = "patient",
    key = "/item/id",
    initial_retry_delay = "1h",
    max_retry_delay = "2h"
)]
async fn patient(
    order: Payload<Order>,
    cx: &EventContext<'_>,
) -> Result<Option<Raw>, ProcessorError> {
    obey(&order, cx.attempt).await
}

/// Acts without kind and mapping.
#[webhook_processor(path = "/open", action, event = "act")]
async fn act() -> Result<(), ProcessorError> {
    Ok(())
}

/// Elements of a batch.
#[webhook_processor(path = "/batch", kinds = ["thing"], key = "/item/id")]
async fn batch(order: Payload<Order>) -> Result<Option<Raw>, ProcessorError> {
    obey(&order, 1).await
}

/// JSON in a form.
#[webhook_processor(path = "/form", kinds = ["thing"], key = "/item/id")]
async fn form(order: Payload<Order>) -> Result<Option<Raw>, ProcessorError> {
    obey(&order, 1).await
}

/// Events with a signature.
#[webhook_processor(path = "/signed", kinds = ["thing"], key = "/item/id")]
async fn signed(order: Payload<Order>) -> Result<Option<Raw>, ProcessorError> {
    obey(&order, 1).await
}
