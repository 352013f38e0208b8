use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], guard = check)]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn check(headers: &Headers) -> bool {
    headers.get("x-event").is_some()
}

fn main() {}
