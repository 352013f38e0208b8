use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn issue(_event: impl AsRef<str>) -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
