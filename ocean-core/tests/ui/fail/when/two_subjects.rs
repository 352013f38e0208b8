use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], when(pointer = "/action", header = "x-event", eq = "opened"))]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
