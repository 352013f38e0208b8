use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn issue() -> JiraResult<RawResults> {
    Err(JiraError)
}

struct JiraError;

type JiraResult<T> = Result<T, JiraError>;

fn main() {}
