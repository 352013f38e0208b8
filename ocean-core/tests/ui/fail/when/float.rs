use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], when(pointer = "/score", eq = 1.5))]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
