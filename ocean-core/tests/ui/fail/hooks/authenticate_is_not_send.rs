use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"], authenticate = check)]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

async fn check(_: &WebhookEvent) -> Result<(), Rejection> {
    let count = std::rc::Rc::new(1);
    std::future::ready(()).await;
    drop(count);
    Ok(())
}

fn main() {}
