use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], timeout = Duration::from_secs(5))]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
