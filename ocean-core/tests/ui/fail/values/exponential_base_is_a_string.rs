use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], exponential_base = "2")]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
