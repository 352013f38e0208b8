use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn issue(_state: State<std::cell::Cell<u8>>) -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
