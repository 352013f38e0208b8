use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn issue(_payload: Issue) -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

#[derive(serde::Deserialize)]
struct Issue {}

fn main() {}
