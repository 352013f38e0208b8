#![deny(warnings)]

use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
#[deprecated = "use another"]
#[must_use]
async fn issue() -> Result<(), ProcessorError> {
    Ok(())
}

fn main() {}
