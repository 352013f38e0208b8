use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn issue(payload: Payload<Issue>) -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

struct Issue {}

fn main() {}
