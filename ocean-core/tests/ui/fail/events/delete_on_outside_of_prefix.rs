use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], event_prefix = "issue_", delete_on = ["project_deleted"], delete = "/issue")]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn main() {}
