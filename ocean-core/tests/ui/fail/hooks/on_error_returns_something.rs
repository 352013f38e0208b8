use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], on_error = check)]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn check(_: &EventContext<'_>, error: &ProcessorError) -> String {
    error.to_string()
}

fn main() {}
