use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], when(header = "x event", eq = "push"))]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
