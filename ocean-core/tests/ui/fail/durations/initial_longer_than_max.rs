use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], initial_retry_delay = "1m")]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
