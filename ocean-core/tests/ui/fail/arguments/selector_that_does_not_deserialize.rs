use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn issue(_selector: Selector<IssueSelector>) -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

struct IssueSelector {}

fn main() {}
