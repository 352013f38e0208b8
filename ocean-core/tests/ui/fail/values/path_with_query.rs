use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook?token=1", kinds = ["issue"])]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
