use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], max_retries = 0, initial_retry_delay = "2s")]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
