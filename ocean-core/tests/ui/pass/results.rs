use std::{convert::Infallible, fmt};

use ocean_core::prelude::*;

#[derive(Debug)]
struct JiraError;

impl fmt::Display for JiraError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("jira does not answer")
    }
}

impl std::error::Error for JiraError {}

impl From<JiraError> for ProcessorError {
    fn from(error: JiraError) -> Self {
        Self::retry(error)
    }
}

type JiraResult<T> = Result<T, JiraError>;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn alias() -> JiraResult<RawResults> {
    Err(JiraError)
}

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn qualified() -> std::result::Result<Vec<Raw>, JiraError> {
    Err(JiraError)
}

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn optional() -> Result<Option<Raw>, JiraError> {
    Ok(None)
}

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn nothing() -> Result<(), serde_json::Error> {
    Ok(())
}

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn outcome() -> Result<Outcome, Rejection> {
    Ok(Outcome::NotFound)
}

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn never_fails() -> Result<RawResults, Infallible> {
    Ok(RawResults::none())
}

fn main() {}
