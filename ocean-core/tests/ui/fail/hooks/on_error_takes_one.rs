use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], on_error = check)]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn check(error: &ProcessorError) {
    drop(error.to_string());
}

fn main() {}
