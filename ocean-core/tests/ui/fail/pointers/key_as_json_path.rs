use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], key = "$.issue.id")]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
