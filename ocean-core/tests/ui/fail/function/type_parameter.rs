use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn issue<T: serde::de::DeserializeOwned>(_payload: Payload<T>) -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
