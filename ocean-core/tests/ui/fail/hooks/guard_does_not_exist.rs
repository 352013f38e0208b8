use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], guard = check)]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}


fn main() {}
