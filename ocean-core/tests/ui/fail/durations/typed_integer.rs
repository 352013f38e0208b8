use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], timeout = 5u64)]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
