use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], validate = check)]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn check(event: &WebhookEvent) -> bool {
    event.name().is_some()
}

fn main() {}
