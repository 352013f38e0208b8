use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn issue() -> Result<String, ProcessorError> {
    Ok(String::new())
}

fn main() {}
