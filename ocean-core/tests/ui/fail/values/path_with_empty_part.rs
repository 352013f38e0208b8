use ocean_core::prelude::*;

#[webhook_processor(path = "/web//hook", kinds = ["issue"])]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
