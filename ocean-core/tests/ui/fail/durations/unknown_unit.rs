use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], timeout = "5d")]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
