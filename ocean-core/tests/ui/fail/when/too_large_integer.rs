use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], when(pointer = "/id", eq = 99999999999999999999))]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
