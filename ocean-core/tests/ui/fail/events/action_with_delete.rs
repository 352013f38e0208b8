use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", action, delete = "/issue")]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
