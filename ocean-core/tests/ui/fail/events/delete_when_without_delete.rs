use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], delete_when(pointer = "/action", eq = "deleted"))]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
