use ocean_core::prelude::*;

const PATH: &str = "/webhook";

#[webhook_processor(path = PATH, kinds = ["issue"])]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
