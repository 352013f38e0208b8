use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn issue() -> Result<Raw, ProcessorError> {
    Ok(Raw::new("a"))
}

fn main() {}
