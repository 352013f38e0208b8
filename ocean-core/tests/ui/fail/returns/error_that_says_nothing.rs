use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn issue() -> Result<RawResults, JiraError> {
    Err(JiraError)
}

struct JiraError;

fn main() {}
