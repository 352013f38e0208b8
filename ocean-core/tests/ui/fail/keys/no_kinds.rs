use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook")]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
