use ocean_core::prelude::*;

#[derive(Default)]
struct Issues;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
impl Issues {
    async fn issue(&self) -> Result<RawResults, ProcessorError> {
        Ok(RawResults::none())
    }
}

fn main() {}
