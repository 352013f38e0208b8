use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], authenticate = check)]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn check(event: &WebhookEvent, secret: &str) -> Result<(), Rejection> {
    let _ = (event, secret);
    Ok(())
}

fn main() {}
