use ocean_core::prelude::*;

#[webhook_processor(
    path = "webhook",
    kind = ["issue"],
    event = "created",
    events = ["updated"],
    key = "issue.id",
    delete_on = ["deleted"],
    when(pointer = "/action"),
    max_retries = "3",
    timeout = "soon",
    guard = "is_ours",
)]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
