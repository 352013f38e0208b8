use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn issue() -> RawResults {
    RawResults::none()
}

fn main() {}
