use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn issue(counts: State<Mutex<u64>>) -> Result<RawResults, ProcessorError> {
    let mut count = counts.lock().expect("no panic while it is held");
    *count += 1;
    std::future::ready(()).await;
    Ok(RawResults::none())
}

use std::sync::Mutex;

fn main() {}
