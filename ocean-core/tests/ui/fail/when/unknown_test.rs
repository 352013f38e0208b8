use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], when(pointer = "/action", starts_with = "open"))]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
