use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], exponential_base = 0.5)]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
