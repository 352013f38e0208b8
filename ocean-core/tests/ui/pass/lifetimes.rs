use std::borrow::Cow;

use ocean_core::prelude::*;

#[derive(serde::Deserialize)]
struct Issue<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
}

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn elided(payload: Payload<Issue<'_>>, event: &WebhookEvent) -> Result<(), ProcessorError> {
    let _ = (&payload.key, event);
    Ok(())
}

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn named<'a>(
    payload: Payload<Issue<'a>>,
    headers: &'a Headers,
    resource: Option<&'a Resource>,
    cx: &'a EventContext<'a>,
) -> Result<Option<Raw>, ProcessorError> {
    let _ = (&payload.key, headers, resource, cx);
    Ok(None)
}

fn main() {}
