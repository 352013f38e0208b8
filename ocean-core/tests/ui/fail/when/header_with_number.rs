use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], when(header = "x-attempt", eq = 1))]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
