use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn issue() -> Result<RawResults, std::io::Error> {
    Ok(RawResults::none())
}

fn main() {}
