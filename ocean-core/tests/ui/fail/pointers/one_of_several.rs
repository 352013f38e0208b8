use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], requires = ["/issue/id", "issue/key"])]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
