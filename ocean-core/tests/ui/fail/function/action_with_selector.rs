use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", action)]
async fn issue(_selector: Selector<IssueSelector>) -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

#[derive(serde::Deserialize)]
struct IssueSelector {}

fn main() {}
