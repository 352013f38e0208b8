use ocean_core::prelude::*;

fn enriched(raw: Raw) -> Raw {
    raw
}

#[webhook_processor(path = "/webhook", kinds = ["issue"], enrich = enriched)]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
