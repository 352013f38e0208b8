use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn issue(_payload: Payload<IssueEvent>) -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
