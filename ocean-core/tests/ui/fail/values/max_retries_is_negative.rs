use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], max_retries = -1)]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
