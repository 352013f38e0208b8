use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], authenticate = check)]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn check(headers: &Headers) -> Result<(), Rejection> {
    let _ = headers;
    Ok(())
}

fn main() {}
