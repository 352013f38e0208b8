use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn issue(_payload: Payload<Issue>) -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

struct Issue {}

fn main() {}
