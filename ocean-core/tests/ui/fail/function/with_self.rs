use ocean_core::prelude::*;

struct Issues;

impl Issues {
    #[webhook_processor(path = "/webhook", kinds = ["issue"])]
    async fn issue(&self) -> Result<RawResults, ProcessorError> {
        Ok(RawResults::none())
    }
}

fn main() {}
