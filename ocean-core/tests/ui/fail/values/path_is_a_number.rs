use ocean_core::prelude::*;

#[webhook_processor(path = 8000, kinds = ["issue"])]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
