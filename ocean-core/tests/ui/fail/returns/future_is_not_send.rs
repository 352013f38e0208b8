use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn issue() -> Result<RawResults, ProcessorError> {
    let count = std::rc::Rc::new(1);
    std::future::ready(()).await;
    drop(count);
    Ok(RawResults::none())
}

fn main() {}
