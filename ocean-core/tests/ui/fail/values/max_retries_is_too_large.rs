use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], max_retries = 5000000000)]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
